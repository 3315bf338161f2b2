//! Snappy in the framing of xerial's Java library, which Kafka's clients write, and bare snappy, which some do.

use std::io::{self, Read};

/// Magic, version and lowest compatible version, as xerial writes them.
const HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// The part of the header that tells the framing.
const MAGIC: usize = 8;
/// Uncompressed bytes of one block, xerial's default.
const BLOCK: usize = 32 * 1024;
/// Most bytes that one compressed byte can stand for: a copy of 64 bytes takes two, a long literal one each.
const EXPANSION_MAX: usize = 64;

/// Appends `data` in xerial framing.
pub(super) fn compress(data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = snap::raw::Encoder::new();
    out.extend_from_slice(&HEADER);
    for block in data.chunks(BLOCK) {
        let at = out.len();
        out.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
        let written = encoder.compress(block, &mut out[at + 4..])?;
        out[at..at + 4].copy_from_slice(&(written as u32).to_be_bytes());
        out.truncate(at + 4 + written);
    }
    Ok(())
}

/// Decompressed bytes, one block at a time.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    read: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Reader<'a> {
        Reader { rest: data, framed: data.starts_with(&HEADER[..MAGIC]), block: Vec::new(), read: 0 }
    }

    /// The next compressed block. A header may stand before any block: streams can be written one after the other.
    fn next_block(&mut self) -> io::Result<&'a [u8]> {
        if !self.framed {
            return Ok(std::mem::take(&mut self.rest));
        }
        while self.rest.starts_with(&HEADER[..MAGIC]) {
            self.rest = self.rest.get(HEADER.len()..).ok_or_else(damaged)?;
        }
        if self.rest.is_empty() {
            return Ok(&[]);
        }
        let (length, rest) = self.rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(block)
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.read == self.block.len() && !self.rest.is_empty() {
            let block = self.next_block()?;
            let size = if block.is_empty() { 0 } else { snap::raw::decompress_len(block)? };
            if size > block.len().saturating_mul(EXPANSION_MAX) {
                return Err(damaged());
            }
            self.block.resize(size, 0);
            self.read = 0;
            if size > 0 {
                snap::raw::Decoder::new().decompress(block, &mut self.block)?;
            }
        }
        Ok(())
    }
}

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let count = into.len().min(self.block.len() - self.read);
        into[..count].copy_from_slice(&self.block[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}
