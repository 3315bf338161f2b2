//! A partition of groups under test: what is decided is written, read again, and known to a second machine as well.

use crate::group::consumer::{Answer, Beat, Command, Heartbeat, Looked, patterns};
use crate::group::groups::Groups;
use crate::group::{self, Change, Fault, GroupSettings, Record};
use crate::machine::{Decision, Machine, Now, Origin, Ticket};
use ottla_host::{Monotonic, WallClock};
use ottla_messages::records::metadata::{
    ConfigRecord, MetadataRecord, PartitionRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord,
};
use ottla_metadata::Image;
use ottla_wire::Uuid;
use std::sync::Arc;
use std::time::Duration;

/// The time that a scene begins at, in milliseconds.
const BEGIN_MS: i64 = 1_000_000;

/// A record as the log has it.
type Stored = (Vec<u8>, Option<Vec<u8>>);

/// A partition of groups, its log, and the time.
pub(super) struct Scene {
    pub(super) groups: Groups,
    pub(super) settings: Arc<GroupSettings>,
    image: Image,
    pub(super) now: Now,
    pub(super) log: Vec<Stored>,
    tickets: u64,
    /// Clients go before they have looked up their patterns.
    pub(super) loses_lookups: bool,
}

/// What came of a command.
pub(super) struct Came {
    pub(super) records: Vec<Record<'static>>,
    pub(super) answers: Vec<(Ticket, Result<group::Answer, Fault>)>,
}

/// The id of a topic in a scene: its name and its incarnation.
pub(super) fn topic_id(name: &str, incarnation: u8) -> Uuid {
    let mut id = [0; 16];
    id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    id[15] = incarnation;
    Uuid(id)
}

impl Scene {
    pub(super) fn new(settings: GroupSettings) -> Scene {
        let settings = Arc::new(settings);
        let now = Now { monotonic: Monotonic(1), wall: WallClock(BEGIN_MS) };
        let groups = Groups::new(Arc::clone(&settings), Arc::default());
        Scene { groups, settings, image: Image::default(), now, log: Vec::new(), tickets: 0, loses_lookups: false }
    }

    /// Asks; everything that is decided is known at once.
    pub(super) fn ask(&mut self, command: group::Command) -> Came {
        self.tickets += 1;
        let decision = self.groups.decide(command, Ticket(self.tickets), self.now);
        self.apply(decision)
    }

    fn apply(&mut self, decision: Decision<Groups>) -> Came {
        let mut records = Vec::new();
        for change in decision.changes {
            if let Some((key, value)) = self.groups.encode(&change).unwrap() {
                if let Change::Record(record) = &change {
                    let again = Record::decode(&key, value.as_deref()).unwrap();
                    assert_eq!(again.as_ref(), Some(record), "what is written is read again");
                    records.push(record.clone());
                }
                self.log.push((key, value));
            }
            self.groups.replay(change);
        }
        self.groups.check_consumer();
        Came { records, answers: decision.answers }
    }

    /// A heartbeat; patterns that it asks to look up are looked up at once.
    pub(super) fn beat(&mut self, heartbeat: Heartbeat) -> (Came, Result<Beat, Fault>) {
        let group = Arc::clone(&heartbeat.group);
        let mut came = self.ask(group::Command::Consumer(Command::Heartbeat(Box::new(heartbeat))));
        let beat = match came.answers.pop() {
            Some((_, Ok(group::Answer::Consumer(Answer::Heartbeat(beat))))) => Ok(*beat),
            Some((_, Err(fault))) => Err(fault),
            other => panic!("{other:?} is no answer to a heartbeat"),
        };
        if let Ok(beat) = &beat
            && let Some(unresolved) = beat.unresolved.clone().filter(|_| !self.loses_lookups)
        {
            let names = unresolved.image.topics().map(|topic| &topic.name);
            let topics = patterns::resolve(unresolved.patterns, names, |topic| !topic.starts_with("secret"));
            let looked = Looked { group, topics, version: 7, timestamp: self.now.wall.0 };
            let after = self.ask(group::Command::Consumer(Command::Resolved(Box::new(looked))));
            came.records.extend(after.records);
        }
        (came, beat)
    }

    /// Lets time pass; deadlines come one by one.
    pub(super) fn wait(&mut self, time: Duration) -> Vec<Record<'static>> {
        let until = self.now.monotonic + time;
        let mut records = Vec::new();
        while let Some(deadline) = self.groups.deadline().filter(|deadline| *deadline <= until) {
            self.go_to(deadline.max(self.now.monotonic));
            let command = self.groups.due(self.now).expect("a deadline that has come is due");
            records.extend(self.ask(command.clone()).records);
            assert_ne!(self.groups.due(self.now), Some(command), "a deadline that was decided is put off or ends");
        }
        self.go_to(until);
        records
    }

    fn go_to(&mut self, time: Monotonic) {
        let passed = time.since(self.now.monotonic);
        self.now.wall.0 += i64::try_from(passed.as_millis()).unwrap();
        self.now.monotonic = time;
    }

    /// The cluster changes.
    pub(super) fn change(&mut self, records: &[MetadataRecord<'_>]) {
        self.image.apply(records).unwrap();
        self.ask(group::Command::Image(Arc::new(self.image.clone())));
    }

    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    /// Creates a topic, or adds partitions to it; partitions lie on brokers 0 and 1 in turn.
    pub(super) fn topic(&mut self, name: &str, partitions: i32, incarnation: u8) {
        let id = topic_id(name, incarnation);
        let has = self.image.topic(name).map_or(0, |topic| topic.partitions.len() as i32);
        let mut records = Vec::new();
        if self.image.topic(name).is_none() {
            records.push(MetadataRecord::Topic(TopicRecord { name: name.to_owned().into(), topic_id: id }));
        }
        records.extend((has..partitions).map(|partition_id| {
            MetadataRecord::Partition(PartitionRecord {
                partition_id,
                topic_id: id,
                replicas: vec![partition_id % 2],
                isr: vec![partition_id % 2],
                leader: partition_id % 2,
                ..PartitionRecord::default()
            })
        }));
        self.change(&records);
    }

    /// Deletes a topic.
    pub(super) fn no_topic(&mut self, name: &str) {
        let id = self.image.topic(name).unwrap().id;
        self.change(&[MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: id })]);
    }

    /// Registers a broker in a rack.
    pub(super) fn broker(&mut self, id: i32, rack: &str) {
        self.change(&[MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker_id: id,
            rack: Some(rack.to_owned().into()),
            ..RegisterBrokerRecord::default()
        })]);
    }

    /// Sets a setting of a group.
    pub(super) fn config(&mut self, group: &str, name: &str, value: &str) {
        self.change(&[MetadataRecord::Config(ConfigRecord {
            resource_type: 32,
            resource_name: group.to_owned().into(),
            name: name.to_owned().into(),
            value: Some(value.to_owned().into()),
        })]);
    }

    /// Another leader reads the log up to `records` and takes over.
    pub(super) fn loaded(&self, records: usize) -> Groups {
        let mut groups = Groups::new(Arc::clone(&self.settings), Arc::new(self.image.clone()));
        for (key, value) in &self.log[..records] {
            groups.load(key, value.as_deref(), Origin::Plain).unwrap();
        }
        groups.check_consumer();
        groups
    }

    /// The coordinator fails over: another one reads the log and begins.
    pub(super) fn fail_over(&mut self) {
        self.groups = self.loaded(self.log.len());
        let begun = self.groups.begin(self.now);
        self.apply(begun);
    }
}

impl Scene {
    /// What was written says all that this leader has to hand on.
    pub(super) fn check_loading(&self) {
        let loaded = self.loaded(self.log.len());
        assert_eq!(loaded.written(), self.groups.written(), "another leader knows the same");
    }
}
