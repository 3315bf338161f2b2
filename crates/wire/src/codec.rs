//! The five codecs of record batches: compressing as Kafka's Java client does, and reading back as a bounded stream.

mod lz4;
mod snappy;
mod zstd;

use std::fmt;
use std::io::{self, Read, Write};

/// How the records of a batch are compressed; the number is that of the batch attributes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
#[repr(u8)]
pub enum Codec {
    /// Not at all.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy blocks in the framing of xerial's Java library; bare snappy is read as well.
    Snappy = 2,
    /// The LZ4 frame format with independent blocks.
    Lz4 = 3,
    /// RFC 8878 (KIP-110).
    Zstd = 4,
}

/// Why data could not be compressed or decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// The data is not what the codec writes, or ends too early.
    #[error("the {0} data is damaged")]
    Damaged(Codec),
    /// Decompressing would give more than allowed.
    #[error("the {codec} data holds more than {limit} bytes")]
    TooLarge {
        /// Codec of the data.
        codec: Codec,
        /// Bytes allowed.
        limit: usize,
    },
    /// The level lies outside of the codec's range (KIP-390).
    #[error("{codec} has no level {level}; allowed is {allowed}")]
    Level {
        /// Codec asked for.
        codec: Codec,
        /// Level asked for.
        level: i32,
        /// Levels in words.
        allowed: &'static str,
    },
}

impl Codec {
    /// All codecs, in the order of their numbers.
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    /// The codec of a number from batch attributes.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Codec> {
        Codec::ALL.get(usize::from(id)).copied()
    }

    /// The codec of a name in `compression.type`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// The name in `compression.type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }

    /// The number in batch attributes.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec with the level to compress at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compression {
    codec: Codec,
    level: Option<i32>,
}

impl Compression {
    /// No compression.
    pub const NONE: Compression = Compression { codec: Codec::None, level: None };

    /// The codec at Kafka's default level: gzip -1, lz4 9, zstd 3.
    #[must_use]
    pub const fn of(codec: Codec) -> Compression {
        Compression { codec, level: None }
    }

    /// The codec at a level of `compression.{gzip,lz4,zstd}.level`. Codecs without levels refuse any.
    pub fn at_level(codec: Codec, level: i32) -> Result<Compression, CodecError> {
        let (fits, allowed) = match codec {
            Codec::Gzip => (level == -1 || (1..=9).contains(&level), "1 to 9, or -1"),
            Codec::Lz4 => ((1..=17).contains(&level), "1 to 17"),
            Codec::Zstd => ((-131_072..=22).contains(&level), "-131072 to 22"),
            Codec::None | Codec::Snappy => (false, "none"),
        };
        if !fits {
            return Err(CodecError::Level { codec, level, allowed });
        }
        Ok(Compression { codec, level: Some(level) })
    }

    /// The codec.
    #[must_use]
    pub const fn codec(self) -> Codec {
        self.codec
    }

    /// Whether the level changes what is written. LZ4 is written at one strength, that of Kafka's default level 9.
    #[must_use]
    pub fn honours_level(self) -> bool {
        self.codec != Codec::Lz4 || self.level.is_none_or(|level| level == 9)
    }

    /// Appends the compressed `data` to `out`.
    pub fn compress(self, data: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let written = match self.codec {
            Codec::None => {
                out.extend_from_slice(data);
                Ok(())
            }
            Codec::Gzip => gzip(data, self.level, out),
            Codec::Snappy => snappy::compress(data, out),
            Codec::Lz4 => lz4::compress(data, out),
            Codec::Zstd => zstd::compress(data, self.level, out),
        };
        written.map_err(|_| CodecError::Damaged(self.codec))
    }
}

fn gzip(data: &[u8], level: Option<i32>, out: &mut Vec<u8>) -> io::Result<()> {
    let level = match level {
        Some(level @ 1..=9) => flate2::Compression::new(level.unsigned_abs()),
        Some(_) | None => flate2::Compression::default(),
    };
    let mut encoder = flate2::write::GzEncoder::new(out, level);
    encoder.write_all(data)?;
    encoder.finish().map(|_| ())
}

/// Runs `body` over the decompressed bytes of `data` as they come. What the codec holds at a time is bounded by its
/// window, whatever the data announces; the amount read is for `body` to bound.
pub(crate) fn inflating<R>(codec: Codec, data: &[u8], body: impl FnOnce(&mut dyn Read) -> R) -> Result<R, CodecError> {
    let damaged = |_| CodecError::Damaged(codec);
    match codec {
        Codec::None => Ok(body(&mut { data })),
        Codec::Gzip => Ok(body(&mut flate2::bufread::MultiGzDecoder::new(data))),
        Codec::Snappy => Ok(body(&mut snappy::Reader::new(data))),
        Codec::Lz4 => Ok(body(&mut lz4::reader(data).map_err(damaged)?)),
        Codec::Zstd => zstd::reading(data, body).map_err(damaged),
    }
}

/// Appends the decompressed `data` to `out`, at most `limit` bytes of it.
pub fn decompress(codec: Codec, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let before = out.len();
    let read = inflating(codec, data, |reader| reader.take(limit as u64 + 1).read_to_end(out))?;
    read.map_err(|_| CodecError::Damaged(codec))?;
    if out.len() - before > limit {
        out.truncate(before);
        return Err(CodecError::TooLarge { codec, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
