//! Stories as text: commands in, records and answers out. `OTTLA_REWRITE_SCRIPTS=1` writes what comes out into the scripts, to
//! be reviewed as a diff.

use super::scene::Scene;
use crate::group::command::Client;
use crate::group::consumer::{Beat, Heartbeat, Partitions};
use crate::group::settings::Migration;
use crate::group::{self, Fault, GroupSettings, Record, classic, consumer};
use ottla_messages::records::consumer_protocol::consumer_protocol_assignment::TopicPartition as AssignmentPartition;
use ottla_messages::records::consumer_protocol::consumer_protocol_subscription::TopicPartition as SubscriptionPartition;
use ottla_messages::records::consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use ottla_messages::records::group::consumer_group_current_member_assignment::TopicPartitions;
use ottla_metadata::Image;
use ottla_wire::{ApiVersion, Cursor, Encoder, Uuid};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// One command with its words: `verb key=value … flag`.
pub(super) struct Words<'a> {
    pub(super) verb: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn parse(line: &'a str) -> Words<'a> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let values = words.map(|word| word.split_once('=').unwrap_or((word, ""))).collect();
        Words { verb, values }
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.values.get(key).copied()
    }

    pub(super) fn shared(&self, key: &str) -> Option<Arc<str>> {
        self.text(key).map(Arc::from)
    }

    pub(super) fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        self.text(key).map(|text| text.parse().unwrap_or_else(|_| panic!("{key}={text} in {}", self.verb)))
    }

    pub(super) fn need<T: FromStr>(&self, key: &str) -> T {
        self.number(key).unwrap_or_else(|| panic!("{} needs {key}", self.verb))
    }

    pub(super) fn list(&self, key: &str) -> Option<Vec<Arc<str>>> {
        self.text(key).map(|text| text.split(',').filter(|name| !name.is_empty()).map(Arc::from).collect())
    }

    pub(super) fn group(&self) -> Arc<str> {
        self.shared("g").unwrap_or_else(|| "g".into())
    }
}

/// `foo:0,1/bar:2` as partitions.
fn owned(text: &str, image: &Image) -> Vec<(Uuid, Vec<i32>)> {
    let topics = text.split('/').filter(|topic| !topic.is_empty());
    topics
        .map(|topic| {
            let (name, partitions) = topic.split_once(':').unwrap();
            let id = image.topic(name).unwrap().id;
            (id, partitions.split(',').map(|partition| partition.parse().unwrap()).collect())
        })
        .collect()
}

/// A heartbeat from its words: a join says all, another what is there.
fn heartbeat(words: &Words<'_>, image: &Image) -> Heartbeat {
    let member = words.shared("m").unwrap_or_default();
    let epoch = words.need("epoch");
    let is_join = epoch == 0;
    Heartbeat {
        group: words.group(),
        fresh_id: "fresh".into(),
        epoch,
        instance: words.shared("instance"),
        rack: words.shared("rack"),
        rebalance_ms: words.number("rebalance").or(is_join.then_some(60_000)),
        names: words.list("names"),
        pattern: words.shared("pattern"),
        assignor: words.shared("assignor"),
        owned: words.text("owned").or(is_join.then_some("")).map(|text| owned(text, image)),
        client: Client { id: words.shared("client").unwrap_or_else(|| "c".into()), host: "/h".into() },
        member,
    }
}

fn name_of(id: &Uuid) -> String {
    let name: String = id.0[..15].iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
    if id.0[15] == 0 { name } else { format!("{name}{}", id.0[15]) }
}

pub(super) fn partitions_text(partitions: &Partitions) -> String {
    let topic = |(id, list): (&Uuid, &[i32])| {
        let list: Vec<String> = list.iter().map(ToString::to_string).collect();
        format!("{}:{}", name_of(id), list.join(","))
    };
    let topics: Vec<String> = partitions.iter().map(topic).collect();
    if topics.is_empty() { "nothing".to_owned() } else { topics.join("/") }
}

fn dated(topics: &[TopicPartitions]) -> String {
    let topic = |topic: &TopicPartitions| {
        let epochs = topic.assignment_epochs.clone().unwrap();
        let list: Vec<String> =
            topic.partitions.iter().zip(epochs).map(|(partition, epoch)| format!("{partition}@{epoch}")).collect();
        format!("{}:{}", name_of(&topic.topic_id), list.join(","))
    };
    let topics: Vec<String> = topics.iter().map(topic).collect();
    if topics.is_empty() { "nothing".to_owned() } else { topics.join("/") }
}

fn maybe<T: std::fmt::Display>(text: &mut String, name: &str, value: Option<T>) {
    if let Some(value) = value {
        let _ = write!(text, " {name}={value}");
    }
}

/// A record in a line.
pub(super) fn record_text(record: &Record<'_>) -> String {
    match record {
        Record::Consumer(_, Some(value)) => format!("epoch {}", value.epoch),
        Record::Consumer(_, None) => "no epoch".to_owned(),
        Record::Member(key, Some(value)) => {
            let mut text = format!("member {} names={}", key.member_id, value.subscribed_topic_names.join(","));
            let pattern = value.subscribed_topic_regex.as_ref().filter(|pattern| !pattern.is_empty());
            maybe(&mut text, "pattern", pattern);
            maybe(&mut text, "instance", value.instance_id.as_ref());
            maybe(&mut text, "rack", value.rack_id.as_ref());
            maybe(&mut text, "assignor", value.server_assignor.as_ref());
            let _ = write!(text, " client={} rebalance={}", value.client_id, value.rebalance_timeout_ms);
            if let Some(classic) = &value.classic_member_metadata {
                let protocols: Vec<&str> = classic.supported_protocols.iter().map(|one| &*one.name).collect();
                let _ = write!(text, " classic={} session={}", protocols.join(","), classic.session_timeout_ms);
            }
            text
        }
        Record::Member(key, None) => format!("no member {}", key.member_id),
        Record::Target(_, Some(value)) => {
            format!("target epoch {} at {}", value.assignment_epoch, value.assignment_timestamp)
        }
        Record::Target(_, None) => "no target epoch".to_owned(),
        Record::MemberTarget(key, Some(value)) => {
            let listed = value.topic_partitions.iter().map(|topic| (topic.topic_id, topic.partitions.clone()));
            format!("target {} {}", key.member_id, partitions_text(&listed.collect()))
        }
        Record::MemberTarget(key, None) => format!("no target {}", key.member_id),
        Record::MemberCurrent(key, Some(value)) => {
            let state = consumer::MemberState::of_number(value.state);
            let mut text = format!(
                "current {} {}<{} {state:?} {}",
                key.member_id,
                value.member_epoch,
                value.previous_member_epoch,
                dated(&value.assigned_partitions)
            );
            if !value.partitions_pending_revocation.is_empty() {
                let _ = write!(text, " revoking {}", dated(&value.partitions_pending_revocation));
            }
            text
        }
        Record::MemberCurrent(key, None) => format!("no current {}", key.member_id),
        Record::Pattern(key, Some(value)) => {
            format!("pattern {} matches {}", key.regular_expression, value.topics.join(","))
        }
        Record::Pattern(key, None) => format!("no pattern {}", key.regular_expression),
        Record::Topics(_, value) => format!("{}topics", if value.is_some() { "" } else { "no " }),
        Record::Classic(key, None) => format!("no classic {}", key.group),
        Record::Classic(_, Some(value)) => {
            let members: Vec<&str> = value.members.iter().map(|member| &*member.member_id).collect();
            format!("classic generation {} members {}", value.generation, members.join(","))
        }
        Record::Offset(key, _) => format!("offset of {}", key.group),
    }
}

fn beat_text(beat: &Beat) -> String {
    let mut text = format!("answer {} epoch {}", beat.member, beat.epoch);
    if beat.interval_ms > 0 {
        let _ = write!(text, " every {} ms", beat.interval_ms);
    }
    maybe(&mut text, "has", beat.assignment.as_ref().map(partitions_text));
    text
}

pub(super) fn fault_text(fault: &Fault) -> String {
    format!("{}: {fault}", fault.code().name())
}

fn lines(records: &[Record<'_>]) -> String {
    records.iter().map(|record| record_text(record) + "\n").collect()
}

impl Scene {
    fn run(&mut self, line: &str) -> String {
        let words = Words::parse(line);
        match words.verb {
            "topic" => self.topic(words.text("t").unwrap(), words.need("n"), words.number("id").unwrap_or(0)),
            "no-topic" => self.no_topic(words.text("t").unwrap()),
            "broker" => self.broker(words.need("id"), words.text("rack").unwrap()),
            "config" => {
                self.config(&words.group(), words.text("name").unwrap(), words.text("value").unwrap());
            }
            "beat" => return self.run_beat(&words),
            "wait" => return lines(&self.wait(Duration::from_millis(words.need("ms")))),
            "fail-over" => self.fail_over(),
            "clock" => self.now.wall.0 += words.need::<i64>("by"),
            "lookups" => self.loses_lookups = words.has("lost"),
            "describe" => return self.describe(&words.group()),
            "delete" => {
                let came = self.ask(group::Command::Delete(words.group()));
                let answer = match &came.answers[0].1 {
                    Ok(_) => "deleted\n".to_owned(),
                    Err(fault) => fault_text(fault) + "\n",
                };
                return lines(&came.records) + &answer;
            }
            "commit" => return self.run_commit(&words),
            "join" | "sync" | "hb" | "leave" => {
                let command = classic_command(&words, self.image());
                let came = self.ask(group::Command::Classic(command));
                let answers = came.answers.iter().map(|(_, answer)| classic_text(answer) + "\n");
                return lines(&came.records) + &answers.collect::<String>();
            }
            other => panic!("{other} is no command"),
        }
        String::new()
    }

    fn run_beat(&mut self, words: &Words<'_>) -> String {
        let heartbeat = heartbeat(words, self.image());
        if let Err(fault) = heartbeat.check(!words.has("v0")) {
            return fault_text(&fault) + "\n";
        }
        let (came, beat) = self.beat(heartbeat);
        let answer = match beat {
            Ok(beat) => beat_text(&beat),
            Err(fault) => fault_text(&fault),
        };
        let others = came.answers.iter().map(|(_, answer)| classic_text(answer) + "\n");
        lines(&came.records) + &others.collect::<String>() + &answer + "\n"
    }

    /// Whether a member may commit a partition.
    fn run_commit(&mut self, words: &Words<'_>) -> String {
        let group = self.groups.consumer_for_test(&words.group());
        let who = consumer::Committer {
            member: words.text("m").unwrap_or_default(),
            instance: words.text("instance"),
            epoch: words.need("epoch"),
            is_transactional: words.has("transactional"),
            knows_epochs: !words.has("old"),
        };
        let topics = owned(words.text("of").unwrap(), self.image());
        let checked = group.validate_commit(&words.group(), who).and_then(|commit| {
            topics.iter().try_for_each(|(topic, list)| list.iter().try_for_each(|at| commit.check(topic, *at)))
        });
        match checked {
            Ok(()) => "may commit\n".to_owned(),
            Err(fault) => fault_text(&fault) + "\n",
        }
    }

    fn describe(&mut self, group: &Arc<str>) -> String {
        let came = self.ask(group::Command::DescribeConsumer(vec![Arc::clone(group)]));
        let Ok(group::Answer::DescribedConsumer(groups)) = &came.answers[0].1 else { panic!("no description") };
        let group = &groups[0];
        if let Some(fault) = &group.fault {
            return fault_text(fault) + "\n";
        }
        let mut text = format!(
            "{} epoch {} target epoch {} by {}\n",
            group.state, group.epoch, group.target_epoch, group.assignor
        );
        for member in &group.members {
            let _ = writeln!(
                text,
                "  {} epoch {} has {} shall have {}",
                member.member.id,
                member.member.epoch,
                partitions_text(&member.has),
                partitions_text(&member.target)
            );
        }
        text
    }
}

/// JoinGroup, SyncGroup, Heartbeat and LeaveGroup as words.
fn classic_command(words: &Words<'_>, image: &Image) -> classic::Command {
    let group = words.group();
    let who =
        classic::Identity { member_id: words.shared("m").unwrap_or_default(), instance_id: words.shared("instance") };
    let generation = words.number("generation").unwrap_or(-1);
    match words.verb {
        "join" => {
            let names = words.list("protocols").unwrap_or_else(|| vec!["range".into()]);
            let metadata = subscription(words, image);
            let protocol = |name: Arc<str>| classic::Protocol { name, metadata: Arc::clone(&metadata) };
            classic::Command::Join(Box::new(classic::Join {
                group,
                who,
                fresh_id: words.shared("fresh").unwrap_or_else(|| "fresh".into()),
                client: Client { id: "c".into(), host: "/h".into() },
                session_timeout_ms: words.number("session").unwrap_or(30_000),
                rebalance_timeout_ms: 60_000,
                protocol_type: words.shared("type").unwrap_or_else(|| "consumer".into()),
                protocols: names.into_iter().map(protocol).collect(),
                reason: "".into(),
                abilities: classic::Abilities { comes_again: words.has("again"), skips_assignment: true },
            }))
        }
        "sync" => {
            let given = words.text("assign").unwrap_or_default().split(';').filter(|one| !one.is_empty());
            let assignments = given.map(|one| {
                let (member, partitions) = one.split_once('>').unwrap();
                (Arc::from(member), assignment(partitions, words.has("foreign")))
            });
            let assignments = assignments.collect();
            let sync = classic::Sync { group, who, generation, protocol_type: None, protocol: None, assignments };
            classic::Command::Sync(Box::new(sync))
        }
        "hb" => classic::Command::Heartbeat(classic::Heartbeat { group, who, generation }),
        _ => classic::Command::Leave(classic::Leave { group, members: vec![(who, "bored".into())] }),
    }
}

/// `foo:0,1/bar:2` by names.
fn by_name(text: &str) -> Vec<(String, Vec<i32>)> {
    let topics = text.split('/').filter(|topic| !topic.is_empty());
    let parsed = topics.map(|topic| {
        let (name, list) = topic.split_once(':').unwrap();
        (name.to_owned(), list.split(',').map(|at| at.parse().unwrap()).collect())
    });
    parsed.collect()
}

fn subscription(words: &Words<'_>, _image: &Image) -> Arc<[u8]> {
    let owned = by_name(words.text("owned").unwrap_or_default());
    let value = ConsumerProtocolSubscription {
        topics: words.list("names").unwrap_or_default().iter().map(|name| name.to_string().into()).collect(),
        owned_partitions: owned
            .into_iter()
            .map(|(topic, partitions)| SubscriptionPartition { topic: topic.into(), partitions })
            .collect(),
        ..ConsumerProtocolSubscription::default()
    };
    let mut out = Encoder::new();
    out.i16(3);
    value.encode(&mut out, ApiVersion(3)).unwrap();
    out.into_parts().0.into()
}

fn assignment(text: &str, is_foreign: bool) -> Arc<[u8]> {
    let value = ConsumerProtocolAssignment {
        assigned_partitions: by_name(text)
            .into_iter()
            .map(|(topic, partitions)| AssignmentPartition { topic: topic.into(), partitions })
            .collect(),
        user_data: is_foreign.then(|| vec![1_u8].into()),
    };
    let mut out = Encoder::new();
    out.i16(3);
    value.encode(&mut out, ApiVersion(3)).unwrap();
    out.into_parts().0.into()
}

fn assignment_text(bytes: &[u8]) -> String {
    let mut cursor = Cursor::new(bytes);
    let Ok(version) = cursor.i16() else { return "nothing".to_owned() };
    let value = ConsumerProtocolAssignment::decode(&mut cursor, ApiVersion(version)).unwrap();
    let topics = value.assigned_partitions.iter().map(|one| {
        let list: Vec<String> = one.partitions.iter().map(ToString::to_string).collect();
        format!("{}:{}", one.topic, list.join(","))
    });
    let topics: Vec<String> = topics.collect();
    if topics.is_empty() { "nothing".to_owned() } else { topics.join("/") }
}

fn classic_text(answer: &Result<group::Answer, Fault>) -> String {
    match answer {
        Ok(group::Answer::Classic(classic::Answer::Joined(joined))) => format!(
            "joined {} generation {} protocol {} leader {}",
            joined.member_id,
            joined.generation,
            joined.protocol.as_deref().unwrap_or("-"),
            if joined.leader.is_empty() { "-" } else { &joined.leader }
        ),
        Ok(group::Answer::Classic(classic::Answer::Synced(synced))) => {
            format!("synced {}", assignment_text(&synced.assignment))
        }
        Ok(group::Answer::Classic(classic::Answer::Heard)) => "heard".to_owned(),
        Ok(group::Answer::Classic(classic::Answer::Left(left))) => {
            let outcome = |one: &classic::LeftMember| match &one.outcome {
                Ok(()) => format!("left {}", one.who.member_id),
                Err(fault) => fault_text(fault),
            };
            left.members.iter().map(outcome).collect::<Vec<_>>().join(", ")
        }
        Ok(other) => panic!("{other:?} is no answer of a classic group"),
        Err(fault) => fault_text(fault),
    }
}

/// Runs a script; answers it with what came out. `settings` in its first command changes Kafka's defaults.
fn play(script: &str) -> String {
    let mut scene = Scene::new(settings(&Words::parse("settings")));
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
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(words) = line.strip_prefix("settings ") {
            scene = Scene::new(settings(&Words::parse(&format!("settings {words}"))));
            continue;
        }
        played.push_str("----\n");
        played.push_str(&scene.run(line));
        skipping = true;
    }
    scene.check_loading();
    played
}

fn settings(words: &Words<'_>) -> GroupSettings {
    let mut settings = GroupSettings::default();
    if let Some(ms) = words.number("interval") {
        settings.consumer.assignment_interval = Duration::from_millis(ms);
    }
    if let Some(size) = words.number("size") {
        settings.consumer.size_max = size;
    }
    if let Some(assignors) = words.list("assignors") {
        settings.consumer.assignors = assignors.iter().map(ToString::to_string).collect();
    }
    settings.consumer.migration = match words.text("migration") {
        None => Migration::Bidirectional,
        Some("disabled") => Migration::Disabled,
        Some("upgrade") => Migration::Upgrade,
        Some(_) => Migration::Downgrade,
    };
    settings.initial_rebalance_delay = Duration::ZERO;
    settings
}

impl Words<'_> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }
}

/// A command without its outcome is followed by an empty line; the outcome ends at the next one.
#[expect(clippy::disallowed_methods, reason = "scripts are part of the source, not of a node's disk")]
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/group/consumer/scripts").join(name);
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
    join_and_leave
    lost_lookups
    reconcile
    epochs
    validation
    static_members
    sessions
    patterns
    topics_change
    assignment_interval
    clock_set_back
    group_settings
    commits
    delete
    upgrade
    upgrade_refused
    downgrade
    classic_members
    static_downgrade
}
