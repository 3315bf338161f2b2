//! The works that servers are compared by.

use crate::load::{fetch, produce};
use crate::server::Kind;

const KIB: usize = 1 << 10;
const MEGABYTE: f64 = 1e6;
/// Part of the log a fetch asks for.
pub(crate) const FETCH_BYTES: i32 = 1 << 20;

/// One row of the comparison.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Name on the command line and in the report.
    pub(crate) name: &'static str,
    /// What it is, in words.
    pub(crate) what: &'static str,
    /// What is sent or asked for.
    pub(crate) load: Load,
    /// Servers that take part unless the command line names others.
    pub(crate) servers: &'static [Kind],
}

/// Kind of load.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    /// Writing.
    Produce(produce::Shape),
    /// Reading what was written before.
    Fetch(fetch::Shape),
}

const USUAL: &[Kind] = &[Kind::Ottla, Kind::Kafka, Kind::Floor];
const DURABLE: &[Kind] = &[Kind::Ottla, Kind::OttlaDurable, Kind::KafkaFlush];

/// All works in the order of the report.
pub(crate) fn all() -> Vec<Work> {
    let pipelined = |records| closed(4, 5, (records, KIB), 4);
    let open = |megabytes: f64| {
        let rate = megabytes * MEGABYTE / (16 * KIB) as f64;
        produce::Shape { rate: Some(rate), ..closed(4, 5, (16, KIB), 4) }
    };
    let durable = |partitions| closed(16, 5, (16, KIB), partitions);
    vec![
        write("1x1k", "4 connections × 5 in flight, 1 × 1 KB", pipelined(1), USUAL),
        write("16x1k", "4 connections × 5 in flight, 16 × 1 KB", pipelined(16), USUAL),
        write("64x1k", "4 connections × 5 in flight, 64 × 1 KB", pipelined(64), USUAL),
        write("256x1k", "4 connections × 5 in flight, 256 × 1 KB", pipelined(256), USUAL),
        write("100c", "100 connections × 1 in flight, 1 × 100 B", closed(100, 1, (1, 100), 4), USUAL),
        write("open50", "open loop, 50 MB/s of 16 × 1 KB", open(50.0), USUAL),
        write("open100", "open loop, 100 MB/s of 16 × 1 KB", open(100.0), USUAL),
        write("durable1", "16 connections × 5 × 16 KB over 1 partition", durable(1), DURABLE),
        write("durable16", "16 connections × 5 × 16 KB over 16 partitions", durable(16), DURABLE),
        write("durable100", "16 connections × 5 × 16 KB over 100 partitions", durable(100), DURABLE),
        Work {
            name: "fetch",
            what: "4 connections, 1 MiB at a time from the page cache",
            load: Load::Fetch(fetch::Shape { connections: 4, partitions: 4, bytes: FETCH_BYTES, offsets: Vec::new() }),
            servers: USUAL,
        },
    ]
}

fn write(name: &'static str, what: &'static str, shape: produce::Shape, servers: &'static [Kind]) -> Work {
    Work { name, what, load: Load::Produce(shape), servers }
}

fn closed(connections: usize, in_flight: usize, (records, size): (u32, usize), partitions: i32) -> produce::Shape {
    produce::Shape { connections, in_flight, records, size, partitions, rate: None, acks: -1 }
}
