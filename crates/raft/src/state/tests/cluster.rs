//! Several states, a network that loses and parts, disks that lose what was not flushed: elections are safe, logs match,
//! committed records stay. The same with a planted bug has to be caught.

use crate::state::event::{Answer, Body, Effect, Election, Event, Found, Request, RequestToken};
use crate::state::facts::LogFacts;
use crate::state::ids::{ReplicaKey, Voter, VoterHistory, VoterSet};
use crate::state::peers::Timing;
use crate::state::role::Role;
use crate::state::{CallId, Start, State};
use ottla_host::Monotonic;
use ottla_sim::Random;
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const STEPS: usize = 1_500;

/// What is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bug {
    None,
    /// Votes and epochs are not on the device when they are answered.
    ForgetsElections,
    /// A node says that records are flushed before they are.
    AcksBeforeFlush,
    /// A follower keeps records that its leader does not have.
    SkipsTruncation,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    epoch: LeaderEpoch,
    id: u64,
}

#[derive(Clone, Debug)]
enum Message {
    Request { from: usize, to: usize, call: CallId, request: Request },
    Response { to: usize, call: CallId, answer: Answer, entries: Vec<Entry> },
}

struct Node {
    state: State,
    election: Option<Election>,
    log: Vec<Entry>,
    /// Entries on the device.
    durable: usize,
    /// Whom the requests came from, by token.
    asked: BTreeMap<RequestToken, (usize, CallId)>,
    /// Entries that came with responses.
    brought: BTreeMap<CallId, Vec<Entry>>,
    /// Restarts count, so that responses to an earlier life are dropped.
    life: u64,
}

struct World {
    random: Random,
    bug: Bug,
    now: Monotonic,
    nodes: Vec<Node>,
    messages: Vec<(u64, Message)>,
    next: u64,
    /// Nodes on the one side of a parted network.
    parted: BTreeSet<usize>,
    leaders: BTreeMap<LeaderEpoch, usize>,
    committed: Vec<Entry>,
    breach: Option<String>,
}

fn key(node: usize) -> ReplicaKey {
    ReplicaKey::new(BrokerId(node as i32), Uuid([node as u8 + 1; 16]))
}

fn facts(log: &[Entry]) -> LogFacts {
    let mut facts = LogFacts::default();
    for (at, entry) in (0..).zip(log) {
        facts.begin_epoch(entry.epoch, Offset(at));
    }
    facts.end = Offset(log.len() as i64);
    facts
}

fn begin(
    node: usize,
    voters: usize,
    election: Option<Election>,
    log: &[Entry],
    now: Monotonic,
) -> (State, Vec<Effect>) {
    let voter = |id| Voter { key: key(id), endpoints: Vec::new(), kraft_versions: (0, 1) };
    let start = Start {
        me: key(node),
        timing: Timing::default(),
        election,
        log: facts(log),
        voters: VoterHistory::new(VoterSet::new((0..voters).map(voter))),
        bootstrap: Vec::new(),
        jitter: node as u32 * 300,
    };
    let mut effects = Vec::new();
    (State::start(start, now, &mut effects), effects)
}

impl World {
    fn new(seed: u64, bug: Bug) -> World {
        let mut random = Random::stream(seed, "raft cluster");
        let voters = [1, 2, 3, 3, 5][random.index(5)];
        let mut world = World {
            random,
            bug,
            now: Monotonic(1),
            nodes: Vec::new(),
            messages: Vec::new(),
            next: 0,
            parted: BTreeSet::new(),
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            breach: None,
        };
        for id in 0..voters {
            let (state, effects) = begin(id, voters, None, &[], world.now);
            world.nodes.push(Node {
                state,
                election: None,
                log: Vec::new(),
                durable: 0,
                asked: BTreeMap::new(),
                brought: BTreeMap::new(),
                life: 0,
            });
            world.carry_out(id, effects);
        }
        world
    }

    fn step(&mut self, node: usize, event: Event) {
        let mut effects = Vec::new();
        let jitter = self.random.below(1_000) as u32;
        self.nodes[node].state.set_jitter(jitter);
        self.nodes[node].state.step(self.now, event, &mut effects);
        self.carry_out(node, effects);
    }

    fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        let mut events = Vec::new();
        for effect in effects {
            self.one(node, effect, &mut events);
        }
        for event in events {
            self.step(node, event);
        }
    }

    fn one(&mut self, at: usize, effect: Effect, events: &mut Vec<Event>) {
        match effect {
            Effect::Persist(_) if self.bug == Bug::ForgetsElections => {}
            Effect::Persist(election) => self.nodes[at].election = Some(election),
            Effect::Send { to, call, request } => {
                self.post(at, Message::Request { from: at, to: to.0 as usize, call, request });
            }
            Effect::Answer { token, answer } => self.answer(at, token, answer),
            Effect::AppendEpochStart { epoch, .. } => {
                if let Some(other) = self.leaders.insert(epoch, at).filter(|other| *other != at) {
                    self.fail(format!("nodes {other} and {at} lead epoch {epoch}"));
                }
                self.check_complete(at);
                events.push(self.append(at, epoch));
            }
            Effect::AppendFetched { call } => events.push(self.append_fetched(at, call)),
            Effect::Truncate { .. } if self.bug == Bug::SkipsTruncation => {}
            Effect::Truncate { to } => {
                let node = &mut self.nodes[at];
                node.log.truncate(to.0 as usize);
                node.durable = node.durable.min(node.log.len());
            }
            Effect::Commit { end } => self.commit(at, end),
            Effect::Leadership(_) => {}
            Effect::Flush => {
                let node = &mut self.nodes[at];
                node.durable = if self.bug == Bug::AcksBeforeFlush { node.durable } else { node.log.len() };
                events.push(Event::Flushed { end: Offset(node.log.len() as i64) });
            }
            Effect::Fatal(breach) => self.fail(format!("node {at}: {breach}")),
            Effect::StoreSnapshotPiece { .. } | Effect::AdoptSnapshot { .. } => {
                self.fail(format!("node {at}: there are no snapshots"));
            }
        }
    }

    fn fail(&mut self, what: String) {
        self.breach.get_or_insert(what);
    }

    fn post(&mut self, from: usize, message: Message) {
        let life = self.nodes[from].life;
        self.messages.push((life, message));
    }

    fn answer(&mut self, at: usize, token: RequestToken, answer: Answer) {
        let Some((to, call)) = self.nodes[at].asked.remove(&token) else { return };
        let entries = match &answer.body {
            Body::Fetch { found: Found::Records { from }, .. } if answer.refusal.is_none() => {
                let few = 1 + self.random.index(4);
                self.nodes[at].log.iter().skip(from.0 as usize).take(few).copied().collect()
            }
            _ => Vec::new(),
        };
        let life = self.nodes[to].life;
        self.messages.push((life, Message::Response { to, call, answer, entries }));
    }

    fn append(&mut self, at: usize, epoch: LeaderEpoch) -> Event {
        self.next += 1;
        self.nodes[at].log.push(Entry { epoch, id: self.next });
        Event::Written { end: Offset(self.nodes[at].log.len() as i64) }
    }

    fn append_fetched(&mut self, at: usize, call: CallId) -> Event {
        let flushes = self.bug != Bug::AcksBeforeFlush;
        let node = &mut self.nodes[at];
        let mut epochs = Vec::new();
        for entry in node.brought.remove(&call).unwrap_or_default() {
            if epochs.last().is_none_or(|(epoch, _)| *epoch != entry.epoch) {
                epochs.push((entry.epoch, Offset(node.log.len() as i64)));
            }
            node.log.push(entry);
        }
        if flushes {
            node.durable = node.log.len();
        }
        Event::Appended { end: Offset(node.log.len() as i64), epochs }
    }

    /// What is committed once is committed for ever, and the same everywhere.
    fn commit(&mut self, at: usize, end: Offset) {
        let end = end.0 as usize;
        for offset in 0..end {
            let mine = self.nodes[at].log.get(offset).copied();
            match (self.committed.get(offset).copied(), mine) {
                (known, mine) if known.is_some() && known != mine => {
                    return self.fail(format!("node {at} commits {mine:?} at {offset}, which is {known:?}"));
                }
                (None, Some(mine)) => self.committed.push(mine),
                (None, None) => return self.fail(format!("node {at} commits {offset} without having it")),
                (Some(_), _) => {}
            }
        }
    }

    /// A leader has all that is committed.
    fn check_complete(&mut self, at: usize) {
        if !self.nodes[at].log.starts_with(&self.committed) {
            self.fail(format!("leader {at} lacks committed records"));
        }
    }

    /// Logs with the same epoch at an offset are the same up to it.
    fn check_matching(&mut self) {
        for a in 0..self.nodes.len() {
            for b in 0..a {
                let (one, other) = (&self.nodes[a].log, &self.nodes[b].log);
                let common = one.iter().zip(other).rposition(|(one, other)| one.epoch == other.epoch);
                if let Some(at) = common
                    && one[..=at] != other[..=at]
                {
                    self.fail(format!("logs of {a} and {b} differ before {at}"));
                }
            }
        }
    }

    fn deliver(&mut self, keep: bool) {
        if self.messages.is_empty() {
            return;
        }
        let at = self.random.index(self.messages.len());
        let (life, message) = self.messages.swap_remove(at);
        let (from, to) = match &message {
            Message::Request { from, to, .. } => (*from, *to),
            Message::Response { to, .. } => (*to, *to),
        };
        let parted = self.parted.contains(&from) != self.parted.contains(&to);
        if !keep || parted || self.nodes[from].life != life {
            if let Message::Request { from, call, .. } = message
                && self.nodes[from].life == life
            {
                self.step(from, Event::NoResponse { call });
            }
            return;
        }
        match message {
            Message::Request { from, to, call, request } => {
                self.next += 1;
                let token = RequestToken(self.next);
                self.nodes[to].asked.insert(token, (from, call));
                self.step(to, Event::Request { token, request });
            }
            Message::Response { to, call, answer, entries } => {
                self.nodes[to].brought.insert(call, entries);
                self.step(to, Event::Response { call, answer });
            }
        }
    }

    fn crash(&mut self, at: usize) {
        let voters = self.nodes.len();
        let lost = self.nodes[at].log.len() - self.nodes[at].durable;
        let kept = self.random.index(lost + 1);
        let node = &mut self.nodes[at];
        node.log.truncate(node.durable + kept);
        node.durable = node.log.len();
        node.life += 1;
        node.asked.clear();
        node.brought.clear();
        let (state, effects) = begin(at, voters, node.election, &node.log, self.now);
        node.state = state;
        self.carry_out(at, effects);
    }

    fn act(&mut self) {
        let node = self.random.index(self.nodes.len());
        match self.random.below(100) {
            0..60 => self.deliver(true),
            60..64 => self.deliver(false),
            64..78 => {
                self.now = self.now + Duration::from_millis(self.random.below(150));
                for node in 0..self.nodes.len() {
                    self.step(node, Event::Tick);
                }
            }
            78..88 => {
                let epoch = self.nodes[node].state.epoch();
                if matches!(self.nodes[node].state.role(), Role::Leader(_)) {
                    let event = self.append(node, epoch);
                    self.step(node, event);
                }
            }
            88..95 => self.flush(node),
            95..97 => {
                self.parted = if self.parted.is_empty() { BTreeSet::from([node]) } else { BTreeSet::new() };
            }
            97 => self.step(node, Event::Resign),
            _ => self.crash(node),
        }
    }

    fn flush(&mut self, at: usize) {
        let bug = self.bug;
        let node = &mut self.nodes[at];
        if bug != Bug::AcksBeforeFlush {
            node.durable = node.log.len();
        }
        let end = Offset(node.log.len() as i64);
        self.step(at, Event::Flushed { end });
    }
}

/// Plays one seed; answers how much was committed, or what broke.
fn play(seed: u64, bug: Bug) -> Result<usize, String> {
    let mut world = World::new(seed, bug);
    for _ in 0..STEPS {
        world.act();
        world.check_matching();
        if let Some(breach) = world.breach {
            return Err(breach);
        }
    }
    Ok(world.committed.len())
}

#[test]
fn no_seed_breaks_safety_and_most_commit_something() {
    let mut committed = 0;
    for seed in ottla_sim::seeds(150) {
        match play(seed, Bug::None) {
            Ok(0) => {}
            Ok(_) => committed += 1,
            Err(breach) => panic!("seed {seed}: {breach}"),
        }
    }
    assert!(committed > 100, "{committed} of 150 seeds committed anything");
}

#[test]
fn planted_bugs_are_caught() {
    for bug in [Bug::ForgetsElections, Bug::AcksBeforeFlush, Bug::SkipsTruncation] {
        // A broken node may also stumble over the state's own assertions.
        let caught = (0..1_000).find(|seed| !matches!(std::panic::catch_unwind(|| play(*seed, bug)), Ok(Ok(_))));
        assert!(caught.is_some(), "{bug:?} went unnoticed");
    }
}
