//! Scripts: a line that begins with `>` is a command, the lines below it are what the controller decides. Run the tests
//! with `OTTLA_REWRITE_SCRIPTS=1` to write what it decides now, and review the difference.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use ottla_host::Chance;
use ottla_messages::records::metadata::{FeatureLevelRecord, MetadataRecord, PartitionChangeRecord};
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, PartitionIndex};

use super::{
    Answer, Command, ConfigChange, ConfigOperation, Controller, Moment, MorePartitions, NewTopic, Refusal,
    Registration, TopicChoice,
};
use crate::image::{ConfigResource, Image, NodeEndpoint};
use crate::settings::BrokerConfig;

/// Counts up, so that scripts say the same in every run.
struct Counting(Mutex<u8>);

impl Chance for Counting {
    fn fill(&self, concern: &'static str, bytes: &mut [u8]) {
        bytes.fill(0);
        if concern == "topic id" {
            let mut next = self.0.lock().unwrap();
            *next += 1;
            bytes[15] = *next;
        }
    }
}

struct World {
    controller: Controller,
    image: Image,
    offset: i64,
    chance: Counting,
}

impl World {
    fn new() -> World {
        let pairs = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("controller.listener.names", "CONTROLLER"),
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ];
        let texts = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = BrokerConfig::parse(&BTreeMap::from(texts)).unwrap();
        let mut image = Image::default();
        let level = FeatureLevelRecord { name: "metadata.version".into(), feature_level: 33 };
        image.apply(&[MetadataRecord::FeatureLevel(level)]).unwrap();
        World { controller: Controller::new(&config), image, offset: 1, chance: Counting(Mutex::new(0)) }
    }

    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["as-kafka-left-it", topic, isr, elr, last] => return self.leave(topic, (isr, elr, last)),
            ["feature", name, level] => return self.set_feature(name, level),
            _ => {}
        }
        let moment = Moment { next_offset: self.offset, chance: &self.chance };
        let decided = self.controller.decide(&self.image, &self.command(&words), moment);
        let mut out = String::new();
        match decided {
            Err(refusal) => writeln!(out, "refused {}", told(&refusal)).unwrap(),
            Ok(decision) => {
                self.image.apply(&decision.records).unwrap();
                self.offset += decision.records.len() as i64;
                decision.records.iter().for_each(|record| writeln!(out, "record {}", shown(record)).unwrap());
                answered(&mut out, &decision.answer);
            }
        }
        out
    }

    fn set_feature(&mut self, name: &str, level: &str) -> String {
        let level = FeatureLevelRecord { name: name.to_owned().into(), feature_level: level.parse().unwrap() };
        self.image.apply(&[MetadataRecord::FeatureLevel(level)]).unwrap();
        String::new()
    }

    /// Apache Kafka's controller has emptied the in-sync replicas of partition 0 (KIP-966).
    fn leave(&mut self, topic: &str, (isr, elr, last): (&str, &str, &str)) -> String {
        let list = |word: &str| Some(numbers(word.trim_matches('-')));
        let record = MetadataRecord::PartitionChange(PartitionChangeRecord {
            topic_id: self.image.topic(topic).unwrap().id,
            partition_id: 0,
            leader: -1,
            isr: list(isr),
            eligible_leader_replicas: list(elr),
            last_known_elr: list(last),
            ..PartitionChangeRecord::default()
        });
        self.image.apply(&[record]).unwrap();
        String::new()
    }

    fn command(&self, words: &[&str]) -> Command {
        let id = |word: &str| BrokerId(word.parse().unwrap());
        let epoch = |word: &str| self.image.broker(id(word)).map_or(-1, |broker| broker.epoch);
        match words {
            ["register", broker, rest @ ..] => Command::RegisterBroker(registration(id(broker), rest)),
            ["unfence", broker, rest @ ..] => {
                Command::UnfenceBroker { id: id(broker), epoch: epoch(broker), new_terms: !rest.is_empty() }
            }
            ["fence", broker] => Command::FenceBroker { id: id(broker), epoch: epoch(broker) },
            ["stop", broker] => Command::ShutDownBroker { id: id(broker), epoch: epoch(broker) },
            ["ids", broker] => Command::AllocateProducerIds { id: id(broker), epoch: epoch(broker) },
            ["ids-of-stranger", broker] => Command::AllocateProducerIds { id: id(broker), epoch: 999 },
            ["assign", broker, topic, partition, directory] => Command::AssignDirectories {
                id: id(broker),
                epoch: epoch(broker),
                replicas: vec![(
                    self.image.topic(topic).unwrap().id,
                    PartitionIndex(partition.parse().unwrap()),
                    Uuid([directory.parse().unwrap(); 16]),
                )],
            },
            ["create", rest @ ..] => {
                let topics = rest.split(|word| *word == "+").map(new_topic).collect();
                Command::CreateTopics { topics, validate_only: false }
            }
            ["check", rest @ ..] => Command::CreateTopics { topics: vec![new_topic(rest)], validate_only: true },
            ["delete", names @ ..] => Command::DeleteTopics(names.iter().map(|name| choice(name)).collect()),
            ["grow", name, count, rest @ ..] => {
                let assignments = (!rest.is_empty()).then(|| rest.iter().map(|word| numbers(word)).collect());
                let topics =
                    vec![MorePartitions { name: (*name).to_owned(), count: count.parse().unwrap(), assignments }];
                Command::CreatePartitions { topics, validate_only: false }
            }
            ["alter", kind, name, rest @ ..] => {
                let kind = kind_of(kind);
                let name = if *name == "-" { "" } else { name };
                let resource = ConfigResource { kind, name: name.into() };
                let operations = rest.iter().map(|word| operation(word)).collect();
                Command::AlterConfigs { changes: vec![ConfigChange { resource, operations }], validate_only: false }
            }
            other => panic!("no such command: {other:?}"),
        }
    }
}

fn kind_of(word: &str) -> i8 {
    match word {
        "topic" => ConfigResource::TOPIC,
        "broker" => ConfigResource::BROKER,
        "group" => ConfigResource::GROUP,
        number => number.parse().unwrap(),
    }
}

/// `name=value` sets, `name` deletes, `name+=value` appends, `name-=value` subtracts.
fn operation(word: &str) -> (String, ConfigOperation, Option<String>) {
    let Some((name, value)) = word.split_once('=') else {
        return (word.to_owned(), ConfigOperation::Delete, None);
    };
    let (name, operation) = match name.strip_suffix('+') {
        Some(name) => (name, ConfigOperation::Append),
        None => match name.strip_suffix('-') {
            Some(name) => (name, ConfigOperation::Subtract),
            None => (name, ConfigOperation::Set),
        },
    };
    (name.to_owned(), operation, Some(value.to_owned()))
}

fn registration(id: BrokerId, words: &[&str]) -> Registration {
    let mut wanted = Registration {
        id,
        incarnation: Uuid([id.0 as u8; 16]),
        endpoints: vec![NodeEndpoint {
            listener: "PLAINTEXT".to_owned(),
            host: "localhost".to_owned(),
            port: 9092,
            security_protocol: 0,
        }],
        rack: None,
        directories: vec![Uuid([100 + id.0 as u8; 16])],
        previous_epoch: -1,
        rival_alive: false,
    };
    for word in words {
        match word.split_once('=') {
            Some(("rack", rack)) => wanted.rack = Some(rack.to_owned()),
            Some(("process", number)) => wanted.incarnation = Uuid([number.parse().unwrap(); 16]),
            Some(("was", epoch)) => wanted.previous_epoch = epoch.parse().unwrap(),
            Some(("dirs", numbers)) => {
                wanted.directories = numbers.split(',').map(|one| Uuid([one.parse().unwrap(); 16])).collect();
            }
            None if *word == "rival" => wanted.rival_alive = true,
            other => panic!("no such part of a registration: {other:?}"),
        }
    }
    wanted
}

fn new_topic(words: &[&str]) -> NewTopic {
    let mut topic = NewTopic { partitions: -1, replication_factor: -1, ..NewTopic::default() };
    for word in words {
        match word.split_once('=') {
            None => topic.name = word.replace('~', ""),
            Some(("partitions", count)) => topic.partitions = count.parse().unwrap(),
            Some(("replicas", count)) => topic.replication_factor = count.parse().unwrap(),
            Some(("on", list)) => {
                let (index, brokers) = list.split_once(':').unwrap();
                topic.assignments.push((index.parse().unwrap(), numbers(brokers)));
            }
            Some((name, value)) => {
                topic.configs.push((name.to_owned(), Some(value.to_owned()).filter(|value| value != "null")));
            }
        }
    }
    topic
}

fn numbers(list: &str) -> Vec<i32> {
    list.split(',').filter(|word| !word.is_empty()).map(|word| word.parse().unwrap()).collect()
}

fn choice(word: &str) -> TopicChoice {
    match word.strip_prefix('#') {
        Some(number) => {
            let mut bytes = [0; 16];
            bytes[15] = number.parse().unwrap();
            TopicChoice { name: None, id: Uuid::from_chance(bytes) }
        }
        None => TopicChoice { name: Some(word.to_owned()), id: Uuid::ZERO },
    }
}

fn told(refusal: &Refusal) -> String {
    format!("{:?} {}", refusal.code, refusal.message.as_deref().unwrap_or("-"))
}

fn short(id: &Uuid) -> String {
    format!("#{}", id.0[15])
}

fn shown(record: &MetadataRecord<'_>) -> String {
    match record {
        MetadataRecord::Topic(one) => format!("topic {} {}", one.name, short(&one.topic_id)),
        MetadataRecord::RemoveTopic(one) => format!("remove {}", short(&one.topic_id)),
        MetadataRecord::Partition(one) => format!(
            "partition {}-{} replicas {:?} isr {:?} leader {} dirs {:?}",
            short(&one.topic_id),
            one.partition_id,
            one.replicas,
            one.isr,
            one.leader,
            one.directories.iter().map(|id| id.0[15]).collect::<Vec<_>>()
        ),
        MetadataRecord::PartitionChange(one) => format!(
            "change {}-{} leader {} isr {:?} dirs {:?}{}",
            short(&one.topic_id),
            one.partition_id,
            one.leader,
            one.isr,
            one.directories.as_ref().map(|ids| ids.iter().map(|id| id.0[15]).collect::<Vec<_>>()),
            one.eligible_leader_replicas.as_ref().map_or(String::new(), |elr| format!(" elr {elr:?}"))
        ),
        MetadataRecord::Config(one) => {
            format!("config {} {:?} {}={:?}", one.resource_type, one.resource_name, one.name, one.value)
        }
        MetadataRecord::RegisterBroker(one) => {
            format!("broker {} epoch {} fenced {} rack {:?}", one.broker_id, one.broker_epoch, one.fenced, one.rack)
        }
        MetadataRecord::BrokerRegistrationChange(one) => {
            format!("broker {} fenced {} stopping {}", one.broker_id, one.fenced, one.in_controlled_shutdown)
        }
        MetadataRecord::ClearElr(one) => format!("clear eligible leaders of {:?}", one.topic_name),
        MetadataRecord::ProducerIds(one) => format!("producer ids next {}", one.next_producer_id),
        other => format!("{other:?}"),
    }
}

fn answered(out: &mut String, answer: &Answer) {
    let mut line = |what: &dyn std::fmt::Display, outcome: Result<String, &Refusal>| {
        let text = outcome.unwrap_or_else(|refusal| format!("refused {}", told(refusal)));
        writeln!(out, "answer {what}: {text}").unwrap();
    };
    match answer {
        Answer::Done => line(&"-", Ok("done".to_owned())),
        Answer::Registered { epoch, new_terms } => {
            line(&"-", Ok(format!("epoch {epoch}{}", if *new_terms { ", new terms" } else { "" })));
        }
        Answer::ProducerIds(first) => line(&"-", Ok(format!("from {first}"))),
        Answer::CreatedTopics(outcomes) => outcomes.iter().for_each(|(name, outcome)| {
            let made = |one: &super::CreatedTopic| {
                format!("{} partitions {} replicas {}", short(&one.id), one.partitions, one.replication_factor)
            };
            line(name, outcome.as_ref().map(made));
        }),
        Answer::DeletedTopics(outcomes) => outcomes.iter().for_each(|one| {
            let what = format!("{} {}", one.name.as_deref().unwrap_or("-"), short(&one.id));
            line(&what, one.outcome.as_ref().map(|()| "deleted".to_owned()));
        }),
        Answer::MorePartitions(outcomes) => {
            outcomes.iter().for_each(|(name, outcome)| line(name, outcome.as_ref().map(|()| "done".to_owned())))
        }
        Answer::Configs(outcomes) => outcomes
            .iter()
            .for_each(|(resource, outcome)| line(&resource.name, outcome.as_ref().map(|()| "done".to_owned()))),
    }
}

#[expect(clippy::disallowed_methods, reason = "the scripts lie in the source tree")]
fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn script(name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/controller/tests").join(name);
    let expected = std::fs::read_to_string(&path).unwrap();
    let mut world = World::new();
    let mut actual = String::new();
    for line in expected.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(actual, "{line}").unwrap();
            actual.push_str(&world.run(command));
        } else if line.is_empty() || line.starts_with('#') {
            writeln!(actual, "{line}").unwrap();
        }
    }
    if std::env::var_os("OTTLA_REWRITE_SCRIPTS").is_some() {
        write(&path, &actual);
    }
    assert!(actual == expected, "{name} decides otherwise now:\n{actual}");
}

#[test]
fn brokers_come_serve_and_leave() {
    script("brokers.txt");
}

#[test]
fn topics_are_created_and_deleted() {
    script("topics.txt");
}

#[test]
fn partitions_are_placed_and_added() {
    script("partitions.txt");
}

#[test]
fn settings_are_changed() {
    script("configs.txt");
}

#[test]
fn settings_of_groups_are_changed() {
    script("group_configs.txt");
}

#[test]
fn a_command_makes_no_more_records_than_the_limit() {
    let mut world = World::new();
    world.run("register 1");
    world.run("unfence 1");
    assert!(world.run("create big partitions=10001").starts_with("refused POLICY_VIOLATION Excessively"));
    assert!(world.run("create big partitions=10000").starts_with("refused POLICY_VIOLATION Unable"));
    assert!(world.run("create big partitions=9999").ends_with("partitions 9999 replicas 1\n"));
    assert!(world.run("grow big 2000000000").starts_with("refused POLICY_VIOLATION"));
}

#[test]
fn many_names_collide_as_few_do() {
    let mut world = World::new();
    world.run("register 1");
    world.run("unfence 1");
    world.run("create my.topic");
    let many: Vec<String> = (0..30).map(|at| format!("t{at}")).collect();
    let out = world.run(&format!("create my_topic + {}", many.join(" + ")));
    assert!(out.contains("answer my_topic: refused INVALID_TOPIC_EXCEPTION Topic 'my_topic' collides"), "{out}");
    assert_eq!(world.image.topic_count(), 31);
}
