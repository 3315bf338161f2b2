//! The one writer of protocol bytes. Record data that lies elsewhere is noted as a cut and never copied.

use crate::ids::Uuid;

/// Why a message could not be written in a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// A field holds a value that the version cannot carry and that may not be dropped silently.
    #[error("{field} cannot be expressed in version {version}")]
    Unsupported {
        /// Message and field.
        field: &'static str,
        /// Version asked for.
        version: i16,
    },
    /// A null where the version has none.
    #[error("{field} may not be null in version {version}")]
    Null {
        /// Message and field.
        field: &'static str,
        /// Version asked for.
        version: i16,
    },
    /// A string or array longer than its length field can say.
    #[error("a value of {length} bytes or entries does not fit its length field")]
    TooLong {
        /// Bytes or entries.
        length: usize,
    },
}

/// Record data of a message: bytes at hand, or a length that the sender fills from elsewhere (a file region).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Records<'a> {
    /// Bytes, borrowed from the frame on the way in.
    Bytes(&'a [u8]),
    /// `length` bytes that the sender finds under `id`; only on the way out.
    Elsewhere {
        /// Number by which the sender knows the region.
        id: u32,
        /// Bytes of the region.
        length: u32,
    },
}

impl<'a> Records<'a> {
    /// Bytes of record data.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Records::Bytes(bytes) => bytes.len(),
            Records::Elsewhere { length, .. } => *length as usize,
        }
    }

    /// Whether there is no record data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes; empty for data that lies elsewhere (a decoded message never has those).
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Records::Bytes(bytes) => bytes,
            Records::Elsewhere { .. } => &[],
        }
    }
}

/// A place in the encoded bytes where data from elsewhere goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Position in the encoder's bytes before which the data goes.
    pub at: usize,
    /// Number by which the sender knows the data.
    pub id: u32,
    /// Bytes of the data.
    pub length: u32,
}

/// Encoded bytes with the cuts where foreign data goes.
#[derive(Default, Debug)]
pub struct Encoder {
    buffer: Vec<u8>,
    cuts: Vec<Cut>,
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident($type:ty)),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, value: $type) {
            self.buffer.extend_from_slice(&value.to_be_bytes());
        }
    )*};
}

impl Encoder {
    /// An empty encoder.
    #[must_use]
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// An encoder that appends to `buffer`, so that buffers are reused.
    #[must_use]
    pub fn with_buffer(buffer: Vec<u8>) -> Encoder {
        Encoder { buffer, cuts: Vec::new() }
    }

    /// The bytes and the cuts, in order.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<Cut>) {
        (self.buffer, self.cuts)
    }

    /// The bytes written, cuts left out.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The cuts noted so far.
    #[must_use]
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// Forgets what was written and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.cuts.clear();
    }

    /// Position in the own bytes.
    #[must_use]
    pub fn position(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of the message with the cuts filled in.
    #[must_use]
    pub fn total(&self) -> usize {
        self.buffer.len() + self.cuts.iter().map(|cut| cut.length as usize).sum::<usize>()
    }

    fixed! {
        /// One signed byte.
        i8(i8),
        /// Two bytes, big-endian.
        i16(i16),
        /// Two bytes, big-endian, unsigned.
        u16(u16),
        /// Four bytes, big-endian.
        i32(i32),
        /// Four bytes, big-endian, unsigned.
        u32(u32),
        /// Eight bytes, big-endian.
        i64(i64),
        /// An IEEE double, big-endian.
        f64(f64),
    }

    /// One byte, 1 for true.
    pub fn bool(&mut self, value: bool) {
        self.buffer.push(u8::from(value));
    }

    /// Sixteen bytes of id.
    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.extend_from_slice(&value.0);
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// An unsigned varint.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    /// A zigzag varint of 32 bits (inside records).
    pub fn varint(&mut self, value: i32) {
        self.uvarint(((value << 1) ^ (value >> 31)) as u32);
    }

    /// A zigzag varint of 64 bits (inside records).
    pub fn varlong(&mut self, value: i64) {
        let mut value = ((value << 1) ^ (value >> 63)) as u64;
        while value >= 0x80 {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    fn length(&mut self, length: Option<usize>, flexible: bool, wide: bool) -> Result<(), EncodeError> {
        let limit = if wide { i32::MAX as usize } else { i16::MAX as usize };
        if let Some(length) = length.filter(|length| *length > limit) {
            return Err(EncodeError::TooLong { length });
        }
        match (flexible, wide) {
            (true, _) => self.uvarint(length.map_or(0, |length| length as u32 + 1)),
            (false, true) => self.i32(length.map_or(-1, |length| length as i32)),
            (false, false) => self.i16(length.map_or(-1, |length| length as i16)),
        }
        Ok(())
    }

    /// A string, compact when `flexible`.
    pub fn string(&mut self, flexible: bool, value: &str) -> Result<(), EncodeError> {
        self.nullable_string(flexible, Some(value))
    }

    /// A string or null.
    pub fn nullable_string(&mut self, flexible: bool, value: Option<&str>) -> Result<(), EncodeError> {
        self.length(value.map(str::len), flexible, false)?;
        self.raw(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// Bytes, compact when `flexible`.
    pub fn bytes_field(&mut self, flexible: bool, value: &[u8]) -> Result<(), EncodeError> {
        self.nullable_bytes(flexible, Some(value))
    }

    /// Bytes or null.
    pub fn nullable_bytes(&mut self, flexible: bool, value: Option<&[u8]>) -> Result<(), EncodeError> {
        self.length(value.map(<[u8]>::len), flexible, true)?;
        self.raw(value.unwrap_or_default());
        Ok(())
    }

    /// Record data or null: bytes are copied, data from elsewhere leaves a cut.
    pub fn records(&mut self, flexible: bool, value: Option<Records<'_>>) -> Result<(), EncodeError> {
        self.length(value.map(|records| records.len()), flexible, true)?;
        match value {
            Some(Records::Bytes(bytes)) => self.raw(bytes),
            Some(Records::Elsewhere { id, length }) if length > 0 => {
                self.cuts.push(Cut { at: self.buffer.len(), id, length });
            }
            Some(Records::Elsewhere { .. }) | None => {}
        }
        Ok(())
    }

    /// The entry count of an array, None for null.
    pub fn count(&mut self, flexible: bool, count: Option<usize>) -> Result<(), EncodeError> {
        self.length(count, flexible, true)
    }

    /// A tagged field: tag, size and what `body` writes. Only for bodies without record data from elsewhere.
    pub fn tagged(
        &mut self,
        tag: u32,
        body: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut inner = Encoder::new();
        body(&mut inner)?;
        self.uvarint(tag);
        self.uvarint(inner.buffer.len() as u32);
        self.raw(&inner.buffer);
        Ok(())
    }

    /// Overwrites four bytes at `at`, for a length known only at the end. `at` is a position this encoder returned.
    pub fn patch_i32(&mut self, at: usize, value: i32) {
        self.buffer[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
}
