//! `ottla get-offsets`: the offsets of partitions at a time, as `kafka-get-offsets` prints them.

use crate::client::cluster::Cluster;
use crate::client::offsets::{NO_OFFSET, TopicPartition, list};
use crate::failure::{Failure, While};
use crate::output;
use ottla_wire::error::ErrorCode;
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Print the offsets of partitions at a time.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Brokers to connect to, `host:port,…`.
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// Properties of the connection.
    #[arg(long)]
    command_config: Option<String>,
    /// Only topics that this regular expression matches.
    #[arg(long)]
    topic: Option<String>,
    /// Only partitions of these numbers, `0,1`.
    #[arg(long)]
    partitions: Option<String>,
    /// Topics, each a regular expression with a number or a range of partitions: `orders:1,audit:0-3,x.*,y:5-,z:-3`.
    #[arg(long)]
    topic_partitions: Option<String>,
    /// A time in ms, or -1 or latest, -2 or earliest, -3 or max-timestamp, -4 or earliest-local, -5 or latest-tiered, -6 or
    /// earliest-pending-upload.
    #[arg(long, default_value = "latest", allow_negative_numbers = true)]
    time: String,
    /// Leave out internal topics.
    #[arg(long)]
    exclude_internal_topics: bool,
}

/// ListOffsets' special times by name.
const SPECIAL: [(&str, i64); 6] = [
    ("latest", -1),
    ("earliest", -2),
    ("max-timestamp", -3),
    ("earliest-local", -4),
    ("latest-tiered", -5),
    ("earliest-pending-upload", -6),
];

/// Prints `topic:partition:offset` for each partition that has an offset at the time.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    print(arguments).map_err(|failure| Failure::new(format!("Error occurred: {failure}")))
}

fn print(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.topic_partitions.is_some() && (arguments.topic.is_some() || arguments.partitions.is_some()) {
        return Err(Failure::new("--topic-partitions cannot be used with --topic or --partitions"));
    }
    let time = time(&arguments.time)?;
    let rules = match &arguments.topic_partitions {
        Some(text) => text.split(',').map(Rule::parse).collect::<Result<_, _>>()?,
        None => vec![Rule::of_topic(arguments.topic.as_deref(), arguments.partitions.as_deref())?],
    };
    crate::client::properties(arguments.command_config.as_deref())?;
    let mut cluster = Cluster::connect(&arguments.bootstrap_server)?;
    let mut leaders = BTreeMap::new();
    for topic in cluster.describe(None)? {
        if arguments.exclude_internal_topics && topic.internal {
            continue;
        }
        let chosen = |partition: i32| rules.iter().any(|rule| rule.has(&topic.name, partition));
        let partitions = topic.partitions.iter().filter(|(partition, _)| chosen(**partition));
        let place = |partition: i32| TopicPartition::new(topic.name.as_str(), partition);
        leaders.extend(partitions.map(|(partition, leader)| (place(*partition), leader.clone())));
    }
    if leaders.is_empty() {
        return Err(Failure::new("Could not match any topic-partitions with the specified filters"));
    }
    print_offsets(&mut cluster, leaders, time)
}

fn print_offsets(
    cluster: &mut Cluster,
    leaders: BTreeMap<TopicPartition, Option<String>>,
    time: i64,
) -> Result<(), Failure> {
    let mut found: BTreeMap<TopicPartition, Result<i64, ErrorCode>> = BTreeMap::new();
    let mut led = BTreeMap::new();
    for (place, leader) in leaders {
        match leader {
            Some(leader) => drop(led.insert(place, leader)),
            None => drop(found.insert(place, Err(ErrorCode::LEADER_NOT_AVAILABLE))),
        }
    }
    found.extend(list(cluster, &led, time)?);
    // Sorted as text, as Kafka's tool sorts them: orders-10 before orders-2.
    let mut lines = BTreeMap::new();
    for (place, offset) in found {
        match offset {
            Ok(NO_OFFSET) => {}
            Ok(offset) => {
                lines.insert(place.to_string(), format!("{}:{}:{offset}", place.topic, place.partition));
            }
            Err(error) => {
                let text = crate::client::groups::Trouble::refused(error, None);
                output::note(format_args!("Skip getting offsets for topic-partition {place} due to error: {text}"));
            }
        }
    }
    lines.values().for_each(output::line);
    Ok(())
}

fn time(text: &str) -> Result<i64, Failure> {
    if let Some((_, time)) = SPECIAL.iter().find(|(name, _)| *name == text) {
        return Ok(*time);
    }
    text.parse().map_err(|_| {
        let special: Vec<String> = SPECIAL.iter().map(|(name, time)| format!("{time} or {name}")).collect();
        let special = special.join(" / ");
        Failure::new(format!(
            "Malformed time argument {text}. Please use {special}, or a specified long format timestamp"
        ))
    })
}

/// Which partitions of which topics.
struct Rule {
    topic: Regex,
    partitions: Partitions,
}

enum Partitions {
    These(BTreeSet<i32>),
    Within(Range<i32>),
    All,
}

impl Rule {
    fn of_topic(topic: Option<&str>, partitions: Option<&str>) -> Result<Rule, Failure> {
        let partitions = match partitions.filter(|text| !text.is_empty()) {
            None => Partitions::All,
            Some(text) => {
                let numbers: Result<_, _> = text.split(',').map(str::parse).collect();
                let expected = "--partitions expects a comma separated list of numeric partition ids, but received";
                Partitions::These(numbers.map_err(|_| Failure::new(format!("{expected}: {text}")))?)
            }
        };
        Ok(Rule { topic: pattern(topic.unwrap_or(".*"))?, partitions })
    }

    /// Reads `topic`, `topic:2`, `topic:2-`, `topic:-5`, `topic:2-5`, `:2` …; the upper bound is not included.
    fn parse(text: &str) -> Result<Rule, Failure> {
        let invalid = || Failure::new(format!("Invalid rule specification: {text}"));
        let number = |digits: &str, empty: i32| match digits {
            "" => Ok(empty),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| invalid()),
            _ => Err(invalid()),
        };
        let (topic, partitions) = text.split_once(':').unwrap_or((text, ""));
        let partitions = match partitions.split_once('-') {
            Some((from, to)) => Partitions::Within(number(from, 0)?..number(to, i32::MAX)?),
            None if partitions.is_empty() => Partitions::All,
            None => Partitions::These(BTreeSet::from([number(partitions, 0)?])),
        };
        Ok(Rule { topic: pattern(if topic.is_empty() { ".*" } else { topic })?, partitions })
    }

    fn has(&self, topic: &str, partition: i32) -> bool {
        let has = match &self.partitions {
            Partitions::These(these) => these.contains(&partition),
            Partitions::Within(range) => range.contains(&partition),
            Partitions::All => true,
        };
        has && self.topic.is_match(topic)
    }
}

/// A regular expression that has to match a whole name; Kafka's tools read a comma as "or".
fn pattern(text: &str) -> Result<Regex, Failure> {
    let bare = text.trim().replace(',', "|").replace(' ', "");
    let bare = bare.trim_matches(['"', '\'']);
    Regex::new(&format!("^(?:{bare})$")).during(|| format!("read {text:?} as a regular expression"))
}

#[cfg(test)]
mod tests {
    use super::{Rule, time};

    #[test]
    fn a_rule_names_a_partition_a_range_or_all() {
        let has = |rule: &str, topic: &str, partition: i32| Rule::parse(rule).unwrap().has(topic, partition);
        assert!(has("orders:1", "orders", 1) && !has("orders:1", "orders", 2));
        assert!(has("o.*:0-3", "orders", 2) && !has("o.*:0-3", "orders", 3));
        assert!(has("orders:5-", "orders", 5) && !has("orders:-3", "orders", 3));
        assert!(has(":7", "any", 7) && !has("order", "orders", 0));
        assert!(Rule::parse("orders:x").is_err());
    }

    #[test]
    fn times_have_names_and_numbers() {
        assert_eq!(time("earliest").unwrap(), -2);
        assert_eq!(time("-5").unwrap(), -5);
        assert_eq!(time("1700000000000").unwrap(), 1_700_000_000_000);
        assert!(time("noon").unwrap_err().to_string().contains("-6 or earliest-pending-upload"));
    }
}
