//! Kills the broker under idempotent load, round after round: what was acknowledged is there, once, in order.
//!
//! Each producer has a partition to itself, so record `n` must get offset `n`. After a kill it sends what was not
//! acknowledged again with the same sequence numbers; a record lost or written twice shifts every offset after it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ottla_messages::produce::ProduceResponse;
use ottla_wire::Cursor;
use ottla_wire::batch::{BatchBuilder, NewRecord, Producer};
use ottla_wire::ids::Offset;

use super::kill9_reader;
use crate::failure::{Failure, Result, accept};
use crate::protocol::{Client, frame, topics};
use crate::server::{Kind, Server};

const TOPIC: &str = "kill9";
const RECORDS_A_BATCH: i64 = 4;
const VALUE_SIZE: usize = 200;
/// A producer that gets no acknowledgement for so long after a start has found a fault.
const PROGRESS_WITHIN: Duration = Duration::from_secs(60);
const RETRY_EVERY: Duration = Duration::from_millis(5);
/// Load runs this long before a kill: from the shortest to the longest.
const LIFE_MS: (u64, u64) = (200, 800);

/// Arguments of `kill9`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// The server; several take turns on the same directory.
    #[arg(long, value_delimiter = ',', default_value = "ottla")]
    server: Vec<Kind>,
    /// How a server's turn ends.
    #[arg(long, default_value = "kill")]
    end: End,
    /// Kills.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Producers, each with a partition to itself.
    #[arg(long, default_value_t = 8)]
    producers: i32,
    /// Requests in flight of each producer, at most 5. Apache Kafka's snapshots know a producer's last batch alone, so with more
    /// than one it may refuse after a start what it had written before.
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    /// Folder for the server's data.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// How a server's turn ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum End {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and the server's own clean stop.
    Stop,
}

/// Runs the rounds; fails at the first record lost, repeated or out of order.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = crate::scratch_folder(options.folder.as_deref())?;
    let mut server = super::formatted(options.server[0], folder.path())?;
    server.start()?;
    let mut client = server.connect()?;
    topics::create(&mut client, &topics::NewTopic { name: TOPIC, partitions: options.producers, configs: &[] })?;
    let ids: Result<Vec<Producer>> = (0..options.producers).map(|_| topics::new_producer(&mut client)).collect();
    let acknowledged: Vec<AtomicI64> = (0..options.producers).map(|_| AtomicI64::new(0)).collect();
    let stop = AtomicBool::new(false);
    let (address, in_flight) = (server.address(), options.in_flight);
    std::thread::scope(|scope| -> Result<()> {
        let producers: Vec<_> = (ids?.into_iter().zip(&acknowledged).zip(0..))
            .map(|((producer, acknowledged), partition)| {
                let stop = &stop;
                scope.spawn(move || {
                    let unacknowledged = VecDeque::new();
                    let mut load = Load { producer, partition, in_flight, next: 0, unacknowledged, acknowledged };
                    let done = load.run_until(address, stop);
                    stop.fetch_or(done.is_err(), Relaxed);
                    done
                })
            })
            .collect();
        let rounds = kill_rounds(&mut server, options, &acknowledged, &stop);
        stop.store(true, Relaxed);
        for producer in producers {
            producer.join().map_err(|_| Failure::Said("a producer panicked".to_owned()))??;
        }
        rounds
    })?;
    let total = verify(&mut server, &acknowledged)?;
    println!("ok   {} ends, {total} records acknowledged, none lost, none twice, all in order", options.rounds);
    Ok(())
}

fn kill_rounds(server: &mut Server, options: &Options, acknowledged: &[AtomicI64], stop: &AtomicBool) -> Result<()> {
    let mut chance = u64::from(std::process::id()) | 1;
    wait_for_progress(acknowledged, stop)?;
    for round in 1..=options.rounds {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(LIFE_MS.0 + (chance >> 33) % (LIFE_MS.1 - LIFE_MS.0)));
        match options.end {
            End::Kill => server.kill()?,
            End::Stop => server.stop()?,
        }
        server.kind = options.server[round as usize % options.server.len()];
        let began = Instant::now();
        server.spawn()?;
        wait_for_progress(acknowledged, stop)?;
        let total: i64 = acknowledged.iter().map(|each| each.load(Relaxed)).sum();
        eprintln!("     round {round}: all producers acknowledged after {:.0?}; {total} records", began.elapsed());
    }
    Ok(())
}

/// Waits until each producer has got one more acknowledgement.
fn wait_for_progress(acknowledged: &[AtomicI64], stop: &AtomicBool) -> Result<()> {
    let before: Vec<i64> = acknowledged.iter().map(|each| each.load(Relaxed)).collect();
    let deadline = Instant::now() + PROGRESS_WITHIN;
    while acknowledged.iter().zip(&before).any(|(now, before)| now.load(Relaxed) <= *before) {
        if stop.load(Relaxed) {
            return Err(Failure::Said("a producer has found a fault".to_owned()));
        }
        if Instant::now() > deadline {
            return Err(Failure::Said(format!("no acknowledgement within {PROGRESS_WITHIN:?} of a start")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn verify(server: &mut Server, acknowledged: &[AtomicI64]) -> Result<i64> {
    let mut client: Client = server.connect()?;
    let mut total = 0;
    for (partition, acknowledged) in (0..).zip(acknowledged) {
        let end = topics::end_offset(&mut client, TOPIC, partition)?;
        let acknowledged = acknowledged.load(Relaxed);
        if end < acknowledged {
            return Err(Failure::Said(format!("partition {partition} ends at {end}, acknowledged are {acknowledged}")));
        }
        kill9_reader::check_numbers(&mut client, TOPIC, partition, end)?;
        total += acknowledged;
    }
    Ok(total)
}

/// One idempotent producer. Records before `acknowledged` are promised; `acknowledged ≤ next`.
struct Load<'a> {
    producer: Producer,
    partition: i32,
    in_flight: usize,
    next: i64,
    /// First record and frame of each batch without an acknowledgement.
    unacknowledged: VecDeque<(i64, Vec<u8>)>,
    acknowledged: &'a AtomicI64,
}

impl Load<'_> {
    fn run_until(&mut self, address: SocketAddr, stop: &AtomicBool) -> Result<()> {
        while !stop.load(Relaxed) {
            match self.one_connection(address, stop) {
                Ok(()) => {}
                // The broker was killed; the next start brings it back.
                Err(Failure::Io { .. }) => std::thread::sleep(RETRY_EVERY),
                Err(Failure::Refused { code, .. }) if code.retriable() => std::thread::sleep(RETRY_EVERY),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends what is due again first, then new batches; drains before it ends in peace.
    fn one_connection(&mut self, address: SocketAddr, stop: &AtomicBool) -> Result<()> {
        let mut pipe = Client::connect(address)?;
        for (_, frame) in &mut self.unacknowledged {
            pipe.send(frame)?;
        }
        loop {
            while self.unacknowledged.len() < self.in_flight_max() && !stop.load(Relaxed) {
                let mut frame = self.new_batch()?;
                let sent = pipe.send(&mut frame);
                self.unacknowledged.push_back((self.next, frame));
                self.next += RECORDS_A_BATCH;
                sent?;
            }
            if self.unacknowledged.is_empty() {
                return Ok(());
            }
            let answer = pipe.receive(true)?;
            self.acknowledge(&answer)?;
        }
    }

    /// The first batch goes alone: a partition that does not know the producer takes any first sequence number.
    fn in_flight_max(&self) -> usize {
        if self.acknowledged.load(Relaxed) == 0 { 1 } else { self.in_flight }
    }

    fn new_batch(&self) -> Result<Vec<u8>> {
        let producer = Producer { base_sequence: self.next as i32, ..self.producer };
        let mut builder = BatchBuilder::new(Offset(0)).producer(producer);
        let mut value = [0x2e; VALUE_SIZE];
        for number in self.next..self.next + RECORDS_A_BATCH {
            value[..8].copy_from_slice(&number.to_be_bytes());
            let timestamp = crate::wall_ms();
            builder.append(&NewRecord { timestamp, key: None, value: Some(&value), headers: &[] })?;
        }
        frame::produce(TOPIC, -1, &[(self.partition, &builder.finish())])
    }

    fn acknowledge(&mut self, answer: &[u8]) -> Result<()> {
        let answer = ProduceResponse::decode(&mut Cursor::new(answer), frame::PRODUCE)?;
        let partition = answer.responses.first().and_then(|topic| topic.partition_responses.first());
        let partition = partition.ok_or_else(|| Failure::Said("Produce answered no partition".to_owned()))?;
        let (first, _) = self.unacknowledged.front().ok_or_else(|| Failure::Said("an answer too many".to_owned()))?;
        accept(|| format!("producing record {first} to partition {}", self.partition), partition.error_code)?;
        if partition.base_offset != *first {
            let (partition, offset) = (self.partition, partition.base_offset);
            return Err(Failure::Said(format!("partition {partition}: record {first} was given offset {offset}")));
        }
        self.acknowledged.store(first + RECORDS_A_BATCH, Relaxed);
        self.unacknowledged.pop_front();
        Ok(())
    }
}
