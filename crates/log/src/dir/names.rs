//! Names of partition directories and of the files in them, as Apache Kafka spells them.

use ottla_wire::ids::PartitionIndex;
use std::fmt;

/// Longest name that file systems take.
const NAME_MAX: usize = 255;

/// A topic's name and the index of one of its partitions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct PartitionName {
    /// Name of the topic.
    pub topic: Box<str>,
    /// Index of the partition.
    pub partition: PartitionIndex,
}

impl PartitionName {
    /// The partition `partition` of `topic`.
    #[must_use]
    pub fn new(topic: &str, partition: PartitionIndex) -> PartitionName {
        PartitionName { topic: topic.into(), partition }
    }

    /// Splits `topic-3`; topics may hold dashes themselves.
    #[must_use]
    pub fn parse(name: &str) -> Option<PartitionName> {
        let (topic, index) = name.rsplit_once('-')?;
        let partition: i32 = index.parse().ok().filter(|index| *index >= 0)?;
        (!topic.is_empty()).then(|| PartitionName::new(topic, PartitionIndex(partition)))
    }

    /// Name of a directory for what `kind` says; `unique` is 32 hexadecimal digits where the kind needs them.
    /// The topic is shortened where the name would pass 255 bytes.
    #[must_use]
    pub fn dir_name(&self, kind: DirKind, unique: &str) -> String {
        let Some(suffix) = kind.suffix() else { return self.to_string() };
        let tail = format!("-{}.{unique}{suffix}", self.partition);
        let room = NAME_MAX.saturating_sub(tail.len()).min(self.topic.len());
        format!("{}{tail}", &self.topic[..room])
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What the suffix of a partition's directory says about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DirKind {
    /// The partition's data.
    Current,
    /// A copy that will replace the current one (a move between directories).
    Future,
    /// Waits for its removal.
    Delete,
    /// Belongs to no partition of this broker.
    Stray,
}

impl DirKind {
    const SUFFIXED: [DirKind; 3] = [DirKind::Future, DirKind::Delete, DirKind::Stray];

    fn suffix(self) -> Option<&'static str> {
        match self {
            DirKind::Current => None,
            DirKind::Future => Some("-future"),
            DirKind::Delete => Some("-delete"),
            DirKind::Stray => Some("-stray"),
        }
    }

    /// The partition and kind that a directory's name says; None if it is no partition's.
    #[must_use]
    pub fn parse(name: &str) -> Option<(PartitionName, DirKind)> {
        for kind in DirKind::SUFFIXED {
            let Some(rest) = kind.suffix().and_then(|suffix| name.strip_suffix(suffix)) else { continue };
            let (partition, unique) = rest.rsplit_once('.')?;
            return (!unique.is_empty()).then(|| PartitionName::parse(partition))?.map(|name| (name, kind));
        }
        PartitionName::parse(name).map(|name| (name, DirKind::Current))
    }
}

/// A file of a segment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FileKind {
    /// Record batches.
    Log,
    /// Offset index.
    OffsetIndex,
    /// Time index.
    TimeIndex,
    /// Aborted transactions.
    TransactionIndex,
    /// Producer state at an offset.
    Snapshot,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [FileKind; 5] =
        [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TransactionIndex, FileKind::Snapshot];

    fn extension(self) -> &'static str {
        match self {
            FileKind::Log => "log",
            FileKind::OffsetIndex => "index",
            FileKind::TimeIndex => "timeindex",
            FileKind::TransactionIndex => "txnindex",
            FileKind::Snapshot => "snapshot",
        }
    }

    /// `00000000000000000042.log` for the offset 42.
    #[must_use]
    pub fn name(self, offset: i64) -> String {
        format!("{offset:020}.{}", self.extension())
    }

    /// Offset and kind that a file's name says; None for other files.
    #[must_use]
    pub fn parse(name: &str) -> Option<(i64, FileKind)> {
        let (digits, extension) = name.split_once('.')?;
        if digits.len() != 20 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let kind = FileKind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
        Some((digits.parse().ok()?, kind))
    }
}

/// Suffix of a file that waits for its removal.
pub const DELETED: &str = ".deleted";
/// Suffix of an unfinished output of compaction.
pub const CLEANED: &str = ".cleaned";
/// Suffix of a finished output of compaction that has not taken its place yet.
pub const SWAP: &str = ".swap";
/// Leader epochs of a partition.
pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// Topic id of a partition.
pub const PARTITION_METADATA: &str = "partition.metadata";

#[cfg(test)]
mod tests {
    use super::{DirKind, FileKind, PartitionName};
    use ottla_wire::ids::PartitionIndex;

    #[test]
    fn directory_names_carry_partition_and_kind() {
        let name = PartitionName::new("my-topic", PartitionIndex(7));
        assert_eq!(name.dir_name(DirKind::Current, ""), "my-topic-7");
        assert_eq!(DirKind::parse("my-topic-7"), Some((name.clone(), DirKind::Current)));
        let delete = name.dir_name(DirKind::Delete, "0123456789abcdef0123456789abcdef");
        assert_eq!(delete, "my-topic-7.0123456789abcdef0123456789abcdef-delete");
        assert_eq!(DirKind::parse(&delete), Some((name, DirKind::Delete)));
        for wrong in ["plain", "t-x", "t--1-delete", "-3", "t-1-future"] {
            assert_eq!(DirKind::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn directory_names_stay_within_255_bytes() {
        let name = PartitionName::new(&"t".repeat(249), PartitionIndex(100_000));
        assert_eq!(name.dir_name(DirKind::Delete, &"f".repeat(32)).len(), 255);
    }

    #[test]
    fn file_names_have_twenty_digits() {
        assert_eq!(FileKind::Log.name(42), "00000000000000000042.log");
        assert_eq!(FileKind::parse("00000000000000000042.timeindex"), Some((42, FileKind::TimeIndex)));
        assert_eq!(FileKind::parse("42.log"), None);
        assert_eq!(FileKind::parse("00000000000000000042.log.deleted"), None);
    }
}
