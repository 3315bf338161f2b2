//! Which partition a record goes to: murmur2 of the key as Kafka's Java client has it, or one partition a batch.

/// Seed of Kafka's murmur2.
const SEED: u32 = 0x9747_b28c;

/// The partition of a keyed record among `count` partitions.
pub(crate) fn of_key(key: &[u8], count: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % count
}

/// Kafka's murmur2, 32 bits.
fn murmur2(bytes: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut value = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        value ^= value >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ value.wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let last = tail.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::{murmur2, of_key};

    #[test]
    fn keys_hash_as_in_kafkas_java_client() {
        assert_eq!(murmur2(b"21") as i32, -973_932_308);
        assert_eq!(murmur2(b"foobar") as i32, -790_332_482);
        assert_eq!(murmur2(b"a-little-bit-long-string") as i32, -985_981_536);
    }

    #[test]
    fn a_partition_is_never_beyond_the_count() {
        for key in 0..1000_u32 {
            assert!(of_key(&key.to_be_bytes(), 7) < 7);
        }
    }
}
