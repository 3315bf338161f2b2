//! `ottla console-producer`: lines of standard input become records of a topic.

mod line;
mod partitioner;
mod send;

use crate::failure::{Failure, While};
use crate::properties;
use line::LineFormat;
use send::Sender;
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Lines read ahead of what is sent.
const LINES_AHEAD: usize = 1024;

/// Send lines from standard input to a topic.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Brokers to connect to, `host:port,…`.
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// The topic to send to.
    #[arg(long)]
    topic: String,
    /// Send each line at once and wait for its acknowledgement.
    #[arg(long)]
    sync: bool,
    /// none, gzip, snappy, lz4 or zstd; gzip if no codec is named.
    #[arg(long, num_args = 0..=1, default_missing_value = "gzip", default_value = "none")]
    compression_codec: String,
    /// Bytes gathered for one batch.
    #[arg(long, default_value_t = 16384)]
    batch_size: usize,
    /// Milliseconds that a record may wait for its batch to fill.
    #[arg(long, default_value_t = 5)]
    timeout: u64,
    /// Milliseconds until an unanswered request fails.
    #[arg(long, default_value_t = 30_000)]
    request_timeout_ms: i32,
    /// Replicas that must have a record before it counts: all, 1 or 0.
    #[arg(long, default_value = "all", allow_hyphen_values = true)]
    request_required_acks: String,
    /// How a line is read, `parse.key=true`, `key.separator=:` and so on; may be repeated.
    #[arg(long, visible_alias = "property")]
    reader_property: Vec<String>,
}

/// Reads lines until the input ends, sending them in batches.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let format = LineFormat::new(&pairs(&arguments.reader_property)?).map_err(Failure::new)?;
    let settings = settings(arguments)?;
    let mut sender = Sender::new(&settings)?;
    let lines = read_lines();
    let linger = Duration::from_millis(arguments.timeout);
    let mut number = 0;
    let mut due: Option<Instant> = None;
    loop {
        match next(&lines, due) {
            Next::Line(line) => {
                number += 1;
                sender.add(format.read(number, &line?).map_err(Failure::new)?)?;
                due = due.or(Some(Instant::now() + linger));
                if arguments.sync || sender.is_full(arguments.batch_size) {
                    sender.flush()?;
                    due = None;
                }
            }
            Next::Due => {
                sender.flush()?;
                due = None;
            }
            Next::End => return sender.flush(),
        }
    }
}

fn settings(arguments: &Arguments) -> Result<send::Settings, Failure> {
    let acks = match arguments.request_required_acks.as_str() {
        "all" | "-1" => -1,
        "1" => 1,
        "0" => 0,
        other => return Err(Failure::new(format!("--request-required-acks must be all, 1 or 0, not {other:?}"))),
    };
    Ok(send::Settings {
        bootstrap: arguments.bootstrap_server.clone(),
        topic: arguments.topic.clone(),
        codec: send::codec(&arguments.compression_codec)?,
        acks,
        timeout_ms: arguments.request_timeout_ms,
    })
}

/// What there is to do next.
enum Next {
    Line(Result<String, Failure>),
    Due,
    End,
}

fn next(lines: &Receiver<Result<String, Failure>>, due: Option<Instant>) -> Next {
    let Some(due) = due else {
        return lines.recv().map_or(Next::End, Next::Line);
    };
    match lines.recv_timeout(due.saturating_duration_since(Instant::now())) {
        Ok(line) => Next::Line(line),
        Err(RecvTimeoutError::Timeout) => Next::Due,
        Err(RecvTimeoutError::Disconnected) => Next::End,
    }
}

/// Reads standard input on a thread of its own, so that a waiting batch is sent while the next line is typed.
fn read_lines() -> Receiver<Result<String, Failure>> {
    let (sender, receiver) = sync_channel(LINES_AHEAD);
    let interactive = std::io::stdin().is_terminal();
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lock().lines();
        loop {
            if interactive {
                print!(">");
                // A prompt that cannot be shown is no reason to lose input.
                drop(std::io::stdout().flush());
            }
            let Some(line) = lines.next() else { return };
            if sender.send(line.during(|| "read standard input".to_owned())).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Properties given as arguments.
fn pairs(arguments: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    arguments.iter().map(|text| properties::pair(text).map_err(|error| Failure::new(error.to_string()))).collect()
}
