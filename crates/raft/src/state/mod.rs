//! KRaft as a pure state: events with numbers in, effects out (KIP-595, KIP-630, KIP-853, KIP-996).
//!
//! The driver carries out effects in order and feeds back what came of them. A vote or a leadership is on the device
//! (`Effect::Persist`) before anybody hears of it; a leader counts its own log only as far as it is flushed.

mod answer;
mod check;
mod election;
pub mod event;
pub mod facts;
mod follower;
pub mod ids;
mod leader;
pub mod peers;
pub mod role;

#[cfg(test)]
mod tests;

use event::{Answer, Body, Breach, CallId, Effect, Election, Event, Leadership, Request};
use facts::LogFacts;
use ids::{Endpoint, ReplicaKey, VoterHistory, VoterSet};
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use peers::{Peers, Timing};
use role::{Ballots, Candidate, Follower, Leader, Prospective, Resigned, Role, Unattached};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a replica starts from.
#[derive(Clone, Debug)]
pub struct Start {
    /// This replica; its directory is known.
    pub me: ReplicaKey,
    /// Intervals.
    pub timing: Timing,
    /// What `quorum-state` says; None without the file.
    pub election: Option<Election>,
    /// The log as recovered.
    pub log: LogFacts,
    /// Voters by the static list and by the records of snapshot and log.
    pub voters: VoterHistory,
    /// Servers to ask for the leader (`controller.quorum.bootstrap.servers`), as the driver numbers them.
    pub bootstrap: Vec<BrokerId>,
    /// First [`State::set_jitter`].
    pub jitter: u32,
}

/// One replica of the metadata log.
#[derive(Clone, Debug)]
pub struct State {
    me: ReplicaKey,
    timing: Timing,
    epoch: LeaderEpoch,
    role: Role,
    log: LogFacts,
    /// The log is on the device up to here, as far as this state was told: a fetch claims no more.
    flushed: Offset,
    flushing: bool,
    voters: VoterHistory,
    /// All before it is committed, as far as this replica knows; never goes back.
    committed: Option<Offset>,
    peers: Peers,
    bootstrap: Vec<BrokerId>,
    last_asked: Option<BrokerId>,
    /// Endpoints that peers told of.
    told: BTreeMap<BrokerId, Vec<Endpoint>>,
    persisted: Option<Election>,
    published: Option<Leadership>,
    jitter: u32,
    stopping: bool,
}

impl State {
    /// Takes up where the replica left off. A replica that led is resigned first: what it had not flushed may be lost,
    /// and it must not vote again in its epoch. An only voter leads at once.
    #[must_use]
    pub fn start(start: Start, now: Monotonic, out: &mut Vec<Effect>) -> State {
        let Start { me, timing, election, log, voters, bootstrap, jitter } = start;
        let mut state = State {
            me,
            timing,
            epoch: LeaderEpoch(0),
            role: Role::Unattached(Unattached { leader: None, voted: None, election: None }),
            // What was recovered may lie in the page cache only.
            flushed: log.start,
            flushing: false,
            log,
            voters,
            committed: None,
            peers: Peers::default(),
            bootstrap,
            last_asked: None,
            told: BTreeMap::new(),
            persisted: election,
            published: None,
            jitter,
            stopping: false,
        };
        let (epoch, role) = state.first_role(election.unwrap_or_default(), now);
        state.enter(epoch, role, out);
        if state.voters.last().is_only(&state.me) && !matches!(state.role, Role::Candidate(_)) {
            state.become_prospective(now, out);
        }
        state.settle_election(now, out);
        state.finish(now, out);
        state
    }

    fn first_role(&self, election: Election, now: Monotonic) -> (LeaderEpoch, Role) {
        let last = self.log.last_epoch();
        if election.epoch < last {
            return (last, self.unattached(None, None, now));
        }
        let role = match (election.leader, election.voted) {
            (Some(leader), _) if leader == self.me.id => Role::Resigned(Resigned {
                unacknowledged: self.other_voters().collect(),
                successors: Vec::new(),
                election: now + self.election_timeout(),
            }),
            (None, Some(voted)) if voted.admits(&self.me) => Role::Candidate(Candidate {
                ballots: Ballots::with_own(self.me.id, self.voters.last()),
                election: now + self.election_timeout(),
            }),
            (Some(leader), voted) if self.is_reachable(leader) => self.follower(leader, voted, now),
            (leader, voted) => self.unattached(leader, voted, now),
        };
        (election.epoch, role)
    }

    /// Takes one event in. `out` gets what is to be done, in order.
    pub fn step(&mut self, now: Monotonic, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Tick => {}
            Event::Request { token, request } => self.on_request(now, token, request, out),
            Event::Response { call, answer } => self.on_response(now, call, answer, out),
            Event::NoResponse { call } => self.on_no_response(now, call),
            Event::Written { end } => self.on_written(now, end, out),
            Event::Flushed { end } => self.on_flushed(now, end, out),
            Event::Appended { end, epochs } => self.on_appended(end, &epochs, out),
            Event::VotersWritten { offset, voters } => self.on_voters(now, offset, voters, out),
            Event::SnapshotTaken { snapshot } => {
                self.log.snapshots.insert(snapshot);
            }
            Event::Cleaned { start } => {
                self.log.clean_to(start);
                self.flushed = self.flushed.max(start);
            }
            Event::Resign => self.ask_to_resign(),
            Event::Stop => self.stopping = true,
        }
        self.finish(now, out);
    }

    fn finish(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        if matches!(out.last(), Some(Effect::Fatal(_))) {
            return;
        }
        self.poll(now, out);
        if let Err(what) = self.check() {
            out.push(Effect::Fatal(Breach::Invariant(what)));
        }
    }

    /// What is due by now: timers of the role, requests to peers.
    fn poll(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        // A pass may change the role; each change has later timers, so that few passes do.
        for _ in 0..8 {
            let before = (self.epoch, std::mem::discriminant(&self.role));
            match &self.role {
                Role::Unattached(_) => self.poll_unattached(now, out),
                Role::Prospective(_) | Role::Candidate(_) => self.poll_nominee(now, out),
                Role::Follower(_) => self.poll_follower(now, out),
                Role::Leader(_) => self.poll_leader(now, out),
                Role::Resigned(_) => self.poll_resigned(now, out),
            }
            if before == (self.epoch, std::mem::discriminant(&self.role)) {
                return;
            }
        }
    }

    /// When the next `Event::Tick` is due at the latest.
    #[must_use]
    pub fn deadline(&self, now: Monotonic) -> Option<Monotonic> {
        let own = match &self.role {
            Role::Unattached(role) => role.election,
            Role::Prospective(role) => Some(role.election),
            Role::Candidate(role) => Some(role.election),
            Role::Follower(role) => self.is_voter().then_some(role.fetch),
            Role::Leader(role) => self.leader_deadline(role),
            Role::Resigned(role) => Some(role.election),
        };
        [own, self.peers.deadline(now)].into_iter().flatten().min()
    }

    /// Thousandths of the election timeout to add to the next ones (0 to 1,000); drawn outside before each step, so that
    /// replicas do not stand for election all at once.
    pub fn set_jitter(&mut self, thousandths: u32) {
        self.jitter = thousandths.min(1_000);
    }

    /// The epoch.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The role with all it holds.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The log as the state knows it.
    #[must_use]
    pub fn log(&self) -> &LogFacts {
        &self.log
    }

    /// All before it is committed, as far as this replica knows.
    #[must_use]
    pub fn committed(&self) -> Option<Offset> {
        self.committed
    }

    /// Voter sets by offset.
    #[must_use]
    pub fn voters(&self) -> &VoterHistory {
        &self.voters
    }

    /// This replica.
    #[must_use]
    pub fn me(&self) -> ReplicaKey {
        self.me
    }

    /// Leader of the epoch, if known.
    #[must_use]
    pub fn leader(&self) -> Option<BrokerId> {
        self.election().leader
    }

    /// Where a node listens: as it told, else as the voter set says.
    #[must_use]
    pub fn endpoints(&self, of: BrokerId) -> &[Endpoint] {
        match (self.told.get(&of), self.voters.last().get(of)) {
            (Some(told), _) => told,
            (None, Some(voter)) => &voter.endpoints,
            (None, None) => &[],
        }
    }

    /// Whether this replica votes; others only observe.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        self.voters.last().contains(&self.me)
    }

    /// What `quorum-state` has to say now.
    #[must_use]
    pub fn election(&self) -> Election {
        let (leader, voted) = match &self.role {
            Role::Unattached(role) => (role.leader, role.voted),
            Role::Prospective(role) => (role.leader, role.voted),
            Role::Candidate(_) => (None, Some(self.me)),
            Role::Follower(role) => (Some(role.leader), role.voted),
            Role::Leader(_) | Role::Resigned(_) => (Some(self.me.id), None),
        };
        Election { epoch: self.epoch, leader, voted }
    }

    fn other_voters(&self) -> impl Iterator<Item = BrokerId> + '_ {
        self.voters.last().ids().filter(|id| *id != self.me.id)
    }

    fn is_reachable(&self, node: BrokerId) -> bool {
        self.told.contains_key(&node) || self.voters.last().get(node).is_some()
    }

    fn election_timeout(&self) -> Duration {
        self.timing.election + self.timing.election * self.jitter / 1_000
    }

    /// Enters a role: on the device first, then published. Requests under way no longer matter.
    fn enter(&mut self, epoch: LeaderEpoch, role: Role, out: &mut Vec<Effect>) {
        self.epoch = epoch;
        self.role = role;
        self.peers.reset();
        self.persist(out);
        self.publish(out);
    }

    fn persist(&mut self, out: &mut Vec<Effect>) {
        let election = self.election();
        if self.persisted == Some(election) {
            return;
        }
        self.persisted = Some(election);
        // Of several in a row nobody outside learns of the earlier ones: one write does for all.
        while matches!(out.last(), Some(Effect::Persist(_) | Effect::Leadership(Leadership { leader: None, .. }))) {
            out.pop();
        }
        out.push(Effect::Persist(election));
    }

    fn publish(&mut self, out: &mut Vec<Effect>) {
        let leader = match &self.role {
            Role::Leader(role) => role.high_watermark.map(|_| self.me.id),
            Role::Resigned(_) => None,
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Follower(_) => self.leader(),
        };
        let leadership = Leadership { epoch: self.epoch, leader };
        if self.published != Some(leadership) {
            self.published = Some(leadership);
            out.push(Effect::Leadership(leadership));
        }
    }

    fn unattached(&self, leader: Option<BrokerId>, voted: Option<ReplicaKey>, now: Monotonic) -> Role {
        let election = self.is_voter().then(|| now + self.election_timeout());
        Role::Unattached(Unattached { leader, voted, election })
    }

    fn follower(&self, leader: BrokerId, voted: Option<ReplicaKey>, now: Monotonic) -> Role {
        Role::Follower(Follower {
            leader,
            voted,
            fetch: now + self.timing.fetch,
            fetched: false,
            appending: false,
            high_watermark: None,
            snapshot: None,
        })
    }

    fn send(&mut self, now: Monotonic, to: BrokerId, request: Request, out: &mut Vec<Effect>) {
        let call = self.peers.call(to, now + self.timing.request);
        out.push(Effect::Send { to, call, request });
    }

    fn on_no_response(&mut self, now: Monotonic, call: CallId) {
        if let Some(peer) = self.peers.answered(call) {
            self.peers.rest(peer, now + self.timing.retry_backoff);
        }
    }

    fn answer(&self, refusal: Option<event::Refusal>, body: Body) -> Answer {
        let leader = self.leader();
        let endpoints = leader.map_or_else(Vec::new, |leader| self.endpoints(leader).to_vec());
        Answer { refusal, epoch: self.epoch, leader, endpoints, body }
    }

    fn on_voters(&mut self, now: Monotonic, offset: Offset, voters: VoterSet, out: &mut Vec<Effect>) {
        self.voters.add(offset, voters);
        self.voters_changed(now, out);
    }

    fn leader_role(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            Role::Leader(leader) => Some(leader),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Follower(_) | Role::Resigned(_) => {
                None
            }
        }
    }

    fn follower_role(&mut self) -> Option<&mut Follower> {
        match &mut self.role {
            Role::Follower(follower) => Some(follower),
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Leader(_) | Role::Resigned(_) => {
                None
            }
        }
    }
}

impl Prospective {
    fn new(state: &State, now: Monotonic) -> Prospective {
        let Election { leader, voted, .. } = state.election();
        let leader = leader.filter(|leader| *leader != state.me.id);
        let ballots = Ballots::with_own(state.me.id, state.voters.last());
        Prospective { leader, voted, ballots, election: now + state.election_timeout() }
    }
}
