//! The consumer's settings: from a properties file, from --command-property, from options of their own.

use super::Arguments;
use super::fetch::Reading;
use super::position::From;
use crate::client::member::{Assignor, Settings};
use crate::failure::Failure;
use crate::output;
use crate::properties;
use crate::when::{duration, now_ms};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the settings come to.
pub(super) struct Options {
    /// What is read and how.
    pub(super) reading: Reading,
    /// Membership in a group; None to read all partitions alone.
    pub(super) group: Option<Settings>,
    /// `enable.auto.commit`.
    pub(super) commits: bool,
    /// `auto.commit.interval.ms`.
    pub(super) commit_interval: Duration,
    /// `metadata.max.age.ms`: how often new topics and partitions are looked for.
    pub(super) metadata_age: Duration,
    /// `client.id`.
    pub(super) client_id: String,
}

/// Settings that say nothing here: values are printed as they are, and the address has an option of its own.
const IGNORED: [&str; 4] = ["bootstrap.servers", "key.deserializer", "value.deserializer", "security.protocol"];

/// Settings of the classic group protocol alone.
const CLASSIC_ONLY: &[&str] = &["partition.assignment.strategy", "heartbeat.interval.ms", "session.timeout.ms"];
/// Settings of the protocol of KIP-848 alone.
const MODERN_ONLY: &[&str] = &["group.remote.assignor"];

/// Reads all settings. Texts of refusals are those of Kafka's tool where it has them.
pub(super) fn read(arguments: &Arguments) -> Result<Options, Failure> {
    let mut given = Given::read(arguments)?;
    let committed = match given.isolation(arguments).as_str() {
        "read_committed" => true,
        "read_uncommitted" => false,
        other => {
            let text = format!("--isolation-level must be read_committed or read_uncommitted, not {other:?}");
            return Err(Failure::new(text));
        }
    };
    let reading = Reading {
        committed,
        reset: given.reset(arguments.from_beginning)?,
        answer_bytes: given.number("fetch.max.bytes", 50 * 1024 * 1024)?,
        partition_bytes: given.number("max.partition.fetch.bytes", 1024 * 1024)?,
    };
    let group = given.group(arguments, committed)?;
    let options = Options {
        reading,
        commits: given.text("enable.auto.commit", "true").trim().eq_ignore_ascii_case("true"),
        commit_interval: given.millis("auto.commit.interval.ms", 5000)?,
        metadata_age: given.millis("metadata.max.age.ms", 300_000)?,
        client_id: given.text("client.id", "console-consumer"),
        group,
    };
    given.warn();
    Ok(options)
}

/// Settings by name, and which were asked for.
struct Given {
    settings: BTreeMap<String, String>,
    known: BTreeSet<String>,
}

impl Given {
    fn read(arguments: &Arguments) -> Result<Given, Failure> {
        deprecated(&arguments.consumer_property, &arguments.command_property, "consumer-property", "command-property")?;
        let files = (arguments.consumer_config.as_slice(), arguments.command_config.as_slice());
        deprecated(files.0, files.1, "consumer.config", "command-config")?;
        let file = arguments.consumer_config.as_ref().or(arguments.command_config.as_ref());
        let mut settings = crate::client::properties(file.map(String::as_str))?;
        let mut groups: BTreeSet<String> = settings.get("group.id").cloned().into_iter().collect();
        let mut extra = BTreeMap::new();
        for text in arguments.consumer_property.iter().chain(&arguments.command_property) {
            let (key, value) = properties::pair(text).map_err(|error| Failure::new(error.to_string()))?;
            extra.insert(key, value);
        }
        groups.extend(extra.get("group.id").cloned());
        groups.extend(arguments.group.clone());
        if groups.len() > 1 {
            let groups: Vec<String> = groups.iter().map(|group| format!("'{group}'")).collect();
            return Err(Failure::new(format!(
                "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
                 '--consumer.config') do not match. Detected group ids: {}",
                groups.join(", ")
            )));
        }
        settings.extend(extra);
        if let Some(group) = groups.pop_first() {
            if arguments.partition.is_some() {
                return Err(Failure::new("Options group and partition cannot be specified together."));
            }
            settings.insert("group.id".to_owned(), group);
        }
        crate::client::check(&settings)?;
        Ok(Given { settings, known: BTreeSet::new() })
    }

    fn get(&mut self, key: &str) -> Option<String> {
        self.known.insert(key.to_owned());
        self.settings.get(key).cloned()
    }

    fn text(&mut self, key: &str, default: &str) -> String {
        self.get(key).unwrap_or_else(|| default.to_owned())
    }

    fn number(&mut self, key: &str, default: i32) -> Result<i32, Failure> {
        let Some(text) = self.get(key) else { return Ok(default) };
        text.trim().parse().map_err(|_| Failure::new(format!("{key}={text} is no number")))
    }

    fn millis(&mut self, key: &str, default: i32) -> Result<Duration, Failure> {
        let ms = self.number(key, default)?;
        let ms = u64::try_from(ms).map_err(|_| Failure::new(format!("{key}={ms} is negative")))?;
        Ok(Duration::from_millis(ms))
    }

    /// The option of its own goes before the setting.
    fn isolation(&mut self, arguments: &Arguments) -> String {
        let setting = self.text("isolation.level", "read_uncommitted");
        arguments.isolation_level.clone().unwrap_or(setting)
    }

    fn reset(&mut self, from_beginning: bool) -> Result<From, Failure> {
        let Some(text) = self.get("auto.offset.reset") else {
            return Ok(if from_beginning { From::Earliest } else { From::Latest });
        };
        if from_beginning && text != "earliest" {
            return Err(Failure::new(format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={text}', please remove one option"
            )));
        }
        match text.as_str() {
            "earliest" => Ok(From::Earliest),
            "latest" => Ok(From::Latest),
            "none" => Ok(From::Nowhere),
            other => match other.strip_prefix("by_duration:").map(duration) {
                Some(Ok(ago)) => Ok(From::Time(now_ms().saturating_sub(ago))),
                Some(Err(_)) | None => Err(Failure::new(format!(
                    "auto.offset.reset must be earliest, latest, none or by_duration:PnDTnHnMnS, not {other:?}"
                ))),
            },
        }
    }

    fn group(&mut self, arguments: &Arguments, stable: bool) -> Result<Option<Settings>, Failure> {
        let modern = match self.text("group.protocol", "classic").to_ascii_lowercase().as_str() {
            "classic" => false,
            "consumer" => true,
            other => return Err(Failure::new(format!("group.protocol must be classic or consumer, not {other:?}"))),
        };
        let settings = Settings {
            group: self.text("group.id", ""),
            instance: self.get("group.instance.id"),
            modern,
            assignor: self.get("group.remote.assignor"),
            session_timeout: self.millis("session.timeout.ms", 45_000)?,
            heartbeat_interval: self.millis("heartbeat.interval.ms", 3000)?,
            poll_interval: self.millis("max.poll.interval.ms", 300_000)?,
            assignors: self.assignors()?,
            stable,
        };
        self.refuse_of_the_other_protocol(modern)?;
        if settings.heartbeat_interval >= settings.session_timeout {
            return Err(Failure::new(format!(
                "heartbeat.interval.ms={} must be lower than session.timeout.ms={}: the coordinator would end the session first",
                settings.heartbeat_interval.as_millis(),
                settings.session_timeout.as_millis()
            )));
        }
        Ok((arguments.partition.is_none() && !settings.group.is_empty()).then_some(settings))
    }

    fn assignors(&mut self) -> Result<Vec<Assignor>, Failure> {
        let Some(strategy) = self.get("partition.assignment.strategy") else { return Ok(Assignor::DEFAULT.to_vec()) };
        let there = || Assignor::classes().join(", ");
        match Assignor::parse(&strategy) {
            Ok(assignors) if assignors.is_empty() => {
                Err(Failure::new(format!("partition.assignment.strategy names no class; there are {}", there())))
            }
            Ok(assignors) => Ok(assignors),
            Err(class) => Err(Failure::new(format!(
                "partition.assignment.strategy: the class {class} is not there; there are {}. \
                 group.protocol=consumer lets the broker share the partitions.",
                there()
            ))),
        }
    }

    /// Refuses settings that only the other group protocol has, as Kafka's consumer does.
    fn refuse_of_the_other_protocol(&self, modern: bool) -> Result<(), Failure> {
        let (protocol, others) = if modern { ("CONSUMER", CLASSIC_ONLY) } else { ("CLASSIC", MODERN_ONLY) };
        match others.iter().find(|key| self.settings.contains_key(**key)) {
            None => Ok(()),
            Some(key) => Err(Failure::new(format!("{key} cannot be set when group.protocol={protocol}"))),
        }
    }

    /// Names what was given and not understood.
    fn warn(&self) {
        for key in self.settings.keys().filter(|key| !self.known.contains(*key) && !IGNORED.contains(&key.as_str())) {
            output::note(format_args!("WARN The setting {key} does nothing here."));
        }
    }
}

/// Refuses an option under both its names, and tells of the name that is going.
fn deprecated<T>(old: &[T], new: &[T], old_name: &str, new_name: &str) -> Result<(), Failure> {
    if old.is_empty() {
        return Ok(());
    }
    if !new.is_empty() {
        let text = format!("Options --{old_name} and --{new_name} cannot be specified together.");
        return Err(Failure::new(text));
    }
    output::line(format_args!(
        "Option --{old_name} is deprecated and will be removed in a future version. Use --{new_name} instead."
    ));
    Ok(())
}
