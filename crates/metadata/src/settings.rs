//! The settings catalogue: every setting of Kafka 4.4's brokers, topics and groups, and what a configuration makes of them.

pub mod broker;
pub mod config;
pub mod describe;
mod duration;
pub mod group;
pub mod group_config;
pub mod listener;
pub mod topic;
pub mod topic_config;

pub use config::{BrokerConfig, ConfigErrors, ConfigFault};
pub use describe::{Described, Layers, Source, Synonym};
pub use listener::{Endpoint, Listener};
pub use topic_config::{TimestampType, TopicConfig};

/// How a broker setting's value becomes the topic setting's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversion {
    /// As it is.
    Same,
    /// Minutes to milliseconds.
    Minutes,
    /// Hours to milliseconds.
    Hours,
}

impl Conversion {
    /// The value in the topic setting's unit; a negative time stays "unlimited".
    #[must_use]
    pub fn apply(self, text: &str) -> String {
        let factor = match self {
            Conversion::Same => return text.trim().to_owned(),
            Conversion::Minutes => 60_000,
            Conversion::Hours => 3_600_000,
        };
        match text.trim().parse::<i64>() {
            Ok(number) if number < 0 => "-1".to_owned(),
            Ok(number) => number.saturating_mul(factor).to_string(),
            Err(_) => text.to_owned(),
        }
    }
}
