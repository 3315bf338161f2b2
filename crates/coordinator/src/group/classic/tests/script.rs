//! Stories as text: commands in, answers and changes out. `OTTLA_REWRITE_SCRIPTS=1` writes what comes out into the
//! scripts, to be reviewed as a diff.

use super::super::{
    Abilities, Answer, ClassicGroup, Command, Heartbeat, Identity, Join, Joined, Leave, Protocol, State, Sync, Timer,
};
use crate::group::command::{Client, Listing};
use crate::group::groups::Groups;
use crate::group::{self, Change, Fault, GroupSettings, Record};
use crate::machine::{Decision, Machine, Now, Origin, Ticket};
use ottla_host::{Monotonic, WallClock};
use ottla_messages::records::consumer_protocol::ConsumerProtocolSubscription;
use ottla_messages::records::group::GroupMetadataValue;
use ottla_metadata::Image;
use ottla_wire::{ApiVersion, Encoder};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const GROUP: &str = "g";

/// One command with its words: `verb name key=value … flag`.
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

    fn shared(&self, key: &str) -> Arc<str> {
        self.text(key).unwrap_or_default().into()
    }

    fn number(&self, key: &str) -> Option<i32> {
        self.text(key).map(|text| text.parse().unwrap_or_else(|_| panic!("{key}={text} in {}", self.verb)))
    }

    fn who(&self) -> Identity {
        Identity { member_id: self.shared("member"), instance_id: self.text("instance").map(Arc::from) }
    }

    /// `range:t1+t2,sticky:t1`: names, and what is said to each.
    fn protocols(&self) -> impl Iterator<Item = Protocol> {
        let pairs = self.text("protocols").unwrap_or("range:t").split(',').filter(|pair| !pair.is_empty());
        pairs.map(|pair| {
            let (name, topics) = pair.split_once(':').unwrap_or((pair, ""));
            Protocol { name: name.into(), metadata: subscription(topics) }
        })
    }
}

/// A subscription of a consumer to `t1+t2`; `?text` stands for bytes that are none.
fn subscription(topics: &str) -> Arc<[u8]> {
    if let Some(raw) = topics.strip_prefix('?') {
        return raw.as_bytes().into();
    }
    let topics = topics.split('+').map(|topic| topic.to_owned().into()).collect();
    let mut out = Encoder::new();
    out.i16(0);
    ConsumerProtocolSubscription { topics, ..Default::default() }.encode(&mut out, ApiVersion(0)).unwrap();
    out.into_parts().0.into()
}

fn told(metadata: &[u8]) -> String {
    let mut cursor = ottla_wire::Cursor::new(metadata);
    let parsed = cursor.i16().ok().and_then(|_| ConsumerProtocolSubscription::decode(&mut cursor, ApiVersion(0)).ok());
    parsed.map_or_else(|| String::from_utf8_lossy(metadata).into_owned(), |parsed| parsed.topics.join("+"))
}

/// A machine at a time.
struct Scene {
    machine: Groups,
    settings: GroupSettings,
    now: Now,
    asked: u64,
    fresh: u32,
    /// What the log holds: key, value.
    log: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Scene {
    fn new() -> Scene {
        let settings = GroupSettings::default();
        Scene {
            machine: Groups::new(Arc::new(settings.clone()), Arc::new(Image::default())),
            settings,
            now: Now { monotonic: Monotonic(1_000_000_000), wall: WallClock(1000) },
            asked: 0,
            fresh: 0,
            log: Vec::new(),
        }
    }

    fn run(&mut self, line: &str) -> String {
        let words = Words::parse(line);
        let mut out = String::new();
        let before = self.summary();
        match words.verb {
            "settings" => self.set(&words),
            "wait" => self.wait(&words, &mut out),
            "restart" => self.restart(&mut out),
            "describe" => self.ask(group::Command::DescribeClassic(vec![words.shared("group")]), &mut out),
            "list" => self.list(&words, &mut out),
            "delete" => self.ask(group::Command::Delete(GROUP.into()), &mut out),
            "commit" => self.commit(&words, &mut out),
            "subscribed" => {
                let is = self.group().is_some_and(|group| group.is_subscribed(words.text("to").unwrap()));
                writeln!(out, "{is}").unwrap();
            }
            _ => {
                let command = self.command(&words);
                self.ask(group::Command::Classic(command), &mut out);
            }
        }
        let after = self.summary();
        if before != after {
            out.push_str(&after);
        }
        out
    }

    fn set(&mut self, words: &Words<'_>) {
        let millis = |key| words.number(key).map(|ms| Duration::from_millis(u64::try_from(ms).unwrap()));
        if let Some(delay) = millis("delay") {
            self.settings.initial_rebalance_delay = delay;
        }
        if let Some(max) = words.number("max") {
            self.settings.classic_size_max = usize::try_from(max).unwrap();
        }
        self.machine = Groups::new(Arc::new(self.settings.clone()), Arc::new(Image::default()));
        self.log.iter().for_each(|(key, value)| self.machine.load(key, value.as_deref(), Origin::Plain).unwrap());
    }

    fn command(&mut self, words: &Words<'_>) -> Command {
        let (group, who) = (GROUP.into(), words.who());
        let generation = words.number("generation").or_else(|| self.group().map(ClassicGroup::generation)).unwrap_or(0);
        match words.verb {
            "join" => Command::Join(Box::new(self.join(words))),
            "sync" => {
                let pairs = words.text("give").unwrap_or_default().split(',').filter(|pair| !pair.is_empty());
                let pairs = pairs.map(|pair| pair.split_once(':').unwrap());
                Command::Sync(Box::new(Sync {
                    group,
                    who,
                    generation,
                    protocol_type: words.text("type").map(Arc::from),
                    protocol: words.text("protocol").map(Arc::from),
                    assignments: pairs.map(|(member, what)| (member.into(), what.as_bytes().into())).collect(),
                }))
            }
            "heartbeat" => Command::Heartbeat(Heartbeat { group, who, generation }),
            "leave" => {
                let one = |pair: &str| {
                    let (member, instance) = pair.split_once('/').map_or((pair, None), |(id, one)| (id, Some(one)));
                    let who = Identity { member_id: member.into(), instance_id: instance.map(Arc::from) };
                    (who, Arc::from("done"))
                };
                Command::Leave(Leave { group, members: words.text("members").unwrap().split(',').map(one).collect() })
            }
            other => panic!("{other} is no command"),
        }
    }

    fn join(&mut self, words: &Words<'_>) -> Join {
        let who = words.who();
        let name = who.instance_id.clone().unwrap_or_else(|| words.shared("client"));
        if who.member_id.is_empty() {
            self.fresh += 1;
        }
        Join {
            group: GROUP.into(),
            fresh_id: format!("{name}-{}", self.fresh).into(),
            who,
            client: Client { id: words.shared("client"), host: "/10.0.0.1".into() },
            session_timeout_ms: words.number("session").unwrap_or(10_000),
            rebalance_timeout_ms: words.number("rebalance").unwrap_or(60_000),
            protocol_type: words.text("type").unwrap_or("consumer").into(),
            protocols: words.protocols().collect(),
            reason: "".into(),
            abilities: Abilities { comes_again: words.has("again"), skips_assignment: words.has("skips") },
        }
    }

    fn ask(&mut self, command: group::Command, out: &mut String) {
        self.asked += 1;
        let ticket = Ticket(self.asked);
        let decision = self.machine.decide(command, ticket, self.now);
        self.follow(decision, out);
    }

    fn follow(&mut self, decision: Decision<Groups>, out: &mut String) {
        for change in decision.changes {
            self.tell(&change, out);
            if let Change::Record(record) = &change {
                self.log.push(record.encode().unwrap());
            }
            self.machine.replay(change);
        }
        for (ticket, answer) in decision.answers {
            let text = answer.as_ref().map_or_else(refused, answered);
            writeln!(out, "#{} {text}", ticket.0).unwrap();
        }
    }

    fn tell(&self, change: &Change, out: &mut String) {
        match change {
            Change::Record(Record::Classic(key, Some(value))) => writeln!(out, "write {} {}", key.group, record(value)),
            Change::Record(Record::Classic(key, None)) => writeln!(out, "take back {}", key.group),
            Change::Timer(group::Timer::Classic(_, timer), deadline) => {
                let name = match timer {
                    Timer::Session(id) => format!("session of {id}"),
                    Timer::Join => "join".to_owned(),
                    Timer::Sync => "sync".to_owned(),
                };
                match deadline {
                    Some(deadline) => writeln!(out, "deadline {name} in {:?}", deadline.since(self.now.monotonic)),
                    None => Ok(()),
                }
            }
            Change::Record(_) | Change::Classic(..) | Change::Consumer(..) | Change::Image(_) | Change::Timer(..) => {
                Ok(())
            }
        }
        .unwrap();
    }

    /// Passes time; deadlines come when they are due.
    fn wait(&mut self, words: &Words<'_>, out: &mut String) {
        let ms = u64::try_from(words.number("ms").unwrap()).unwrap();
        let end = self.now.monotonic + Duration::from_millis(ms);
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= end) {
            self.pass(deadline.max(self.now.monotonic));
            while let Some(command) = self.machine.due(self.now) {
                let decision = self.machine.decide(command, Ticket::NOBODY, self.now);
                self.follow(decision, out);
            }
        }
        self.pass(end);
    }

    fn pass(&mut self, to: Monotonic) {
        let passed = to.since(self.now.monotonic);
        self.now = Now { monotonic: to, wall: WallClock(self.now.wall.0 + i64::try_from(passed.as_millis()).unwrap()) };
    }

    /// Another leader takes over with what the log holds.
    fn restart(&mut self, out: &mut String) {
        self.machine = Groups::new(Arc::new(self.settings.clone()), Arc::new(Image::default()));
        for (key, value) in &self.log {
            self.machine.load(key, value.as_deref(), Origin::Plain).unwrap();
        }
        let decision = self.machine.begin(self.now);
        self.follow(decision, out);
    }

    fn list(&mut self, words: &Words<'_>, out: &mut String) {
        let set = |key| words.text(key).unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let states = set("states").map(str::to_owned).collect();
        let types = set("types").map(str::to_owned).collect();
        self.ask(group::Command::List { states, types }, out);
    }

    fn commit(&self, words: &Words<'_>, out: &mut String) {
        let generation = words.number("generation").unwrap_or(-1);
        let group = self.group().unwrap();
        let valid = group.validate_commit(&words.who(), generation, words.has("transactional"));
        writeln!(out, "{}", valid.as_ref().map_or_else(refused, |()| "valid".to_owned())).unwrap();
    }

    fn group(&self) -> Option<&ClassicGroup> {
        self.machine.classic(GROUP)
    }

    fn summary(&self) -> String {
        let Some(group) = self.group() else { return "no group\n".to_owned() };
        let mut out = format!("{} generation {}", group.state().name(), group.generation());
        if matches!(group.state(), State::Completing | State::Stable) {
            write!(out, " {} led by {}", group.protocol().unwrap(), group.leader().unwrap()).unwrap();
        }
        for member in group.members() {
            let mark = match (member.is_joining(), member.syncing.is_some()) {
                (true, _) => " joins",
                (_, true) => " waits",
                (false, false) => "",
            };
            write!(out, ", {}{mark}", member.id).unwrap();
        }
        for id in &group.pending {
            write!(out, ", {id} announced").unwrap();
        }
        out.push('\n');
        out
    }
}

fn refused(fault: &Fault) -> String {
    let code = fault.code();
    match fault {
        Fault::MemberIdRequired(id) => format!("{code:?} {id}"),
        fault => format!("{code:?}: {fault}"),
    }
}

fn answered(answer: &group::Answer) -> String {
    match answer {
        group::Answer::Classic(Answer::Joined(joined)) => joined_text(joined),
        group::Answer::Classic(Answer::Synced(synced)) => {
            let (kind, protocol) = (synced.protocol_type.as_deref(), synced.protocol.as_deref());
            let assignment = String::from_utf8_lossy(&synced.assignment);
            format!("gets {assignment:?} by {} of {}", protocol.unwrap_or("-"), kind.unwrap_or("-"))
        }
        group::Answer::Classic(Answer::Heard) => "heard".to_owned(),
        group::Answer::Classic(Answer::Left(left)) => {
            let outcomes = left.members.iter();
            let outcomes: Vec<_> =
                outcomes.map(|one| one.outcome.as_ref().map_or_else(refused, |()| "left".to_owned())).collect();
            outcomes.join(", ")
        }
        group::Answer::DescribedClassic(descriptions) => match &descriptions[0] {
            Err(fault) => refused(fault),
            Ok(group) => {
                let mut out = format!("{} {:?} {:?}", group.state, &*group.protocol_type, &*group.protocol);
                for member in &group.members {
                    let (said, has) = (told(&member.metadata), String::from_utf8_lossy(&member.assignment));
                    let from = format!("{}{}", member.client.id, member.client.host);
                    write!(out, ", {} from {from} said {said:?} has {has:?}", member.id).unwrap();
                }
                out
            }
        },
        group::Answer::Listed(listings) => listings.iter().map(listing).collect::<Vec<_>>().join(", "),
        group::Answer::Done => "done".to_owned(),
        group::Answer::Consumer(_)
        | group::Answer::Offsets(_)
        | group::Answer::DescribedConsumer(_)
        | group::Answer::Surveyed(_) => panic!("no answer of a classic group"),
    }
}

fn listing(one: &Listing) -> String {
    format!("{} {:?} {} {}", one.group, &*one.protocol_type, one.state, one.kind)
}

fn joined_text(joined: &Joined) -> String {
    let mut out = format!("{} joined generation {}", joined.member_id, joined.generation);
    write!(out, " {} led by {}", joined.protocol.as_deref().unwrap_or("-"), joined.leader).unwrap();
    if joined.skip_assignment {
        out.push_str(" as it is assigned");
    }
    for member in &joined.members {
        let instance = member.instance_id.as_ref().map(|instance| format!("/{instance}")).unwrap_or_default();
        write!(out, ", {}{instance} says {}", member.member_id, told(&member.metadata)).unwrap();
    }
    out
}

fn record(value: &GroupMetadataValue<'_>) -> String {
    let mut out = format!("{:?} generation {}", value.protocol_type, value.generation);
    write!(out, " {} led by {}", value.protocol.as_deref().unwrap_or("-"), value.leader.as_deref().unwrap_or("-"))
        .unwrap();
    write!(out, " at {}", value.current_state_timestamp).unwrap();
    for member in &value.members {
        let assignment = String::from_utf8_lossy(&member.assignment);
        write!(out, ", {} says {} has {assignment:?}", member.member_id, told(&member.subscription)).unwrap();
    }
    out
}

fn play(script: &str) -> String {
    let mut scene = Scene::new();
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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/group/classic/scripts").join(name);
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
    first_rebalance
    initial_delay
    member_id_required
    protocol_vote
    rejoin
    static_members
    sync
    sessions
    rebalance_timeouts
    leave
    group_size
    loading
    commits
    show
}
