//! Stories as text: commands in, effects out. `OTTLA_REWRITE_SCRIPTS=1` writes what comes out into the scripts, to be
//! reviewed as a diff.

use crate::state::event::{Answer, Body, Effect, Election, Event, Found, Refusal, Request, RequestToken};
use crate::state::facts::LogFacts;
use crate::state::ids::{Endpoint, OffsetAndEpoch, ReplicaKey, Voter, VoterHistory, VoterSet};
use crate::state::peers::Timing;
use crate::state::role::Role;
use crate::state::{CallId, Start, State};
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// One command with its words: `verb key=value … flag`.
struct Words<'a> {
    verb: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn parse(line: &'a str) -> Words<'a> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let values = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        Words { verb, values }
    }

    fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.values.get(key).copied()
    }

    fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).map(|text| text.parse().unwrap_or_else(|_| panic!("{key}={text} in {}", self.verb)))
    }

    fn need<T: FromStr>(&self, key: &str) -> T {
        self.number(key).unwrap_or_else(|| panic!("{} needs {key}", self.verb))
    }

    fn node(&self, key: &str) -> Option<BrokerId> {
        self.number(key).map(BrokerId)
    }

    fn epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.need("epoch"))
    }

    fn offset(&self, key: &str) -> Offset {
        Offset(self.need(key))
    }

    fn place(&self, key: &str) -> OffsetAndEpoch {
        place(self.text(key).unwrap_or_else(|| panic!("{} needs {key}", self.verb)))
    }

    fn nodes(&self, key: &str) -> Vec<ReplicaKey> {
        self.text(key).map(|text| text.split(',').filter(|id| !id.is_empty()).map(key_of).collect()).unwrap_or_default()
    }

    fn epochs(&self) -> Vec<(LeaderEpoch, Offset)> {
        let pairs = self.text("epochs").unwrap_or_default().split(',').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (epoch, start) = pair.split_once(':').unwrap();
                (LeaderEpoch(epoch.parse().unwrap()), Offset(start.parse().unwrap()))
            })
            .collect()
    }
}

/// `7@2`: offset 7 in epoch 2.
fn place(text: &str) -> OffsetAndEpoch {
    let (offset, epoch) = text.split_once('@').unwrap_or_else(|| panic!("{text} is no place"));
    OffsetAndEpoch { epoch: LeaderEpoch(epoch.parse().unwrap()), offset: Offset(offset.parse().unwrap()) }
}

/// `2`, or `2a` for the node 2 with another disk.
fn key_of(text: &str) -> ReplicaKey {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let id: i32 = digits.parse().unwrap_or_else(|_| panic!("{text} is no replica"));
    let disk = text.as_bytes()[digits.len()..].first().copied().unwrap_or(b'0');
    let mut directory = [disk; 16];
    directory[15] = id as u8;
    ReplicaKey::new(BrokerId(id), ottla_wire::Uuid(directory))
}

fn key_text(key: ReplicaKey) -> String {
    match key.directory.map(|directory| directory.0[0]) {
        Some(b'0') => key.id.to_string(),
        Some(disk) => format!("{}{}", key.id, disk as char),
        None => format!("{}?", key.id),
    }
}

fn voter(key: ReplicaKey) -> Voter {
    let endpoint = Endpoint { listener: "CONTROLLER".into(), host: format!("host{}", key.id), port: 9093 };
    Voter { key, endpoints: vec![endpoint], kraft_versions: (0, 1) }
}

fn voters(keys: Vec<ReplicaKey>) -> VoterSet {
    VoterSet::new(keys.into_iter().map(voter))
}

/// A replica under a script.
#[derive(Default)]
struct Scene {
    state: Option<State>,
    now: Monotonic,
    tokens: u64,
}

impl Scene {
    fn run(&mut self, line: &str) -> String {
        let words = Words::parse(line);
        let mut out = Vec::new();
        match words.verb {
            "start" => self.state = Some(start(&words, self.now, &mut out)),
            "state" => return self.describe(),
            "jitter" => self.state.as_mut().unwrap().set_jitter(words.need("thousandths")),
            "wait" => {
                self.now = self.now + Duration::from_millis(words.need("ms"));
                self.step(Event::Tick, &mut out);
            }
            _ => {
                let event = self.event(&words);
                self.step(event, &mut out);
            }
        }
        out.iter().map(|effect| effect_text(effect) + "\n").collect()
    }

    fn step(&mut self, event: Event, out: &mut Vec<Effect>) {
        let state = self.state.as_mut().expect("a script begins with start");
        state.step(self.now, event, out);
    }

    fn event(&mut self, words: &Words<'_>) -> Event {
        match words.verb {
            "vote" | "begin" | "end" | "fetch" | "fetch-snapshot" => {
                self.tokens += 1;
                Event::Request { token: RequestToken(self.tokens), request: request(words) }
            }
            "answer" => Event::Response { call: CallId(words.need("call")), answer: answer(words) },
            "no-response" => Event::NoResponse { call: CallId(words.need("call")) },
            "written" => Event::Written { end: words.offset("end") },
            "flushed" => Event::Flushed { end: words.offset("end") },
            "appended" => Event::Appended { end: words.offset("end"), epochs: words.epochs() },
            "voters" => Event::VotersWritten { offset: words.offset("offset"), voters: voters(words.nodes("are")) },
            "snapshot-taken" => Event::SnapshotTaken { snapshot: words.place("id") },
            "cleaned" => Event::Cleaned { start: words.offset("start") },
            "resign" => Event::Resign,
            "stop" => Event::Stop,
            other => panic!("unknown command {other}"),
        }
    }

    fn describe(&self) -> String {
        let state = self.state.as_ref().unwrap();
        let role = match state.role() {
            Role::Unattached(_) => "unattached".to_owned(),
            Role::Prospective(role) => {
                format!("prospective with {} of {}", role.ballots.granted.len(), role.ballots.voters)
            }
            Role::Candidate(role) => {
                format!("candidate with {} of {}", role.ballots.granted.len(), role.ballots.voters)
            }
            Role::Follower(role) => format!("follower of {}", role.leader),
            Role::Leader(role) => format!("leader from {}", role.epoch_start),
            Role::Resigned(_) => "resigned".to_owned(),
        };
        let committed = state.committed().map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        let deadline =
            state.deadline(self.now).map_or_else(|| "-".to_owned(), |at| (at - self.now).as_millis().to_string());
        let last = state.log().last();
        format!(
            "{role}, epoch {}, log ends {last}, committed {committed}, next deadline in {deadline} ms\n",
            state.epoch()
        )
    }
}

fn start(words: &Words<'_>, now: Monotonic, out: &mut Vec<Effect>) -> State {
    let election = words.has("epoch").then(|| Election {
        epoch: words.epoch(),
        leader: words.node("leader"),
        voted: words.nodes("voted").first().copied(),
    });
    let log = LogFacts {
        start: Offset(words.number("log-start").unwrap_or(0)),
        end: Offset(words.number("log-end").unwrap_or(0)),
        epochs: words.epochs(),
        snapshots: words
            .text("snapshots")
            .unwrap_or_default()
            .split(',')
            .filter(|id| !id.is_empty())
            .map(place)
            .collect(),
    };
    let start = Start {
        me: words.nodes("id")[0],
        timing: Timing::default(),
        election,
        log,
        voters: VoterHistory::new(voters(words.nodes("voters"))),
        bootstrap: words.nodes("bootstrap").iter().map(|key| key.id).collect(),
        jitter: 0,
    };
    State::start(start, now, out)
}

fn request(words: &Words<'_>) -> Request {
    let from = words.nodes("from")[0];
    let epoch = words.epoch();
    let voter = words.nodes("for").first().copied();
    let endpoints = if words.has("told") { voter_endpoints(from) } else { Vec::new() };
    match words.verb {
        "vote" => {
            Request::Vote { candidate: from, epoch, voter, last: words.place("last"), pre_vote: words.has("pre") }
        }
        "begin" => Request::BeginEpoch { leader: from.id, epoch, voter, endpoints },
        "end" => Request::EndEpoch { leader: from.id, epoch, successors: words.nodes("successors"), endpoints },
        "fetch" => Request::Fetch {
            replica: from,
            epoch,
            from: words.place("at"),
            high_watermark: words.number("hw").map(Offset),
            max_wait: Duration::from_millis(words.number("wait").unwrap_or(0)),
        },
        _ => Request::FetchSnapshot {
            replica: from,
            epoch,
            snapshot: words.place("id"),
            position: words.number("position").unwrap_or(0),
        },
    }
}

fn voter_endpoints(key: ReplicaKey) -> Vec<Endpoint> {
    voter(key).endpoints
}

fn answer(words: &Words<'_>) -> Answer {
    let high_watermark = words.number("hw").map(Offset);
    let fetch = |found| Body::Fetch { high_watermark, found };
    let body = if words.has("granted") || words.has("rejected") {
        Body::Vote { granted: words.has("granted") }
    } else if words.has("begun") {
        Body::BeginEpoch
    } else if words.has("ended") {
        Body::EndEpoch
    } else if let Some(at) = words.text("diverging") {
        fetch(Found::Diverging(place(at)))
    } else if let Some(id) = words.text("snapshot") {
        fetch(Found::Snapshot(place(id)))
    } else if let Some(id) = words.text("piece") {
        let number = |key| words.number(key).unwrap_or(0);
        Body::FetchSnapshot {
            snapshot: place(id),
            position: number("position"),
            length: number("length"),
            size: number("size"),
        }
    } else {
        fetch(Found::Records { from: Offset(words.number("records").unwrap_or(0)) })
    };
    let refusal = words.text("refusal").map(|name| match name {
        "fenced" => Refusal::FencedEpoch,
        "unknown-epoch" => Refusal::UnknownEpoch,
        "not-leader" => Refusal::NotLeader,
        "invalid" => Refusal::InvalidRequest,
        "unavailable" => Refusal::NotAvailable,
        "unsupported" => Refusal::UnsupportedVersion,
        "no-snapshot" => Refusal::SnapshotNotFound,
        other => panic!("unknown refusal {other}"),
    });
    let endpoints = words.nodes("told").first().map_or_else(Vec::new, |key| voter_endpoints(*key));
    Answer { refusal, epoch: words.epoch(), leader: words.node("leader"), endpoints, body }
}

fn some(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Persist(Election { epoch, leader, voted }) => {
            format!("persist epoch {epoch} leader {} voted {}", some(*leader), some(voted.map(key_text)))
        }
        Effect::Send { to, call, request } => format!("call {}: to {to} {}", call.0, request_text(request)),
        Effect::Answer { token, answer } => format!("answer {}: {}", token.0, answer_text(answer)),
        Effect::AppendEpochStart { epoch, voters, granting } => {
            format!("append start of epoch {epoch} voters {voters:?} granting {granting:?}")
        }
        Effect::AppendFetched { call } => format!("append what call {} brought", call.0),
        Effect::Flush => "flush".to_owned(),
        Effect::Truncate { to } => format!("truncate to {to}"),
        Effect::StoreSnapshotPiece { call, snapshot, position } => {
            format!("store what call {} brought of snapshot {snapshot} at {position}", call.0)
        }
        Effect::AdoptSnapshot { snapshot } => format!("adopt snapshot {snapshot}"),
        Effect::Commit { end } => format!("commit to {end}"),
        Effect::Leadership(leadership) => {
            format!("leader is {} in epoch {}", some(leadership.leader), leadership.epoch)
        }
        Effect::Fatal(breach) => format!("FATAL {breach}"),
    }
}

fn request_text(request: &Request) -> String {
    match request {
        Request::Vote { epoch, last, pre_vote, .. } => {
            format!("{} epoch {epoch} log ends {last}", if *pre_vote { "pre-vote" } else { "vote" })
        }
        Request::BeginEpoch { epoch, .. } => format!("begin epoch {epoch}"),
        Request::EndEpoch { epoch, successors, .. } => {
            let successors: Vec<String> = successors.iter().copied().map(key_text).collect();
            format!("end epoch {epoch} successors {}", successors.join(","))
        }
        Request::Fetch { epoch, from, high_watermark, .. } => {
            format!("fetch epoch {epoch} from {from} committed {}", some(*high_watermark))
        }
        Request::FetchSnapshot { epoch, snapshot, position, .. } => {
            format!("fetch snapshot {snapshot} epoch {epoch} position {position}")
        }
    }
}

fn answer_text(answer: &Answer) -> String {
    let mut text = match &answer.body {
        Body::Vote { granted } => if *granted { "granted" } else { "not granted" }.to_owned(),
        Body::BeginEpoch => "begun".to_owned(),
        Body::EndEpoch => "ended".to_owned(),
        Body::Fetch { found: Found::Records { from }, high_watermark } => {
            format!("records from {from} committed {}", some(*high_watermark))
        }
        Body::Fetch { found: Found::Diverging(at), .. } => format!("diverging at {at}"),
        Body::Fetch { found: Found::Snapshot(id), .. } => format!("fetch snapshot {id}"),
        Body::FetchSnapshot { snapshot, position, .. } => format!("snapshot {snapshot} from {position}"),
    };
    if let Some(refusal) = answer.refusal {
        text = format!("{refusal:?}");
    }
    let _ = write!(text, " (epoch {} leader {})", answer.epoch, some(answer.leader));
    text
}

/// Runs a script; answers it with what came out.
fn play(script: &str) -> String {
    let mut scene = Scene::default();
    let mut played = String::new();
    let mut skipping = false;
    for line in script.lines() {
        if skipping {
            skipping = !line.is_empty();
        }
        if skipping {
            continue;
        }
        played.push_str(line);
        played.push('\n');
        if !line.is_empty() && !line.starts_with('#') {
            played.push_str("----\n");
            played.push_str(&scene.run(line));
            skipping = true;
        }
    }
    played
}

/// A command without its outcome is followed by an empty line; the outcome ends at the next one.
#[expect(clippy::disallowed_methods, reason = "scripts are part of the source, not of a node's disk")]
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/state/scripts").join(name);
    let script = std::fs::read_to_string(&path).unwrap();
    let played = play(&script);
    if std::env::var_os("OTTLA_REWRITE_SCRIPTS").is_some() {
        std::fs::write(&path, played).unwrap();
        return;
    }
    for (at, (expected, found)) in script.lines().zip(played.lines()).enumerate() {
        assert_eq!(expected, found, "{name}:{}", at + 1);
    }
    assert_eq!(script, played, "{name}");
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"));
        }
    )*};
}

scripts! {
    election_of_one
    election_of_three
    split_votes
    pre_vote
    votes_are_durable
    old_epochs_are_fenced
    divergence
    high_watermark
    resignation
    partitioned_leader
    snapshot_fetch
    dynamic_voters
    observer
}
