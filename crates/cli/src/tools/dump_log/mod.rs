//! `ottla dump-log`: log segments, indexes, snapshots and metadata as text, in the lines of `kafka-dump-log`.

mod decode;
mod index;
mod records;
mod report;
mod segment;
mod snapshot;

use crate::failure::{Failure, While};
use crate::output;
use decode::Decoder;
use report::Report;
use segment::SegmentOptions;
use std::path::{Path, PathBuf};

/// The largest batch looked at from an index entry, Kafka's default of `--max-message-size`.
const MESSAGE_BYTES: usize = 5 * 1024 * 1024;

/// Print log segments, indexes, snapshots and metadata.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Files to print, separated by commas: .log, .checkpoint, .index, .timeindex, .txnindex, .snapshot.
    #[arg(long, required = true, value_delimiter = ',')]
    files: Vec<PathBuf>,
    /// Print keys and values too.
    #[arg(long)]
    print_data_log: bool,
    /// Print every record, not only the batches.
    #[arg(long)]
    deep_iteration: bool,
    /// Check an index as a starting broker does, and print nothing of it.
    #[arg(long)]
    index_sanity_check: bool,
    /// Hold an index against its log without printing its entries.
    #[arg(long)]
    verify_index_only: bool,
    /// Bytes of a log to read.
    #[arg(long)]
    max_bytes: Option<u64>,
    /// Largest batch, in bytes, looked at from an index entry.
    #[arg(long, default_value_t = MESSAGE_BYTES)]
    max_message_size: usize,
    /// Leave out the records' offsets, timestamps and sizes.
    #[arg(long)]
    skip_record_metadata: bool,
    /// Read values as records of the metadata log.
    #[arg(long)]
    cluster_metadata_decoder: bool,
    /// Read keys and values as records of __consumer_offsets.
    #[arg(long)]
    offsets_decoder: bool,
    /// Read keys and values as records of __transaction_state.
    #[arg(long)]
    transaction_log_decoder: bool,
    /// Read keys and values as records of __share_group_state.
    #[arg(long)]
    share_group_state_decoder: bool,
}

impl Arguments {
    /// The first that was asked for, in the order of Kafka's tool.
    fn decoder(&self) -> Decoder {
        let asked = [
            (self.offsets_decoder, Decoder::Offsets),
            (self.transaction_log_decoder, Decoder::Transactions),
            (self.cluster_metadata_decoder, Decoder::Metadata),
            (self.share_group_state_decoder, Decoder::Shares),
        ];
        asked.into_iter().find(|(is_asked, _)| *is_asked).map_or(Decoder::Text, |(_, decoder)| decoder)
    }
}

/// Prints the files, then what does not fit between them.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut report = Report::default();
    for file in &arguments.files {
        output::line(format_args!("Dumping {}", file.display()));
        dump(arguments, file, &mut report)?;
    }
    report.print();
    Ok(())
}

fn dump(arguments: &Arguments, file: &Path, report: &mut Report) -> Result<(), Failure> {
    // Before its name is looked at: a name that was mistyped is no file.
    std::fs::metadata(file).during(|| format!("read {}", file.display()))?;
    let show = index::Show {
        entries: !arguments.verify_index_only,
        sanity_only: arguments.index_sanity_check,
        batch_bytes_max: arguments.max_message_size,
    };
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("log" | "checkpoint") => {
            let decoder = arguments.decoder();
            let contents = arguments.print_data_log || decoder != Decoder::Text;
            let options = SegmentOptions {
                records: arguments.deep_iteration || contents,
                contents,
                metadata: !arguments.skip_record_metadata,
                decoder,
                bytes_max: arguments.max_bytes,
            };
            segment::dump(file, &options, report)
        }
        Some("index") => index::dump_offsets(file, &show, report),
        Some("timeindex") => index::dump_times(file, &show, report),
        Some("txnindex") => index::dump_transactions(file),
        Some("snapshot") => snapshot::dump(file),
        Some(_) | None => {
            output::note(format_args!("Ignoring unknown file {}", file.display()));
            Ok(())
        }
    }
}

/// All bytes of a file.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).during(|| format!("read {}", file.display()))
}

/// The base offset that a segment file's name says.
fn base_offset(file: &Path) -> Result<i64, Failure> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let number = name.split(['.', '-']).next().unwrap_or_default();
    number.parse().during(|| format!("read a base offset from the name {name:?}"))
}
