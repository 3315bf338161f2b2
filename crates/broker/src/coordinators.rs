//! The coordinators of this broker: one machine for each partition of `__consumer_offsets` that it leads.

use arc_swap::ArcSwap;
use ottla_coordinator::group::Groups;
use ottla_coordinator::runtime::Shard;
use ottla_metadata::Image;
use std::collections::BTreeMap;

/// The topic of groups and their offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The machines of this broker, found without a lock.
#[derive(Default)]
pub(crate) struct Coordinators {
    shards: ArcSwap<BTreeMap<i32, Shard<Groups>>>,
}

impl Coordinators {
    /// The machine of partition `index`, if it is here.
    pub(crate) fn shard(&self, index: i32) -> Option<Shard<Groups>> {
        self.shards.load().get(&index).cloned()
    }

    /// Every machine that is here, by partition.
    pub(crate) fn all(&self) -> Vec<(i32, Shard<Groups>)> {
        self.shards.load().iter().map(|(index, shard)| (*index, shard.clone())).collect()
    }
}

/// The partition of `__consumer_offsets` that a group belongs to; None while there is no such topic.
pub(crate) fn partition_of(image: &Image, group: &str) -> Option<i32> {
    let partitions = image.topic(OFFSETS_TOPIC)?.partitions.len();
    spread(group, i32::try_from(partitions).ok()?)
}

/// Java's `String.hashCode` (of UTF-16 units), without sign, over the partitions.
fn spread(group: &str, partitions: i32) -> Option<i32> {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // The lowest number has no positive counterpart: Kafka takes zero.
    hash.checked_abs().unwrap_or(0).checked_rem(partitions)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_group_goes_where_kafka_looks_for_it() {
        // Values of Java's String.hashCode.
        for (group, hash) in [
            ("", 0),
            ("a", 97),
            ("ab", 3105),
            ("group", 98_629_247_i64),
            ("Ünicode", 931_549_700),
            ("😀-group", 1_198_440_043),
        ] {
            assert_eq!(i64::from(spread(group, i32::MAX).expect("partitions")), hash, "{group}");
        }
        assert_eq!(spread("polygenelubricants", 50), Some(0));
        assert_eq!(spread("group", 0), None);
    }
}
