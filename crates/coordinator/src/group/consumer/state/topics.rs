//! What a group sees of its topics: ids, numbers of partitions, and one hash over all that an assignment depends on.

use ottla_metadata::{Image, Topic};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// Version of the layout below.
const MAGIC: u8 = 0;

/// Hash of the topics of a group, as Kafka stores it in the group's record; names that no topic has count nothing.
pub(crate) fn metadata_hash<'a>(names: impl Iterator<Item = &'a Arc<str>>, image: &Image) -> i64 {
    let mut bytes = Vec::new();
    for topic in names.filter_map(|name| image.topic(name)) {
        bytes.extend_from_slice(&topic_hash(topic, image).to_le_bytes());
    }
    if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes).cast_signed() }
}

/// Id, name, number of partitions, and the racks of each one's replicas; strings are UTF-16 with their length behind.
fn topic_hash(topic: &Topic, image: &Image) -> u64 {
    let mut bytes = Vec::with_capacity(64 + 4 * topic.partitions.len());
    bytes.push(MAGIC);
    // Two big-endian halves, each hashed as a little-endian number.
    bytes.extend(topic.id.0[..8].iter().rev());
    bytes.extend(topic.id.0[8..].iter().rev());
    put_text(&mut bytes, &topic.name);
    put_number(&mut bytes, topic.partitions.len());
    for (at, partition) in topic.partitions.values().enumerate() {
        put_number(&mut bytes, at);
        let broker = |id| image.broker(id).and_then(|broker| broker.rack.as_deref());
        let mut racks: Vec<&str> = partition.replicas.as_slice().iter().filter_map(|id| broker(*id)).collect();
        racks.sort_unstable();
        for rack in racks {
            put_number(&mut bytes, rack.encode_utf16().count());
            put_text(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes)
}

fn put_number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&i32::try_from(number).unwrap_or(i32::MAX).to_le_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let mut units = 0;
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
        units += 1;
    }
    put_number(bytes, units);
}
