//! Compares servers: the same work on each in turn, round after round, medians and ratios at the end.

pub(crate) mod report;
pub(crate) mod works;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Doing, Failure, Result};
use crate::load::{Measured, fetch, produce};
use crate::protocol::{Client, frame, topics};
use crate::server::{Floor, Kind, Server, process};
use report::{Report, Row};
use works::{Load, Work};

/// Bytes written into each partition before it is fetched from.
const FETCH_PARTITION_BYTES: usize = 128 << 20;
/// Records and bytes of a value in the batches that are fetched.
const FETCH_BATCH: (u32, usize) = (64, 1 << 10);
/// Topics are deleted from disk at once, so that one run leaves no work for the next.
const TOPIC_CONFIGS: &[(&str, &str)] = &[("file.delete.delay.ms", "0")];
/// Room for the next run while the last one's files are being removed.
const SETTLE: Duration = Duration::from_millis(500);

/// Arguments of `compare`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// Works to run, all without one: 1x1k 16x1k 64x1k 256x1k 100c open50 open100 durable1 durable16 durable100 fetch.
    works: Vec<String>,
    /// Servers instead of the usual ones of each work.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<Kind>,
    /// Rounds; the report shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds measured in each run.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds of load before measuring.
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Seconds of load on each broker before the first round, so that a JVM has compiled its code.
    #[arg(long, default_value_t = 10.0)]
    prepare: f64,
    /// GiB of page cache touched before the first round.
    #[arg(long, default_value_t = 4)]
    warm_cache: u64,
    /// Folder for the servers' data.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Also writes every run and the medians to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Runs the comparison and prints the report.
pub(crate) fn run(options: &Options) -> Result<()> {
    let works = chosen(options)?;
    let folder = crate::scratch_folder(options.folder.as_deref())?;
    let mut stage = Stage { folder: folder.path().to_owned(), brokers: BTreeMap::new(), number: 0 };
    warm_cache(&stage.folder, options.warm_cache)?;
    stage.prepare(&works, options)?;
    let mut report = Report::default();
    for round in 0..options.rounds {
        for (work, servers) in &works {
            for kind in servers {
                eprintln!("round {} {} {}", round + 1, work.name, kind.name());
                let row = stage.measure(work, *kind, options)?;
                report.add(work, *kind, row);
            }
        }
    }
    print!("{}", report.text());
    match &options.json {
        Some(path) => std::fs::write(path, format!("{:#}\n", report.json())).doing("write the JSON file"),
        None => Ok(()),
    }
}

fn chosen(options: &Options) -> Result<Vec<(Work, Vec<Kind>)>> {
    let all = works::all();
    if let Some(unknown) = options.works.iter().find(|name| all.iter().all(|work| work.name != *name)) {
        return Err(Failure::Said(format!("there is no work {unknown}")));
    }
    let wanted =
        all.into_iter().filter(|work| options.works.is_empty() || options.works.iter().any(|name| name == work.name));
    Ok(wanted
        .map(|work| {
            let servers = if options.servers.is_empty() { work.servers.to_vec() } else { options.servers.clone() };
            (work, servers)
        })
        .collect())
}

/// Writes and removes a file, so that the machine has handed out the memory that the runs will use.
fn warm_cache(folder: &Path, gibibytes: u64) -> Result<()> {
    let path = folder.join("warm");
    let mut file = std::fs::File::create(&path).doing("create a file")?;
    let chunk = vec![0x5a; 1 << 20];
    (0..gibibytes << 10).try_for_each(|_| std::io::Write::write_all(&mut file, &chunk)).doing("warm the page cache")?;
    std::fs::remove_file(&path).doing("remove a file")
}

/// The brokers of the comparison, all running side by side.
struct Stage {
    folder: PathBuf,
    brokers: BTreeMap<&'static str, Server>,
    number: u32,
}

impl Stage {
    fn prepare(&mut self, works: &[(Work, Vec<Kind>)], options: &Options) -> Result<()> {
        for kind in works.iter().flat_map(|(_, servers)| servers).filter(|kind| kind.is_broker()) {
            if self.brokers.contains_key(kind.name()) {
                continue;
            }
            eprintln!("starting {}", kind.name());
            let mut server = Server::prepare(*kind, &self.folder.join(kind.name()))?;
            server.format()?;
            server.start()?;
            self.brokers.insert(kind.name(), server);
            let all = works::all();
            let seconds = Duration::from_secs_f64(options.prepare / 2.0);
            for work in all.iter().filter(|work| ["1x1k", "16x1k"].contains(&work.name)) {
                self.run(work, *kind, produce::Run { warm_up: Duration::ZERO, measured: seconds, server: None })?;
            }
        }
        Ok(())
    }

    fn measure(&mut self, work: &Work, kind: Kind, options: &Options) -> Result<Row> {
        let run = produce::Run {
            warm_up: Duration::from_secs_f64(options.warm_up),
            measured: Duration::from_secs_f64(options.seconds),
            server: None,
        };
        let (measured, resident) = self.run(work, kind, run)?;
        Ok(Row::new(&measured, resident))
    }

    /// One run on a topic or file of its own, removed afterwards; answers the server's resident memory too.
    fn run(&mut self, work: &Work, kind: Kind, run: produce::Run) -> Result<(Measured, u64)> {
        self.number += 1;
        let name = format!("bench-{}", self.number);
        let done = match &work.load {
            Load::Produce(shape) if kind.is_broker() => self.produce(kind, &name, shape, run),
            Load::Fetch(shape) if kind.is_broker() => self.fetch(kind, &name, shape, run),
            Load::Produce(shape) => floor_produce(&self.folder.join(&name), shape, run),
            Load::Fetch(shape) => floor_fetch(&self.folder.join(&name), shape, run),
        };
        std::thread::sleep(SETTLE);
        done
    }

    fn broker(&mut self, kind: Kind) -> Result<&mut Server> {
        self.brokers.get_mut(kind.name()).ok_or_else(|| Failure::Said(format!("{} was not started", kind.name())))
    }

    fn produce(
        &mut self,
        kind: Kind,
        topic: &str,
        shape: &produce::Shape,
        run: produce::Run,
    ) -> Result<(Measured, u64)> {
        let server = self.broker(kind)?;
        let run = produce::Run { server: Some(server.pid()?), ..run };
        let mut client = server.connect()?;
        create(&mut client, topic, shape.partitions)?;
        let measured = produce::run(server.address(), topic, shape, run)?;
        let resident = process::resident(server.pid()?)?;
        // A connection that was idle for the whole of a long run has been closed.
        topics::delete(&mut server.connect()?, topic)?;
        Ok((measured, resident))
    }

    fn fetch(&mut self, kind: Kind, topic: &str, shape: &fetch::Shape, run: produce::Run) -> Result<(Measured, u64)> {
        let server = self.broker(kind)?;
        let run = produce::Run { server: Some(server.pid()?), ..run };
        let mut client = server.connect()?;
        create(&mut client, topic, shape.partitions)?;
        let offsets = fill(&mut client, topic, shape)?;
        let shape = fetch::Shape { offsets, ..shape.clone() };
        let measured = fetch::run(server.address(), topic, &shape, run)?;
        let resident = process::resident(server.pid()?)?;
        topics::delete(&mut client, topic)?;
        Ok((measured, resident))
    }
}

fn create(client: &mut Client, topic: &str, partitions: i32) -> Result<()> {
    topics::create(client, &topics::NewTopic { name: topic, partitions, configs: TOPIC_CONFIGS })?;
    topics::ack_every_partition(client, topic, partitions)
}

/// Writes every partition full of batches of one size; answers offsets about one fetch apart.
fn fill(client: &mut Client, topic: &str, shape: &fetch::Shape) -> Result<Vec<i64>> {
    let (records, size) = FETCH_BATCH;
    let batch = frame::batch(records, size, None)?;
    let batches = FETCH_PARTITION_BYTES / batch.len();
    for partition in 0..shape.partitions {
        let frame = frame::produce(topic, -1, &[(partition, &batch)])?;
        for _ in 0..batches {
            client.exchange(frame.clone(), true)?;
        }
    }
    let batches_a_fetch = shape.bytes as usize / batch.len();
    let last = batches.saturating_sub(batches_a_fetch + 1);
    Ok((0..last).step_by(batches_a_fetch).map(|number| number as i64 * i64::from(records)).collect())
}

fn floor_produce(folder: &Path, shape: &produce::Shape, run: produce::Run) -> Result<(Measured, u64)> {
    let floor = Floor::start(&["produce".to_owned(), "--folder".to_owned(), folder.display().to_string()])?;
    let run = produce::Run { server: Some(floor.pid()), ..run };
    let measured = produce::run(floor.address, "floor", shape, run)?;
    let resident = process::resident(floor.pid())?;
    drop(floor);
    std::fs::remove_dir_all(folder).doing("remove the floor's files")?;
    Ok((measured, resident))
}

fn floor_fetch(path: &Path, shape: &fetch::Shape, run: produce::Run) -> Result<(Measured, u64)> {
    let bytes = (FETCH_PARTITION_BYTES * shape.partitions as usize).to_string();
    let part = shape.bytes.to_string();
    let path_text = path.display().to_string();
    let (records, size) = FETCH_BATCH;
    let batch = frame::batch(records, size, None)?.len().to_string();
    let arguments = ["fetch", "--file", &path_text, "--file-bytes", &bytes, "--bytes", &part, "--batch-bytes", &batch];
    let floor = Floor::start(&arguments.map(str::to_owned))?;
    let run = produce::Run { server: Some(floor.pid()), ..run };
    let shape = fetch::Shape { offsets: vec![0], ..shape.clone() };
    let measured = fetch::run(floor.address, "floor", &shape, run)?;
    let resident = process::resident(floor.pid())?;
    drop(floor);
    std::fs::remove_file(path).doing("remove the floor's file")?;
    Ok((measured, resident))
}
