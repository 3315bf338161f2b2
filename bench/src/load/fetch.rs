//! Fetch load: one thread a connection asks for a part of the log at a time and throws the record bytes away unread.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ottla_messages::fetch::FetchResponse;
use ottla_wire::{Cursor, DecodeError};
use rustix::net::RecvFlags;

use super::Measured;
use super::produce::Run;
use crate::failure::{Doing, Failure, Result, accept};
use crate::protocol::frame::{self, PREFIX};
use crate::server::process;

/// Bytes at the front of an answer that are read and looked at: header, errors, the length of the records.
const FRONT: usize = 128;
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Connections, each reading partition `number % partitions`.
    pub(crate) connections: usize,
    /// Partitions of the topic.
    pub(crate) partitions: i32,
    /// Bytes asked for at once.
    pub(crate) bytes: i32,
    /// Offsets to begin a request at, so that every answer has about `bytes`.
    pub(crate) offsets: Vec<i64>,
}

/// Reads `topic` again and again and measures.
pub(crate) fn run(address: SocketAddr, topic: &str, shape: &Shape, run: Run) -> Result<Measured> {
    let (requests, bytes, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..shape.connections)
            .map(|number| {
                let partition = number as i32 % shape.partitions;
                let (requests, bytes, stop) = (&requests, &bytes, &stop);
                scope.spawn(move || {
                    let read = read_until(address, topic, partition, shape, (requests, bytes, stop));
                    stop.fetch_or(read.is_err(), Relaxed);
                    read
                })
            })
            .collect();
        let measured = watch(&requests, &bytes, run);
        stop.store(true, Relaxed);
        for reader in readers {
            reader.join().map_err(|_| Failure::Said("a reader panicked".to_owned()))??;
        }
        measured
    })
}

fn watch(requests: &AtomicU64, bytes: &AtomicU64, run: Run) -> Result<Measured> {
    std::thread::sleep(run.warm_up);
    let before = (requests.load(Relaxed), bytes.load(Relaxed), run.server.map(process::cpu).transpose()?);
    let began = Instant::now();
    std::thread::sleep(run.measured);
    let window = began.elapsed();
    let after = run.server.map(process::cpu).transpose()?;
    Ok(Measured {
        requests: requests.load(Relaxed) - before.0,
        bytes: bytes.load(Relaxed) - before.1,
        window,
        server_cpu: before.2.zip(after).map(|(before, after)| after.saturating_sub(before)),
        ..Measured::default()
    })
}

type Counters<'a> = (&'a AtomicU64, &'a AtomicU64, &'a AtomicBool);

fn read_until(address: SocketAddr, topic: &str, partition: i32, shape: &Shape, counters: Counters<'_>) -> Result<()> {
    let frames: Result<Vec<Vec<u8>>> =
        shape.offsets.iter().map(|offset| frame::fetch(topic, partition, *offset, shape.bytes)).collect();
    let frames = frames?;
    let mut stream = TcpStream::connect(address).doing(&format!("connect to {address}"))?;
    stream.set_nodelay(true).doing("set TCP_NODELAY")?;
    stream.set_read_timeout(Some(ANSWER_WITHIN)).doing("set a read timeout")?;
    let mut scratch = vec![0; 1 << 20];
    for frame in frames.iter().cycle() {
        if counters.2.load(Relaxed) {
            return Ok(());
        }
        stream.write_all(frame).doing("send a fetch")?;
        let size = take_answer(&mut stream, &mut scratch)?;
        counters.0.fetch_add(1, Relaxed);
        counters.1.fetch_add(size, Relaxed);
    }
    Ok(())
}

/// Checks the front of an answer and drops the rest in the kernel; answers the bytes of it.
fn take_answer(stream: &mut TcpStream, scratch: &mut [u8]) -> Result<u64> {
    let mut front = [0; FRONT];
    stream.read_exact(&mut front[..PREFIX]).doing("read an answer")?;
    let size = u32::from_be_bytes([front[0], front[1], front[2], front[3]]) as usize;
    let looked_at = size.min(FRONT);
    stream.read_exact(&mut front[..looked_at]).doing("read an answer")?;
    check(&front[..looked_at], size == looked_at)?;
    let mut left = size - looked_at;
    while left > 0 {
        let room = left.min(scratch.len());
        let (_, count) = rustix::net::recv(&*stream, &mut scratch[..room], RecvFlags::TRUNC).doing("read records")?;
        if count == 0 {
            return Err(Failure::Said("the broker closed the connection".to_owned()));
        }
        left -= count.min(left);
    }
    Ok(size as u64)
}

/// Looks for errors in the part of the answer before the records.
fn check(front: &[u8], is_whole: bool) -> Result<()> {
    if is_whole {
        let mut cursor = Cursor::new(front.get(5..).unwrap_or_default());
        let answer = FetchResponse::decode(&mut cursor, frame::FETCH)?;
        accept(|| "a fetch request".to_owned(), answer.error_code)?;
        let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        return partitions.try_for_each(|partition| accept(|| "a fetch request".to_owned(), partition.error_code));
    }
    let code = error_codes(front)?;
    accept(|| "a fetch request".to_owned(), code)
}

/// The first error code that is not zero, before the records of the only partition.
fn error_codes(front: &[u8]) -> std::result::Result<i16, DecodeError> {
    let mut cursor = Cursor::new(front);
    let (_correlation, _tags, _throttle) = (cursor.i32()?, cursor.uvarint()?, cursor.i32()?);
    let (top, _session, _topics) = (cursor.i16()?, cursor.i32()?, cursor.uvarint()?);
    cursor.string(true, "topic")?;
    let (_partitions, _index) = (cursor.uvarint()?, cursor.i32()?);
    let partition = cursor.i16()?;
    Ok(if top == 0 { partition } else { top })
}
