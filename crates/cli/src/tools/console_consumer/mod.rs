//! `ottla console-consumer`: prints the records of a topic as they come.

mod fetch;
mod format;
mod position;

use crate::client::cluster::Cluster;
use crate::failure::{Failure, While};
use crate::properties;
use fetch::Reader;
use format::RecordFormat;
use position::From;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long the broker may hold an empty answer.
const POLL: Duration = Duration::from_millis(500);

/// Print the records of a topic.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Brokers to connect to, `host:port,…`.
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// The topic to read.
    #[arg(long)]
    topic: String,
    /// The one partition to read; all of them if left out.
    #[arg(long)]
    partition: Option<i32>,
    /// Where to start in --partition: an offset, `earliest` or `latest`.
    #[arg(long, requires = "partition", conflicts_with = "from_beginning")]
    offset: Option<String>,
    /// Start at the earliest record instead of the next one to come.
    #[arg(long)]
    from_beginning: bool,
    /// Records to print before ending.
    #[arg(long)]
    max_messages: Option<u64>,
    /// Milliseconds without a record after which to end.
    #[arg(long)]
    timeout_ms: Option<u64>,
    /// What is printed, `print.key=true`, `key.separator=:` and so on; may be repeated.
    #[arg(long, visible_alias = "property")]
    formatter_property: Vec<String>,
    /// read_uncommitted or read_committed.
    #[arg(long, default_value = "read_uncommitted")]
    isolation_level: String,
}

/// Prints records until the count, the timeout or Ctrl-C ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let pairs = arguments.formatter_property.iter().map(|text| properties::pair(text));
    let pairs = pairs.collect::<Result<_, _>>().map_err(|error| Failure::new(error.to_string()))?;
    let format = RecordFormat::new(&pairs).map_err(Failure::new)?;
    let committed = match arguments.isolation_level.as_str() {
        "read_committed" => true,
        "read_uncommitted" => false,
        other => {
            let text = format!("--isolation-level must be read_committed or read_uncommitted, not {other:?}");
            return Err(Failure::new(text));
        }
    };
    let mut cluster = Cluster::connect(&arguments.bootstrap_server)?;
    let topic = cluster.topic(&arguments.topic, true)?;
    let positions = position::find(&mut cluster, &topic, arguments.partition, start(arguments)?)?;
    let mut printer = Printer { format, left: arguments.max_messages, printed: 0 };
    let mut reader = Reader::new(cluster, topic, positions, committed);
    let ended = read(&mut reader, &mut printer, arguments.timeout_ms.map(Duration::from_millis));
    eprintln!("Processed a total of {} messages", printer.printed);
    ended
}

fn start(arguments: &Arguments) -> Result<From, Failure> {
    match arguments.offset.as_deref() {
        None if arguments.from_beginning => Ok(From::Earliest),
        None | Some("latest") => Ok(From::Latest),
        Some("earliest") => Ok(From::Earliest),
        Some(text) => match text.parse() {
            Ok(offset) if offset >= 0 => Ok(From::Offset(offset)),
            Ok(_) | Err(_) => {
                Err(Failure::new(format!("--offset must be earliest, latest or a number from 0, not {text:?}")))
            }
        },
    }
}

struct Printer {
    format: RecordFormat,
    left: Option<u64>,
    printed: u64,
}

fn read(reader: &mut Reader, printer: &mut Printer, patience: Option<Duration>) -> Result<(), Failure> {
    let mut last = Instant::now();
    let mut out = Vec::new();
    while printer.left != Some(0) {
        let wait = patience.map_or(POLL, |patience| POLL.min(patience));
        let before = printer.printed;
        reader.poll(wait, &mut |record| {
            if printer.left == Some(0) {
                return;
            }
            printer.format.write(record, &mut out);
            printer.printed += 1;
            printer.left = printer.left.map(|left| left - 1);
        })?;
        let mut screen = std::io::stdout().lock();
        screen.write_all(&out).and_then(|()| screen.flush()).during(|| "write to standard output".to_owned())?;
        out.clear();
        if printer.printed > before {
            last = Instant::now();
        } else if patience.is_some_and(|patience| last.elapsed() > patience) {
            return Ok(());
        }
    }
    Ok(())
}
