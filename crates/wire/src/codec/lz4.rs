//! LZ4 frames as Kafka writes them (independent blocks of 64 KB, no checksums) and accepts them.

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use std::io::{self, Read, Write};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// Bit of a block's length that says the block is stored as it is.
const STORED: u32 = 0x8000_0000;

/// Appends `data` as one frame whose header bytes are those of Kafka's Java client: `60 40 82` after the magic.
pub(super) fn compress(data: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let info = FrameInfo::new()
        .block_mode(BlockMode::Independent)
        .block_size(BlockSize::Max64KB)
        .block_checksums(false)
        .content_checksum(false);
    let at = out.len();
    let mut encoder = FrameEncoder::with_frame_info(info, &mut *out);
    encoder.write_all(data)?;
    encoder.finish()?;
    if out.len() == at {
        // A frame of no blocks still has a header and an end mark.
        out.extend_from_slice(&[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0]);
    }
    Ok(())
}

/// The decompressed bytes of the frame that `data` starts with. As in Kafka the blocks must be independent, the frame
/// must have its end mark, and what follows it is not looked at.
pub(super) fn reader(data: &[u8]) -> io::Result<impl Read + '_> {
    let end = frame_end(data).ok_or(io::ErrorKind::InvalidData)?;
    Ok(FrameDecoder::new(&data[..end]))
}

/// Where the frame ends, found by stepping over its blocks.
fn frame_end(data: &[u8]) -> Option<usize> {
    if !data.starts_with(&MAGIC) {
        return None;
    }
    let flags = *data.get(4)?;
    let version_1 = flags >> 6 == 1;
    let (independent, block_checksums) = (flags & 0x20 != 0, flags & 0x10 != 0);
    let (content_size, content_checksum) = (flags & 0x08 != 0, flags & 0x04 != 0);
    let reserved_or_dictionary = flags & 0x03 != 0;
    if !version_1 || !independent || reserved_or_dictionary {
        return None;
    }
    let mut at: usize = 7 + if content_size { 8 } else { 0 };
    loop {
        let length = u32::from_le_bytes(*data.get(at..)?.first_chunk::<4>()?);
        at += 4;
        if length == 0 {
            break;
        }
        at += (length & !STORED) as usize + if block_checksums { 4 } else { 0 };
    }
    let end = at + if content_checksum { 4 } else { 0 };
    (end <= data.len()).then_some(end)
}
