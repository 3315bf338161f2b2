//! The options of `ottla console-consumer`, and which of them go together, as `kafka-console-consumer` has them.

use super::position::From;
use crate::failure::{Failure, While};
use crate::properties;
use std::collections::BTreeMap;
use std::time::Duration;

/// The formatters that are there, by Kafka's class names.
const FORMATTERS: [&str; 2] =
    ["org.apache.kafka.tools.consumer.DefaultMessageFormatter", "kafka.tools.DefaultMessageFormatter"];

/// Print the records of topics.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Brokers to connect to, `host:port,…`.
    #[arg(long, default_value = "localhost:9092")]
    pub(super) bootstrap_server: String,
    /// The topic to read.
    #[arg(long)]
    pub(super) topic: Option<String>,
    /// Read all topics that this regular expression matches.
    #[arg(long)]
    pub(super) include: Option<String>,
    /// Read as a member of this group: partitions are shared with its other members, and what was read is remembered.
    #[arg(long)]
    pub(super) group: Option<String>,
    /// The one partition to read; all of them if left out.
    #[arg(long)]
    pub(super) partition: Option<i32>,
    /// Where to start in --partition: an offset, `earliest` or `latest`.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) offset: Option<String>,
    /// Start at the earliest record instead of the next one to come, where the group has no offset.
    #[arg(long)]
    pub(super) from_beginning: bool,
    /// Records to print before ending.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) max_messages: Option<i64>,
    /// Milliseconds without a record after which to end.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) timeout_ms: Option<i64>,
    /// A setting of the consumer, `auto.offset.reset=earliest`; may be repeated.
    #[arg(long)]
    pub(super) command_property: Vec<String>,
    /// The same under its old name.
    #[arg(long)]
    pub(super) consumer_property: Vec<String>,
    /// A file with settings of the consumer; --command-property goes before it.
    #[arg(long)]
    pub(super) command_config: Option<String>,
    /// The same under its old name.
    #[arg(long = "consumer.config")]
    pub(super) consumer_config: Option<String>,
    /// The formatter's class; the default one is there.
    #[arg(long)]
    pub(super) formatter: Option<String>,
    /// What is printed, `print.key=true`, `key.separator=:` and so on; may be repeated.
    #[arg(long, visible_alias = "property")]
    pub(super) formatter_property: Vec<String>,
    /// A file with properties of the formatter; --formatter-property goes before it.
    #[arg(long)]
    pub(super) formatter_config: Option<String>,
    /// Accepted; printing a record as it is does not fail.
    #[arg(long)]
    pub(super) skip_message_on_error: bool,
    /// read_uncommitted or read_committed.
    #[arg(long)]
    pub(super) isolation_level: Option<String>,
}

impl Arguments {
    /// Checks that the options go together; the texts are those of Kafka's tool.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.topic.is_some() == self.include.is_some() {
            return Err(Failure::new("Exactly one of the following arguments is required: [topic], [include]"));
        }
        if self.partition.is_none() && self.offset.is_some() {
            return Err(Failure::new("The partition is required when offset is specified."));
        }
        if self.partition.is_some() && self.topic.is_none() {
            return Err(Failure::new("The topic is required when partition is specified."));
        }
        if self.partition.is_some() && self.from_beginning && self.offset.is_some() {
            return Err(Failure::new("Options from-beginning and offset cannot be specified together."));
        }
        match &self.formatter {
            Some(formatter) if !FORMATTERS.contains(&formatter.as_str()) => {
                Err(Failure::new(format!("the formatter {formatter} is not there; {} is", FORMATTERS[0])))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The formatter's properties.
    pub(super) fn formatter(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut all = match &self.formatter_config {
            Some(file) => {
                let text = std::fs::read_to_string(file).during(|| format!("read {file}"))?;
                properties::parse(&text).during(|| format!("read {file}"))?
            }
            None => BTreeMap::new(),
        };
        for text in &self.formatter_property {
            let (key, value) = properties::pair(text).map_err(|error| Failure::new(error.to_string()))?;
            all.insert(key, value);
        }
        Ok(all)
    }

    /// The one partition of --partition, and where to start in it.
    pub(super) fn only(&self) -> Result<Option<(i32, From)>, Failure> {
        let Some(partition) = self.partition else { return Ok(None) };
        let from = match self.offset.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None if self.from_beginning => From::Earliest,
            None | Some("latest") => From::Latest,
            Some("earliest") => From::Earliest,
            Some(text) => match text.parse() {
                Ok(offset) if offset >= 0 => From::Offset(offset),
                Ok(_) | Err(_) => {
                    return Err(Failure::new(format!(
                        "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                         non-negative long."
                    )));
                }
            },
        };
        Ok(Some((partition, from)))
    }

    /// Records to print; None for all. Negative means all, as in Kafka's tool.
    pub(super) fn max_messages(&self) -> Option<u64> {
        self.max_messages.and_then(|count| u64::try_from(count).ok())
    }

    /// How long to wait for a record; None for ever. Negative means for ever.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.timeout_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis)
    }
}
