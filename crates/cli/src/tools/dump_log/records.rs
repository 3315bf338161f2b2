//! The records of a batch, a line each.

use super::report::{Misfit, Report};
use super::segment::{SegmentOptions, timestamp_name};
use crate::failure::{Failure, While};
use crate::output;
use ottla_wire::batch::{ControlKind, EndTxn, Record, ValidBatch};
use std::path::Path;

/// Most bytes that one compressed batch may unfold to.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// Prints the records of one batch. A batch that does not read is told about, and its records are left out.
pub(super) fn print(
    bytes: &[u8],
    options: &SegmentOptions,
    file: &Path,
    last_offset: &mut i64,
    report: &mut Report,
) -> Result<(), Failure> {
    let batch = match ValidBatch::trusted(bytes) {
        Ok(batch) => batch,
        Err(error) => {
            output::note(format_args!("the records of this batch are left out: {error}"));
            return Ok(());
        }
    };
    let doing = || format!("read the batch at offset {}", batch.base_offset());
    let mut unfolded = Vec::new();
    for record in batch.records(&mut unfolded, BATCH_BYTES_MAX).during(doing)? {
        let record = record.during(doing)?;
        if record.offset.0 != *last_offset + 1 {
            report.note(Misfit::Gap, file, *last_offset, record.offset.0);
        }
        *last_offset = record.offset.0;
        output::line(line(&batch, &record, options)?);
    }
    Ok(())
}

fn line(batch: &ValidBatch<'_>, record: &Record<'_>, options: &SegmentOptions) -> Result<String, Failure> {
    let mut line = String::new();
    if options.metadata {
        let kind = timestamp_name(batch.timestamp_type());
        let size = |part: Option<&[u8]>| part.map_or(-1, |part| part.len() as i64);
        let keys: Vec<_> = record.headers.iter().map(|header| String::from_utf8_lossy(header.key)).collect();
        line = format!(
            "| offset: {} {kind}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
            record.offset,
            record.timestamp,
            size(record.key),
            size(record.value),
            record.sequence,
            keys.join(",")
        );
        if batch.is_control() {
            line.push_str(&control(record)?);
        }
    }
    if options.contents && !batch.is_control() {
        let mut prefix = if options.metadata { " " } else { "| " };
        let (key, payload) = options.decoder.show(record).map_err(Failure::new)?;
        if let Some(key) = key {
            line.push_str(&format!("{prefix}key: {key}"));
            prefix = " ";
        }
        if let Some(payload) = payload {
            line.push_str(&format!("{prefix}payload: {payload}"));
        }
    }
    Ok(line)
}

fn control(record: &Record<'_>) -> Result<String, Failure> {
    let doing = || format!("read the control record at offset {}", record.offset);
    let kind = ControlKind::parse(record.key).during(doing)?;
    Ok(match kind {
        ControlKind::Abort | ControlKind::Commit => {
            let end = EndTxn::parse(record.value).during(doing)?;
            let name = if kind == ControlKind::Abort { "ABORT" } else { "COMMIT" };
            format!(" endTxnMarker: {name} coordinatorEpoch: {}", end.coordinator_epoch)
        }
        other => super::decode::control(other, record.value.unwrap_or_default()),
    })
}
