//! Kafka's text checkpoints: a version line, a count line, one entry a line.

use super::names::PartitionName;
use crate::epochs::EpochStart;
use ottla_wire::ids::{LeaderEpoch, Offset, PartitionIndex};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Recovery points of a directory's partitions.
pub const RECOVERY_POINT: &str = "recovery-point-offset-checkpoint";
/// Log starts of a directory's partitions.
pub const LOG_START: &str = "log-start-offset-checkpoint";
/// High watermarks of a directory's partitions.
pub const HIGH_WATERMARK: &str = "replication-offset-checkpoint";
/// Largest checkpoint file that is read.
pub const CHECKPOINT_BYTES_MAX: u64 = 256 << 20;

/// Offsets of partitions, as three of the checkpoints hold them.
pub type Offsets = BTreeMap<PartitionName, Offset>;

/// Why a checkpoint could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Another version than 0.
    #[error("checkpoint has version {0:?}, only 0 is known")]
    Version(String),
    /// A line that is no entry.
    #[error("checkpoint has the malformed line {0:?}")]
    Line(String),
    /// More or fewer entries than announced.
    #[error("checkpoint announces {announced} entries and has {found}")]
    Count {
        /// Entries that its second line says.
        announced: usize,
        /// Entries it has.
        found: usize,
    },
}

/// Text of an offset checkpoint.
#[must_use]
pub fn write_offsets<'a>(offsets: impl ExactSizeIterator<Item = (&'a PartitionName, Offset)>) -> String {
    let mut text = String::with_capacity(16 + 32 * offsets.len());
    let _ = writeln!(text, "0\n{}", offsets.len());
    for (name, offset) in offsets {
        let _ = writeln!(text, "{} {} {offset}", name.topic, name.partition);
    }
    text
}

/// Reads an offset checkpoint.
pub fn read_offsets(text: &str) -> Result<Offsets, CheckpointError> {
    let entries = read(text, |mut words| {
        let topic = words.next()?;
        let partition = PartitionIndex(words.next()?.parse().ok()?);
        let offset = Offset(words.next()?.parse().ok()?);
        words.next().is_none().then(|| (PartitionName::new(topic, partition), offset))
    })?;
    Ok(entries.into_iter().collect())
}

/// Text of a leader-epoch checkpoint.
#[must_use]
pub fn write_epochs(epochs: &[EpochStart]) -> String {
    let mut text = format!("0\n{}\n", epochs.len());
    for entry in epochs {
        let _ = writeln!(text, "{} {}", entry.epoch, entry.start);
    }
    text
}

/// Reads a leader-epoch checkpoint.
pub fn read_epochs(text: &str) -> Result<Vec<EpochStart>, CheckpointError> {
    read(text, |mut words| {
        let epoch = LeaderEpoch(words.next()?.parse().ok()?);
        let start = Offset(words.next()?.parse().ok()?);
        words.next().is_none().then_some(EpochStart { epoch, start })
    })
}

fn read<'a, T>(
    text: &'a str,
    entry: impl Fn(std::str::SplitWhitespace<'a>) -> Option<T>,
) -> Result<Vec<T>, CheckpointError> {
    // Of one that was torn the last number may lack digits.
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(CheckpointError::Line(text.lines().last().unwrap_or_default().to_owned()));
    }
    let mut lines = text.lines();
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version.trim() != "0" {
        return Err(CheckpointError::Version(version.to_owned()));
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let announced: usize = count.trim().parse().map_err(|_| CheckpointError::Line(count.to_owned()))?;
    let mut entries = Vec::new();
    for line in lines {
        entries.push(entry(line.split_whitespace()).ok_or_else(|| CheckpointError::Line(line.to_owned()))?);
    }
    match entries.len() == announced {
        true => Ok(entries),
        false => Err(CheckpointError::Count { announced, found: entries.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckpointError, read_epochs, read_offsets, write_epochs, write_offsets};
    use crate::dir::names::PartitionName;
    use crate::epochs::EpochStart;
    use ottla_wire::ids::{LeaderEpoch, Offset, PartitionIndex};

    #[test]
    fn offsets_are_written_as_kafka_writes_them() {
        let name = PartitionName::new("a-b", PartitionIndex(3));
        let text = write_offsets([(&name, Offset(17))].into_iter());
        assert_eq!(text, "0\n1\na-b 3 17\n");
        assert_eq!(read_offsets(&text), Ok([(name, Offset(17))].into()));
    }

    #[test]
    fn an_empty_file_holds_nothing() {
        assert_eq!(read_offsets(""), Ok([].into()));
        assert_eq!(read_epochs("0\n"), Ok(vec![]));
    }

    #[test]
    fn epochs_round_trip() {
        let epochs = vec![EpochStart { epoch: LeaderEpoch(2), start: Offset(5) }];
        assert_eq!(write_epochs(&epochs), "0\n1\n2 5\n");
        assert_eq!(read_epochs("0\n1\n2 5\n"), Ok(epochs));
    }

    #[test]
    fn damage_is_told() {
        assert_eq!(read_epochs("1\n0\n"), Err(CheckpointError::Version("1".to_owned())));
        assert_eq!(read_epochs("0\n2\n1 31\n2 16"), Err(CheckpointError::Line("2 16".to_owned())), "of 2 169");
        assert_eq!(read_epochs("0\n2\n1 1\n"), Err(CheckpointError::Count { announced: 2, found: 1 }));
        assert_eq!(read_offsets("0\n1\nt x 1\n"), Err(CheckpointError::Line("t x 1".to_owned())));
    }
}
