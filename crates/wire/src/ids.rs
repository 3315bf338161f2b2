//! Identifiers of Kafka's protocol as types of their own, so that a wrong call does not compile.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number! {
    /// Position of a record in a partition's log.
    Offset(i64)
}
number! {
    /// Term of a partition's leader (KIP-101); -1 where a peer does not know it.
    LeaderEpoch(i32)
}
number! {
    /// `node.id` of a broker or controller.
    BrokerId(i32)
}
number! {
    /// Index of a partition within its topic, from 0.
    PartitionIndex(i32)
}
number! {
    /// Identity of an idempotent or transactional producer (KIP-98); -1 for none.
    ProducerId(i64)
}
number! {
    /// Incarnation of a producer id; a higher epoch fences the lower ones.
    ProducerEpoch(i16)
}

impl Offset {
    /// The offset `count` records further.
    #[must_use]
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0 + count)
    }
}

impl LeaderEpoch {
    /// A peer that does not know the epoch sends this.
    pub const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);
}

impl ProducerId {
    /// A batch without a producer id.
    pub const NONE: ProducerId = ProducerId(-1);
}

/// Kafka's 128-bit id: topics, directories, incarnations. Printed as 22 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// All zeros: no id.
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// All zeros but a last one: the topic id of `__cluster_metadata`.
    pub const METADATA_TOPIC: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// A version 4 id from 16 bytes of chance.
    #[must_use]
    pub fn from_chance(mut bytes: [u8; 16]) -> Uuid {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Uuid(bytes)
    }

    /// Whether no id is set.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Uuid::ZERO
    }

    /// Parses 22 characters of URL-safe base64, padding allowed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Uuid> {
        let text = text.trim_end_matches('=').as_bytes();
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        for (at, byte) in text.iter().enumerate() {
            let value = ALPHABET.iter().position(|letter| letter == byte)? as u128;
            // 21 letters carry 6 bits each; of the last one only the upper 2 bits belong to the id.
            bits = if at < 21 { (bits << 6) | value } else { (bits << 2) | (value >> 4) };
        }
        Some(Uuid(bits.to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for letter in 0..21 {
            let value = (bits >> (122 - 6 * letter)) as usize & 63;
            write!(f, "{}", ALPHABET[value] as char)?;
        }
        write!(f, "{}", ALPHABET[((bits as usize) & 3) << 4] as char)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;

    #[test]
    fn uuid_prints_as_url_safe_base64_and_parses_back() {
        let id = Uuid([0xe4, 0xbe, 0xa0, 0xdd, 0x9e, 0xc9, 0x4f, 0xaf, 0x84, 0x31, 0x02, 0xb2, 0x00, 0xff, 0x10, 0x01]);
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid::parse("short"), None);
    }
}
