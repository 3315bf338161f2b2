//! What foreign bytes go through, as functions that must not panic, hang or take memory without bound on any input.
#![forbid(unsafe_code)]

mod mutate;

#[allow(dead_code, unused_qualifications, reason = "the list that the tests of the messages share")]
#[path = "../../crates/messages/tests/messages/entry.rs"]
mod entry;
#[path = "../../crates/messages/tests/messages/list.rs"]
#[rustfmt::skip]
mod list;

pub use mutate::Mutator;

use ottla_messages::records::metadata::MetadataRecord;
use ottla_wire::batch::{Batches, DoorRules, ValidBatch};
use ottla_wire::codec::{Codec, decompress};
use ottla_wire::{ApiVersion, Cursor, Encoder, frame};

/// A wall clock that stands still, in ms since 1970.
const NOW: i64 = 1_800_000_000_000;
/// Most bytes that anything is decompressed to.
const LIMIT: usize = 1 << 20;

/// A way in for foreign bytes: its name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them; `targets/` has a program for each.
pub const TARGETS: &[Target] = &[
    ("batch_check", batch_check),
    ("batch_read", batch_read),
    ("codec_gzip", codec_gzip),
    ("codec_snappy", codec_snappy),
    ("codec_lz4", codec_lz4),
    ("codec_zstd", codec_zstd),
    ("frames", frames),
    ("cursor", cursor),
    ("message", message),
    ("metadata_record", metadata_record),
];

/// Puts the CRC of a batch right, so that an input reaches what lies behind the check of it.
fn sealed(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    if let Some(covered) = bytes.get(21..) {
        let crc = ottla_wire::batch::crc(covered);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

/// What a client produces: a batch that passes the door has the records that its header says.
pub fn batch_check(data: &[u8]) {
    let bytes = sealed(data);
    let rules =
        DoorRules { inflated_bytes_max: LIMIT, key_required: bytes.len().is_multiple_of(2), ..DoorRules::default() };
    let Ok(batch) = ValidBatch::check(&bytes, &rules, NOW) else { return };
    let mut scratch = Vec::new();
    let records = batch.records(&mut scratch, LIMIT).expect("what passed the door within the limit is within it");
    let readable = records.take_while(Result::is_ok).count();
    assert_eq!(readable, batch.record_count() as usize, "what passed the door can be read");
}

/// What a leader or a disk gives: batches in a row, their records and headers.
pub fn batch_read(data: &[u8]) {
    let bytes = sealed(data);
    for batch in Batches::new(&bytes) {
        let Ok(batch) = batch.and_then(|(_, bytes)| ValidBatch::trusted(bytes)) else { continue };
        let mut scratch = Vec::new();
        let Ok(records) = batch.records(&mut scratch, LIMIT) else { continue };
        for record in records.map_while(Result::ok) {
            assert_eq!(record.headers.iter().count(), record.headers.len());
        }
    }
}

fn codec(codec: Codec, data: &[u8]) {
    let mut out = Vec::new();
    if decompress(codec, data, LIMIT, &mut out).is_err() {
        assert!(out.len() <= LIMIT, "no more than the limit is taken");
    }
}

/// Gzip from outside.
pub fn codec_gzip(data: &[u8]) {
    codec(Codec::Gzip, data);
}

/// Snappy from outside.
pub fn codec_snappy(data: &[u8]) {
    codec(Codec::Snappy, data);
}

/// LZ4 from outside.
pub fn codec_lz4(data: &[u8]) {
    codec(Codec::Lz4, data);
}

/// Zstandard from outside.
pub fn codec_zstd(data: &[u8]) {
    codec(Codec::Zstd, data);
}

/// A connection's bytes.
pub fn frames(data: &[u8]) {
    let mut rest = data;
    let mut taken = 0;
    while let Ok(Some(found)) = frame::split(&mut rest, 1_000) {
        assert!(found.len() <= 1_000);
        taken += frame::PREFIX + found.len();
    }
    assert_eq!(taken + rest.len(), data.len());
}

/// Primitives of the protocol, one after the other as the first bytes choose.
pub fn cursor(data: &[u8]) {
    let (choices, bytes) = data.split_at(data.len().min(8));
    let mut cursor = Cursor::new(bytes);
    for choice in choices {
        let flexible = choice & 0x80 != 0;
        let read = match choice & 0x0f {
            0 => cursor.uvarint().map(drop),
            1 => cursor.varint().map(drop),
            2 => cursor.varlong().map(drop),
            3 => cursor.nullable_string(flexible, "text").map(drop),
            4 => cursor.nullable_bytes(flexible, "bytes").map(drop),
            5 => cursor.count(flexible, usize::from(choice >> 4), "array").map(drop),
            6 => cursor.skip_tags(),
            7 => cursor.uuid().map(drop),
            8 => cursor.descend(),
            _ => cursor.i8().map(drop),
        };
        assert!(cursor.remaining() <= bytes.len());
        if read.is_err() {
            return;
        }
    }
}

/// Any message in any version: three bytes choose which, the rest is its body. What is read can be written, and is
/// read again then.
pub fn message(data: &[u8]) {
    let Some(([high, low, version], body)) = data.split_first_chunk::<3>() else { return };
    let entry = &list::MESSAGES[usize::from(u16::from_be_bytes([*high, *low])) % list::MESSAGES.len()];
    let versions = entry.last - entry.first + 1;
    let version = ApiVersion(entry.first + i16::from(*version) % versions);
    let mut out = Encoder::new();
    if (entry.pass)(body, version, &mut out).is_ok() {
        assert!((entry.read)(out.bytes(), version), "{} refuses what it wrote", entry.name);
    }
}

/// A value in the metadata log.
pub fn metadata_record(data: &[u8]) {
    if let Ok((record, version)) = MetadataRecord::decode(data) {
        let mut out = Encoder::new();
        if record.encode(&mut out, version).is_ok() {
            assert_eq!(MetadataRecord::decode(out.bytes()), Ok((record, version)));
        }
    }
}

/// The default of every message in its last version, as inputs for [`message`].
#[must_use]
pub fn message_seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (at, entry) in list::MESSAGES.iter().enumerate() {
        let mut out = Encoder::new();
        if (entry.default)(ApiVersion(entry.last), &mut out).is_ok() {
            let version = (entry.last - entry.first) as u8;
            let mut seed = (at as u16).to_be_bytes().to_vec();
            seed.push(version);
            seed.extend_from_slice(out.bytes());
            seeds.push((entry.name.to_owned(), seed));
        }
    }
    seeds
}
