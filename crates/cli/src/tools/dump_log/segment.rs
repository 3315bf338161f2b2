//! The batches of a segment or of a metadata snapshot.

use super::decode::Decoder;
use super::records;
use super::report::Report;
use crate::failure::{Failure, While};
use crate::output;
use ottla_wire::batch::{BatchHeader, HEADER_SIZE, LOG_OVERHEAD, TimestampType, ValidBatch};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// What is shown of a segment.
pub(super) struct SegmentOptions {
    /// Whether records are shown under their batch.
    pub(super) records: bool,
    /// Whether keys and values are shown.
    pub(super) contents: bool,
    /// Whether offsets, timestamps and sizes of records are shown.
    pub(super) metadata: bool,
    /// How keys and values are read.
    pub(super) decoder: Decoder,
    /// Bytes to read; all if None.
    pub(super) bytes_max: Option<u64>,
}

/// Prints a segment's batches.
pub(super) fn dump(file: &Path, options: &SegmentOptions, report: &mut Report) -> Result<(), Failure> {
    title(file)?;
    let doing = || format!("read {}", file.display());
    let opened = File::open(file).during(doing)?;
    let len = opened.metadata().during(doing)?.len();
    let end = options.bytes_max.map_or(len, |limit| limit.min(len));
    let mut reader = BufReader::with_capacity(1 << 20, opened);
    let mut position = 0;
    let mut last_offset = -1;
    let mut bytes = Vec::new();
    while next(&mut reader, end - position, &mut bytes).during(doing)? {
        let header = BatchHeader::read(&bytes).during(doing)?;
        output::line(batch_line(header, &bytes, position));
        if options.records {
            records::print(&bytes, options, file, &mut last_offset, report)?;
        }
        position += bytes.len() as u64;
    }
    if position < end && options.bytes_max.is_none() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        output::line(format_args!("Found {} invalid bytes at the end of {name}", end - position));
    }
    Ok(())
}

fn title(file: &Path) -> Result<(), Failure> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name == "bootstrap.checkpoint" {
        output::line("KRaft bootstrap snapshot");
    } else if let Some(stem) = name.strip_suffix(".checkpoint") {
        let numbers = stem
            .split_once('-')
            .and_then(|(offset, epoch)| Some((offset.parse::<i64>().ok()?, epoch.parse::<i32>().ok()?)));
        let (offset, epoch) = numbers.ok_or_else(|| Failure::new(format!("{name:?} is no name of a snapshot")))?;
        output::line(format_args!("Snapshot end offset: {offset}, epoch: {epoch}"));
    } else {
        output::line(format_args!("Log starting offset: {}", super::base_offset(file)?));
    }
    Ok(())
}

/// Reads the next whole batch into `bytes`; false where what is left is none.
fn next(reader: &mut impl Read, left: u64, bytes: &mut Vec<u8>) -> std::io::Result<bool> {
    bytes.clear();
    if left < HEADER_SIZE as u64 {
        return Ok(false);
    }
    bytes.resize(HEADER_SIZE, 0);
    reader.read_exact(bytes)?;
    let length = i32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    let size = u64::try_from(length).unwrap_or(0) + LOG_OVERHEAD as u64;
    if size < HEADER_SIZE as u64 || size > left {
        return Ok(false);
    }
    // The size is at most what the file has left, so a hostile length reserves no more than the file's own bytes.
    bytes.resize(size as usize, 0);
    reader.read_exact(&mut bytes[HEADER_SIZE..])?;
    Ok(BatchHeader::read(bytes).is_ok())
}

fn batch_line(header: BatchHeader<'_>, bytes: &[u8], position: u64) -> String {
    let kind = timestamp_name(header.timestamp_type());
    let horizon = header
        .delete_horizon_ms()
        .map_or_else(|| "OptionalLong.empty".to_owned(), |horizon| format!("OptionalLong[{horizon}]"));
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} position: {position} \
         {kind}: {} size: {} magic: 2 compresscodec: {} crc: {} isvalid: {}",
        header.base_offset(),
        header.last_offset(),
        header.record_count(),
        header.base_sequence(),
        header.last_sequence(),
        header.producer_id(),
        header.producer_epoch(),
        header.leader_epoch(),
        header.is_transactional(),
        header.is_control(),
        header.max_timestamp(),
        bytes.len(),
        header.codec().map_or("unknown", |codec| codec.name()),
        header.crc(),
        ValidBatch::trusted(bytes).is_ok(),
    )
}

/// Kafka's name of a timestamp type.
pub(super) fn timestamp_name(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}
