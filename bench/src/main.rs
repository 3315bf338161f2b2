//! Measures Ottla, Apache Kafka and a floor server by the same work on the same machine.
#![forbid(unsafe_code)]

mod compare;
mod failure;
mod floor;
mod groups;
mod load;
mod proof;
mod protocol;
mod server;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Parser, Subcommand};

use failure::{Doing, Result};

#[derive(Parser)]
#[command(
    name = "ottla-bench",
    about = "Measures Ottla, Apache Kafka and a floor server by the same work on the same machine."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs works on several servers in turn and prints medians and ratios.
    Compare(compare::Options),
    /// Sends produce load to a broker that already runs.
    Produce(Produce),
    /// Exec to first acknowledgement, and idle memory.
    Startup(proof::startup::Options),
    /// Many partitions: created, idle, restarted.
    Partitions(proof::partitions::Options),
    /// Much data, kill -9, serving again.
    Recovery(proof::recovery::Options),
    /// kafka-producer-perf-test against each server.
    Performance(proof::performance::Options),
    /// Kills the broker under idempotent load, round after round, and checks every acknowledgement.
    Kill9(proof::kill9::Options),
    /// Consumer groups: commits, loading, idle members, rebalances, take-overs.
    Groups(groups::Options),
    /// Runs a floor server until killed; prints its address.
    #[command(subcommand)]
    Floor(Floor),
}

#[derive(clap::Args)]
struct Produce {
    /// The broker.
    #[arg(long, default_value = "127.0.0.1:9092")]
    address: String,
    /// Topic, created when it is not there.
    #[arg(long, default_value = "bench")]
    topic: String,
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests in flight on each connection.
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    /// Records of each batch.
    #[arg(long, default_value_t = 16)]
    records: u32,
    /// Bytes of each value.
    #[arg(long, default_value_t = 1024)]
    size: usize,
    #[arg(long, default_value_t = 4)]
    partitions: i32,
    /// Requests a second of an open loop; without it the loop is closed.
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    acks: i16,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Process of the broker, to count its CPU.
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Subcommand)]
enum Floor {
    /// Receive, check the CRC, append to a file, answer.
    Produce {
        /// Folder of the files.
        #[arg(long)]
        folder: PathBuf,
    },
    /// Answer every request with the next part of a file by sendfile.
    Fetch {
        /// The file; written first.
        #[arg(long)]
        file: PathBuf,
        /// Its size.
        #[arg(long, default_value_t = 1 << 30)]
        file_bytes: u64,
        /// Bytes of each answer.
        #[arg(long, default_value_t = 1 << 20)]
        bytes: u32,
        /// Bytes written at once.
        #[arg(long, default_value_t = 64 << 10)]
        batch_bytes: usize,
    },
    /// Answer each heartbeat that all is well.
    Heartbeat,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ottla-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Compare(options) => compare::run(&options),
        Command::Produce(options) => produce(&options),
        Command::Startup(options) => proof::startup::run(&options),
        Command::Partitions(options) => proof::partitions::run(&options),
        Command::Recovery(options) => proof::recovery::run(&options),
        Command::Performance(options) => proof::performance::run(&options),
        Command::Kill9(options) => proof::kill9::run(&options),
        Command::Groups(options) => groups::run(&options),
        Command::Floor(Floor::Produce { folder }) => floor::produce::run(folder),
        Command::Floor(Floor::Fetch { file, file_bytes, bytes, batch_bytes }) => {
            floor::fetch::run(file, file_bytes, (bytes, batch_bytes))
        }
        Command::Floor(Floor::Heartbeat) => floor::heartbeat::run(),
    }
}

fn produce(options: &Produce) -> Result<()> {
    let address = protocol::topics::address(&options.address)?;
    let mut client = protocol::Client::connect(address)?;
    let topic = protocol::topics::NewTopic { name: &options.topic, partitions: options.partitions, configs: &[] };
    match protocol::topics::create(&mut client, &topic) {
        Err(failure::Failure::Refused { code, .. }) if code == ottla_wire::ErrorCode::TOPIC_ALREADY_EXISTS => {}
        other => other?,
    }
    protocol::topics::ack_every_partition(&mut client, &options.topic, options.partitions)?;
    let shape = load::produce::Shape {
        connections: options.connections,
        in_flight: options.in_flight,
        records: options.records,
        size: options.size,
        partitions: options.partitions,
        rate: options.rate,
        acks: options.acks,
    };
    let measured = Duration::from_secs_f64(options.seconds);
    let run = load::produce::Run { warm_up: measured / 5, measured, server: options.pid };
    let measured = load::produce::run(address, &options.topic, &shape, run)?;
    let seconds = measured.window.as_secs_f64();
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| measured.latency.quantile(share));
    println!(
        "{:.0} req/s  {:.1} MB/s  p50 {p50:.2?}  p99 {p99:.2?}  p99.9 {p999:.2?}",
        measured.requests as f64 / seconds,
        measured.bytes as f64 / 1e6 / seconds
    );
    if let Some(cpu) = measured.server_cpu {
        println!("{:.2} µs of CPU a request", cpu.as_secs_f64() * 1e6 / measured.requests.max(1) as f64);
    }
    Ok(())
}

/// Milliseconds since 1970.
fn wall_ms() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A folder for the data of a run, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind lies in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A new folder under `parent`, or under the system's temporary folder.
fn scratch_folder(parent: Option<&Path>) -> Result<Scratch> {
    let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
    let path = parent.join(format!("ottla-bench-{}-{}", std::process::id(), wall_ms()));
    std::fs::create_dir_all(&path).doing("create a folder")?;
    Ok(Scratch(path))
}
