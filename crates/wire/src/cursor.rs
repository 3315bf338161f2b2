//! The one reader of foreign bytes: every length is checked against what is left before anything is allocated.

use crate::ids::Uuid;

/// Most entries that one array may announce (Kafka 4.4's own decoder limit).
pub const ARRAY_ITEMS_MAX: usize = 1_000_000;
/// Most tagged fields that one struct may carry (Kafka 4.4's own decoder limit).
pub const TAGGED_FIELDS_MAX: u32 = 10_000;
/// Deepest nesting of structs that a frame may have.
pub const DEPTH_MAX: u8 = 16;
/// Bytes of memory that the arrays of one frame may take, so that a dense frame of two-byte entries stays bounded too.
pub const MEMORY_MAX: usize = 64 << 20;

/// Why bytes could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The frame ends inside a value.
    #[error("{what} needs {needed} bytes, {left} are left")]
    Short {
        /// What was being read.
        what: &'static str,
        /// Bytes it announced or needs.
        needed: usize,
        /// Bytes left in the frame.
        left: usize,
    },
    /// A length is negative where null is not allowed.
    #[error("{what} is null or has the negative length {length}")]
    Null {
        /// What was being read.
        what: &'static str,
        /// The length as sent.
        length: i64,
    },
    /// An array announces more than the limit.
    #[error("{what} announces {count} entries, the limit is {limit}")]
    TooMany {
        /// What was being read.
        what: &'static str,
        /// Entries announced.
        count: usize,
        /// Entries allowed.
        limit: usize,
    },
    /// A varint runs over its width.
    #[error("a varint is longer than its type")]
    Varint,
    /// Text that is not UTF-8.
    #[error("{what} is not UTF-8")]
    Utf8 {
        /// What was being read.
        what: &'static str,
    },
    /// A value outside of what the protocol allows there.
    #[error("{what} has the invalid value {value}")]
    Invalid {
        /// What was being read.
        what: &'static str,
        /// The value as sent.
        value: i64,
    },
    /// The arrays of the frame would take more memory than one frame may.
    #[error("the arrays of one frame need {needed} bytes of memory where {left} of {MEMORY_MAX} are left")]
    Memory {
        /// Bytes that the next array needs.
        needed: usize,
        /// Bytes of the frame's allowance that are left.
        left: usize,
    },
    /// Structs nested deeper than any message is.
    #[error("structs are nested deeper than {DEPTH_MAX}")]
    Depth,
    /// Tagged fields that are out of order or twice.
    #[error("tagged field {tag} is out of order or repeated")]
    TagOrder {
        /// The tag as sent.
        tag: u32,
    },
    /// The message has no such version.
    #[error("{what} has no version {version}")]
    Version {
        /// Message name.
        what: &'static str,
        /// Version asked for.
        version: i16,
    },
    /// Bytes after the end of the message.
    #[error("{left} bytes follow the end of {what}")]
    Trailing {
        /// What had ended.
        what: &'static str,
        /// Bytes that follow.
        left: usize,
    },
}

/// A position in borrowed bytes. Reading past the end is an error, never a panic, and allocates nothing.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    depth: u8,
    memory: usize,
}

type Read<T> = Result<T, DecodeError>;

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident -> $type:ty),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(&mut self) -> Read<$type> {
            Ok(<$type>::from_be_bytes(self.array(stringify!($type))?))
        }
    )*};
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes, depth: 0, memory: MEMORY_MAX }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The bytes not read yet, without moving.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fixed! {
        /// One signed byte.
        i8 -> i8,
        /// Two bytes, big-endian.
        i16 -> i16,
        /// Two bytes, big-endian, unsigned.
        u16 -> u16,
        /// Four bytes, big-endian.
        i32 -> i32,
        /// Four bytes, big-endian, unsigned.
        u32 -> u32,
        /// Eight bytes, big-endian.
        i64 -> i64,
        /// An IEEE double, big-endian.
        f64 -> f64,
    }

    /// A byte that is zero for false.
    pub fn bool(&mut self) -> Read<bool> {
        Ok(self.i8()? != 0)
    }

    /// Sixteen bytes of id.
    pub fn uuid(&mut self) -> Read<Uuid> {
        Ok(Uuid(self.array("uuid")?))
    }

    /// Exactly `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Read<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(DecodeError::Short { what, needed: count, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Read<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(DecodeError::Short { what, needed: N, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned varint of at most 32 bits.
    pub fn uvarint(&mut self) -> Read<u32> {
        let mut value: u32 = 0;
        for at in 0..5 {
            let byte = self.array::<1>("varint")?[0];
            if at == 4 && byte > 0x0f {
                return Err(DecodeError::Varint);
            }
            value |= u32::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint)
    }

    /// A zigzag varint of at most 32 bits (inside records).
    pub fn varint(&mut self) -> Read<i32> {
        let raw = self.uvarint()?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// A zigzag varint of at most 64 bits (inside records).
    pub fn varlong(&mut self) -> Read<i64> {
        let mut value: u64 = 0;
        for at in 0..10 {
            let byte = self.array::<1>("varlong")?[0];
            if at == 9 && byte > 1 {
                return Err(DecodeError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(DecodeError::Varint)
    }

    fn text(&mut self, length: usize, what: &'static str) -> Read<&'a str> {
        std::str::from_utf8(self.take(length, what)?).map_err(|_| DecodeError::Utf8 { what })
    }

    /// A length as the encoding of this version has it: None for null.
    fn length(&mut self, flexible: bool, wide: bool, what: &'static str) -> Read<Option<usize>> {
        if flexible {
            return Ok((self.uvarint()? as usize).checked_sub(1));
        }
        let length = if wide { i64::from(self.i32()?) } else { i64::from(self.i16()?) };
        match length {
            -1 => Ok(None),
            0.. => Ok(Some(length as usize)),
            _ => Err(DecodeError::Null { what, length }),
        }
    }

    /// A string, compact when `flexible`.
    pub fn string(&mut self, flexible: bool, what: &'static str) -> Read<&'a str> {
        self.nullable_string(flexible, what)?.ok_or(DecodeError::Null { what, length: -1 })
    }

    /// A string or null.
    pub fn nullable_string(&mut self, flexible: bool, what: &'static str) -> Read<Option<&'a str>> {
        match self.length(flexible, false, what)? {
            Some(length) if length > i16::MAX as usize => {
                Err(DecodeError::TooMany { what, count: length, limit: i16::MAX as usize })
            }
            Some(length) => self.text(length, what).map(Some),
            None => Ok(None),
        }
    }

    /// Bytes, compact when `flexible`.
    pub fn bytes(&mut self, flexible: bool, what: &'static str) -> Read<&'a [u8]> {
        self.nullable_bytes(flexible, what)?.ok_or(DecodeError::Null { what, length: -1 })
    }

    /// Bytes or null.
    pub fn nullable_bytes(&mut self, flexible: bool, what: &'static str) -> Read<Option<&'a [u8]>> {
        match self.length(flexible, true, what)? {
            Some(length) => self.take(length, what).map(Some),
            None => Ok(None),
        }
    }

    /// The entry count of an array, None for null. `size_min` is the least number of bytes that one entry takes in
    /// this version; a count that cannot fit in what is left is refused before anything is allocated.
    pub fn count(&mut self, flexible: bool, size_min: usize, what: &'static str) -> Read<Option<usize>> {
        let Some(count) = self.length(flexible, true, what)? else {
            return Ok(None);
        };
        if count > ARRAY_ITEMS_MAX {
            return Err(DecodeError::TooMany { what, count, limit: ARRAY_ITEMS_MAX });
        }
        let needed = count.saturating_mul(size_min.max(1));
        if needed > self.rest.len() {
            return Err(DecodeError::Short { what, needed, left: self.rest.len() });
        }
        Ok(Some(count))
    }

    /// The entry count of an array that may not be null.
    pub fn count_required(&mut self, flexible: bool, size_min: usize, what: &'static str) -> Read<usize> {
        self.count(flexible, size_min, what)?.ok_or(DecodeError::Null { what, length: -1 })
    }

    /// Takes the memory of `count` values of `size` bytes out of the frame's allowance, before it is allocated.
    pub fn spend(&mut self, count: usize, size: usize) -> Read<()> {
        let needed = count.saturating_mul(size);
        let Some(left) = self.memory.checked_sub(needed) else {
            return Err(DecodeError::Memory { needed, left: self.memory });
        };
        self.memory = left;
        Ok(())
    }

    /// Enters a nested struct.
    pub fn descend(&mut self) -> Read<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(DecodeError::Depth) } else { Ok(()) }
    }

    /// Leaves a nested struct.
    pub fn ascend(&mut self) {
        self.depth -= 1;
    }

    /// The number of tagged fields of a flexible struct.
    pub fn tag_count(&mut self) -> Read<u32> {
        let count = self.uvarint()?;
        if count > TAGGED_FIELDS_MAX {
            return Err(DecodeError::TooMany {
                what: "tagged fields",
                count: count as usize,
                limit: TAGGED_FIELDS_MAX as usize,
            });
        }
        Ok(count)
    }

    /// The next tagged field: its tag and a cursor over exactly its bytes, to be given back to `close_tag` once read.
    /// `last` is the tag before it.
    pub fn tag(&mut self, last: &mut Option<u32>) -> Read<(u32, Cursor<'a>)> {
        let tag = self.uvarint()?;
        if last.is_some_and(|last| tag <= last) {
            return Err(DecodeError::TagOrder { tag });
        }
        *last = Some(tag);
        let size = self.uvarint()? as usize;
        let body = self.take(size, "tagged field")?;
        Ok((tag, Cursor { rest: body, depth: self.depth, memory: self.memory }))
    }

    /// Ends a tagged field that `tag` opened: its bytes must all be read, and what it allocated counts for the frame.
    pub fn close_tag(&mut self, inner: &Cursor<'a>, what: &'static str) -> Read<()> {
        self.memory = inner.memory;
        inner.finish(what)
    }

    /// Skips the tagged fields of a struct that knows none.
    pub fn skip_tags(&mut self) -> Read<()> {
        let mut last = None;
        for _ in 0..self.tag_count()? {
            self.tag(&mut last)?;
        }
        Ok(())
    }

    /// Ends reading: whatever is left is an error.
    pub fn finish(&self, what: &'static str) -> Read<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { what, left }),
        }
    }
}
