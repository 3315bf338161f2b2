//! Stories as text: commands in, records and answers out. `OTTLA_REWRITE_SCRIPTS=1` writes what comes out into the scripts, to
//! be reviewed as a diff.

use super::scene::Scene;
use crate::group::command::Client;
use crate::group::consumer::{Beat, Heartbeat, Partitions};
use crate::group::{self, Fault, GroupSettings, Record, consumer};
use ottla_messages::records::group::consumer_group_current_member_assignment::TopicPartitions;
use ottla_metadata::Image;
use ottla_wire::Uuid;
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
        lines(&came.records) + &answer + "\n"
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

/// Runs a script; answers it with what came out. `settings` in its first command changes Kafka's defaults.
fn play(script: &str) -> String {
    let mut scene = Scene::new(GroupSettings::default());
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
    reconcile
    epochs
    validation
    static_members
    sessions
    patterns
    topics_change
    assignment_interval
    group_settings
    commits
    delete
}
