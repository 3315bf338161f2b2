//! `.kafka_cleanshutdown`: says that everything was flushed, and with which broker epoch (KIP-966).

/// Name of the marker in a log directory.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// The marker's text.
#[must_use]
pub fn write(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The broker epoch in a marker's text; None where it has none (Kafka before 3.8 wrote an empty file).
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let (_, after) = text.split_once("\"brokerEpoch\"")?;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let end = value.find(|letter: char| letter != '-' && !letter.is_ascii_digit()).unwrap_or(value.len());
    value[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{parse, write};

    #[test]
    fn the_epoch_round_trips_and_an_empty_marker_has_none() {
        assert_eq!(parse(&write(42)), Some(42));
        assert_eq!(parse("{ \"brokerEpoch\" : 7 , \"version\":0}"), Some(7));
        assert_eq!(parse(""), None);
        assert_eq!(parse("{\"brokerEpoch\":null}"), None);
    }
}
