//! Offsets against a model that knows the offset of every record, with a replay of the log after every step.

use super::{Answer, Command, Commit, CommitPartition, CommitTopic, Delete, Fetch, FetchTopic};
use crate::group::classic::Identity;
use crate::group::{self, Fault, GroupSettings, Groups, Record};
use crate::machine::{Machine, Now, Origin, Ticket};
use ottla_host::{Monotonic, WallClock};
use ottla_messages::records::group::{OffsetCommitKey, OffsetCommitValue};
use ottla_messages::records::metadata::{MetadataRecord, PartitionRecord, TopicRecord};
use ottla_metadata::Image;
use ottla_wire::Uuid;
use ottla_wire::ids::{ProducerEpoch, ProducerId};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const TOPICS: [&str; 3] = ["ant", "bee", "cow"];

fn image(topics: &[(&str, u8)]) -> Arc<Image> {
    let mut image = Image::default();
    let all = topics.iter().chain(&[("__consumer_offsets", 99)]);
    for (name, id) in all {
        let topic_id = Uuid([*id; 16]);
        let topic = TopicRecord { name: (*name).to_owned().into(), topic_id };
        let partition = PartitionRecord { topic_id, replicas: vec![1], isr: vec![1], leader: 1, ..Default::default() };
        image.apply(&[MetadataRecord::Topic(topic), MetadataRecord::Partition(partition)]).expect("records fit");
    }
    Arc::new(image)
}

/// What the log holds.
#[derive(Clone)]
enum Entry {
    Record(Vec<u8>, Option<Vec<u8>>, Origin),
    Marker(ProducerId, bool),
}

/// A machine, its log, and a clock.
struct Desk {
    groups: Groups,
    log: Vec<Entry>,
    now: Now,
    image: Arc<Image>,
}

impl Desk {
    fn new() -> Desk {
        let image = image(&[("ant", 1), ("bee", 2), ("cow", 3)]);
        let groups = Groups::new(Arc::new(GroupSettings::default()), image.clone());
        let now = Now { monotonic: Monotonic(0), wall: WallClock(1_000_000) };
        Desk { groups, log: Vec::new(), now, image }
    }

    fn ask(&mut self, command: group::Command) -> Result<group::Answer, Fault> {
        let decision = self.groups.decide(command, Ticket(1), self.now);
        for change in decision.changes {
            if let Some((key, value)) = self.groups.encode(&change).expect("a record") {
                self.log.push(Entry::Record(key, value, Origin::Plain));
            }
            self.groups.replay(change);
        }
        decision.answers.into_iter().map(|(_, answer)| answer).next().unwrap_or(Ok(group::Answer::Done))
    }

    fn offsets(&mut self, command: Command) -> Result<Answer, Fault> {
        match self.ask(group::Command::Offsets(command))? {
            group::Answer::Offsets(answer) => Ok(answer),
            other => panic!("{other:?} is no answer about offsets"),
        }
    }

    fn load(&mut self, entry: Entry) {
        load(&mut self.groups, &entry);
        self.log.push(entry);
    }

    /// The machine as another leader would have it.
    fn reloaded(&self) -> Groups {
        let mut groups = Groups::new(Arc::new(GroupSettings::default()), self.image.clone());
        self.log.iter().for_each(|entry| load(&mut groups, entry));
        groups
    }

    fn commit(&mut self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<Answer, Fault> {
        let id = self.image.topic(topic).map_or(Uuid::ZERO, |topic| topic.id);
        let partitions = vec![CommitPartition { index: partition, offset, leader_epoch: -1, metadata: "m".to_owned() }];
        self.offsets(Command::Commit(Box::new(Commit {
            group: group.into(),
            epoch: -1,
            topics: vec![CommitTopic { name: topic.into(), id, partitions }],
            ..Commit::default()
        })))
    }

    fn fetch(&mut self, group: &str, topic: &str, partition: i32) -> (i64, bool) {
        let topics = vec![FetchTopic { name: topic.into(), id: Uuid::ZERO, partitions: vec![partition] }];
        let fetch = Fetch { group: group.into(), epoch: -1, topics: Some(topics), require_stable: true, member: None };
        match self.offsets(Command::Fetch(Box::new(fetch))) {
            Ok(Answer::Fetched(topics)) => {
                let fetched = &topics[0].partitions[0];
                (fetched.offset, fetched.fault.is_some())
            }
            other => panic!("{other:?} is no answer to a fetch"),
        }
    }

    fn turn_to(&mut self, topics: &[(&str, u8)]) {
        self.image = image(topics);
        self.ask(group::Command::Image(self.image.clone())).expect("an image is taken");
        self.pass(Duration::from_secs(1));
    }

    fn pass(&mut self, time: Duration) {
        self.now.monotonic = self.now.monotonic + time;
        self.now.wall = WallClock(self.now.wall.0 + time.as_millis() as i64);
        while let Some(command) = self.groups.due(self.now) {
            self.ask(command).expect("a deadline is decided");
        }
    }
}

fn load(groups: &mut Groups, entry: &Entry) {
    match entry {
        Entry::Record(key, value, origin) => groups.load(key, value.as_deref(), *origin).expect("it was written so"),
        Entry::Marker(producer, committed) => groups.end_transaction(*producer, *committed),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit(u8, usize, i32, i64),
    Offer(i64, u8, usize, i32, i64),
    End(i64, bool),
    Delete(u8, usize, i32),
    DropGroup(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..3_u8, 0..TOPICS.len(), 0..2_i32);
    prop_oneof![
        4 => (place(), 0..1000_i64).prop_map(|((g, t, p), offset)| Step::Commit(g, t, p, offset)),
        4 => (1..4_i64, place(), 0..1000_i64).prop_map(|(id, (g, t, p), offset)| Step::Offer(id, g, t, p, offset)),
        3 => (1..4_i64, any::<bool>()).prop_map(|(id, committed)| Step::End(id, committed)),
        1 => place().prop_map(|(g, t, p)| Step::Delete(g, t, p)),
        1 => (0..3_u8).prop_map(Step::DropGroup),
    ]
}

type Place = (u8, usize, i32);

/// As Kafka keeps them: each offset with that of its record.
#[derive(Default)]
struct Model {
    committed: BTreeMap<Place, (i64, i64)>,
    offered: BTreeMap<i64, BTreeMap<Place, (i64, i64)>>,
    next: i64,
}

impl Model {
    fn take(&mut self, step: &Step) {
        self.next += 1;
        match *step {
            Step::Commit(g, t, p, offset) => drop(self.committed.insert((g, t, p), (self.next, offset))),
            Step::Offer(id, g, t, p, offset) => {
                self.offered.entry(id).or_default().insert((g, t, p), (self.next, offset));
            }
            Step::End(id, committed) => {
                for (place, offer) in self.offered.remove(&id).unwrap_or_default() {
                    let before = self.committed.get(&place);
                    if committed && before.is_none_or(|before| before.0 < offer.0) {
                        self.committed.insert(place, offer);
                    }
                }
            }
            Step::Delete(g, t, p) => self.forget(|place| *place == (g, t, p)),
            Step::DropGroup(group) => self.forget(|place| place.0 == group),
        }
    }

    fn forget(&mut self, which: impl Fn(&Place) -> bool) {
        self.committed.retain(|place, _| !which(place));
        self.offered.values_mut().for_each(|offers| offers.retain(|place, _| !which(place)));
    }

    fn open(&self) -> BTreeSet<Place> {
        self.offered.values().flat_map(BTreeMap::keys).copied().collect()
    }
}

fn take(desk: &mut Desk, step: &Step) {
    let name = |group: u8| format!("group {group}");
    match *step {
        Step::Commit(g, t, p, offset) => drop(desk.commit(&name(g), TOPICS[t], p, offset).expect("a commit")),
        Step::Offer(id, g, t, p, offset) => {
            let key = OffsetCommitKey { group: name(g).into(), topic: TOPICS[t].into(), partition: p };
            let value = OffsetCommitValue { offset, topic_id: Uuid([t as u8 + 1; 16]), ..Default::default() };
            let (key, value) = Record::Offset(key, Some(value)).encode().expect("a record");
            desk.load(Entry::Record(key, value, Origin::Transaction(ProducerId(id), ProducerEpoch(0))));
        }
        Step::End(id, committed) => desk.load(Entry::Marker(ProducerId(id), committed)),
        Step::Delete(g, t, p) => {
            let delete = Delete { group: name(g).into(), topics: vec![(TOPICS[t].into(), vec![p])] };
            match desk.offsets(Command::Delete(Box::new(delete))) {
                Ok(_) | Err(Fault::GroupNotFound(_)) => {}
                Err(fault) => panic!("{fault}"),
            }
        }
        Step::DropGroup(group) => match desk.ask(group::Command::Delete(name(group).into())) {
            Ok(_) | Err(Fault::GroupNotFound(_)) => {}
            Err(fault) => panic!("{fault}"),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn offsets_are_what_the_log_says(steps in prop::collection::vec(step(), 1..60)) {
        let (mut desk, mut model) = (Desk::new(), Model::default());
        for step in &steps {
            take(&mut desk, step);
            model.take(step);
            let open = model.open();
            for place @ (group, topic, partition) in (0..3_u8).flat_map(|g| {
                (0..TOPICS.len()).flat_map(move |t| (0..2_i32).map(move |p| (g, t, p)))
            }) {
                let fetched = desk.fetch(&format!("group {group}"), TOPICS[topic], partition);
                let expected = match model.committed.get(&place) {
                    _ if open.contains(&place) => (-1, true),
                    Some((_, offset)) => (*offset, false),
                    None => (-1, false),
                };
                prop_assert_eq!(fetched, expected, "{:?} after {:?}", place, step);
            }
            prop_assert!(desk.reloaded().offsets() == desk.groups.offsets(), "another leader knows the same");
        }
    }
}

#[test]
fn who_is_no_member_commits_to_a_group_without_members_only() {
    let mut desk = Desk::new();
    let commit = |epoch: i32, knows_epochs: bool, member: &str| {
        Command::Commit(Box::new(Commit {
            group: "g".into(),
            who: Identity { member_id: member.into(), instance_id: None },
            epoch,
            knows_epochs,
            topics: vec![CommitTopic { name: "ant".into(), id: Uuid([1; 16]), partitions: vec![Default::default()] }],
            ..Commit::default()
        }))
    };
    assert_eq!(desk.offsets(commit(3, true, "m")), Err(Fault::GroupNotFound("g".into())));
    assert!(matches!(desk.offsets(commit(3, false, "m")), Err(Fault::IllegalGeneration { .. })));
    assert!(desk.offsets(commit(-1, true, "")).is_ok());
    assert!(matches!(desk.offsets(commit(3, true, "m")), Err(Fault::UnknownMember(_))));
}

#[test]
fn long_metadata_is_refused_for_its_partition_alone() {
    let mut desk = Desk::new();
    let partition = |index: i32, length: usize| CommitPartition {
        index,
        offset: 5,
        leader_epoch: -1,
        metadata: "é".repeat(length),
    };
    let topic =
        CommitTopic { name: "ant".into(), id: Uuid([1; 16]), partitions: vec![partition(0, 4097), partition(1, 4096)] };
    let commit = Commit { group: "g".into(), epoch: -1, topics: vec![topic], ..Commit::default() };
    let answer = desk.offsets(Command::Commit(Box::new(commit)));
    let outcomes = vec![(0, Err(Fault::OffsetMetadataTooLarge)), (1, Ok(()))];
    assert_eq!(answer, Ok(Answer::Committed(vec![outcomes])));
    assert_eq!(desk.fetch("g", "ant", 1), (5, false));
    assert_eq!(desk.fetch("g", "ant", 0), (-1, false));
}

#[test]
fn old_offsets_go_and_their_group_after_them() {
    let mut desk = Desk::new();
    let begun = desk.groups.begin(desk.now);
    begun.changes.into_iter().for_each(|change| desk.groups.replay(change));
    desk.commit("g", "ant", 0, 5).expect("a commit");
    desk.pass(Duration::from_secs(6 * 24 * 3600));
    desk.commit("g", "ant", 1, 6).expect("a commit");
    desk.pass(Duration::from_secs(24 * 3600 + 600));
    assert_eq!(desk.fetch("g", "ant", 0), (-1, false));
    assert_eq!(desk.fetch("g", "ant", 1), (6, false));
    desk.pass(Duration::from_secs(6 * 24 * 3600 + 600));
    assert_eq!(desk.fetch("g", "ant", 1), (-1, false));
    assert_eq!(desk.ask(group::Command::Delete("g".into())), Err(Fault::GroupNotFound("g".into())));
    assert_eq!(desk.reloaded().offsets().count(), 0);
}

#[test]
fn a_look_for_old_offsets_goes_on_once_others_had_their_turn() {
    let mut desk = Desk::new();
    for number in 0..2500 {
        desk.commit(&format!("group-{number:04}"), "ant", 0, 7).expect("a commit");
    }
    let begun = desk.groups.begin(desk.now);
    begun.changes.into_iter().for_each(|change| desk.groups.replay(change));
    desk.now.wall.0 += 8 * 24 * 3600 * 1000;
    desk.now.monotonic = desk.now.monotonic + Duration::from_secs(600);
    while desk.groups.offsets().count() > 0 {
        let (command, before) = (desk.groups.due(desk.now).expect("a look is due"), desk.groups.offsets().count());
        desk.ask(command).expect("a deadline is decided");
        assert!((1..=1000).contains(&(before - desk.groups.offsets().count())), "a look is bounded");
        assert_eq!(desk.groups.due(desk.now), None, "the next look comes later");
        desk.now.monotonic = desk.now.monotonic + Duration::from_millis(1);
    }
}

#[test]
fn offsets_go_with_their_topic_and_do_not_come_back_with_its_name() {
    let mut desk = Desk::new();
    desk.commit("g", "ant", 0, 5).expect("a commit");
    desk.commit("g", "bee", 0, 6).expect("a commit");
    desk.turn_to(&[("bee", 2)]);
    assert_eq!(desk.groups.offsets().count(), 1);
    desk.turn_to(&[("bee", 7)]);
    assert_eq!(desk.groups.offsets().count(), 0);
    desk.commit("g", "bee", 0, 1).expect("a commit");
    desk.turn_to(&[("bee", 7), ("ant", 8)]);
    assert_eq!(desk.fetch("g", "bee", 0), (1, false));
    // An image without the topic of offsets is none to judge by.
    desk.image = Arc::new(Image::default());
    desk.ask(group::Command::Image(desk.image.clone())).expect("an image is taken");
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.groups.offsets().count(), 1);
}

#[test]
fn a_survey_goes_on_behind_the_last_group_of_a_page() {
    let mut desk = Desk::new();
    let all: Vec<String> = (0..1500).map(|number| format!("group-{number:04}")).collect();
    for group in &all {
        desk.commit(group, "ant", 0, 7).expect("a commit");
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let Ok(group::Answer::Surveyed(page)) = desk.ask(group::Command::Survey(after.take())) else {
            panic!("a survey is answered with a page")
        };
        for surveyed in &page.groups {
            assert_eq!((surveyed.members, surveyed.offsets.as_slice()), (0, &[("ant".into(), 0, 7)][..]));
        }
        found.extend(page.groups.iter().map(|surveyed| surveyed.group.to_string()));
        after = found.last().map(|last| last.as_str().into());
        if page.is_last {
            break;
        }
    }
    assert_eq!(found, all);
}
