//! A log on a simulated disk, and batches for it.

use crate::dir::LogDir;
use crate::dir::names::PartitionName;
use crate::log::{Append, Appended, Log, Opening};
use crate::{LogConfig, Origin};
use ottla_host::disk::read_exact_at;
use ottla_host::net::{Listener, Stream};
use ottla_host::{BoxFuture, Chance, Clock, Disk as _, Host, Monotonic, Net, Tasks, WallClock};
use ottla_sim::{SimClock, SimDisk};
use ottla_wire::batch::{BatchBuilder, Batches, ControlKind, EndTxn, NewRecord, Producer, ValidBatch};
use ottla_wire::ids::{LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

pub(super) const NOW: WallClock = WallClock(1_000_000);

/// Work is done at once; there is no network.
struct Nothing;

impl Net for Nothing {
    fn listen(&self, _: SocketAddr) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

impl Tasks for Nothing {
    fn spawn(&self, _: &str, task: BoxFuture<'static, ()>) -> Arc<dyn ottla_host::tasks::TaskHandle> {
        ottla_sim::block_on(task);
        Arc::new(Nothing)
    }

    fn sleep_until(&self, _: Monotonic) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }

    fn offload(&self, _: &str, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        work();
        Box::pin(async {})
    }
}

impl ottla_host::tasks::TaskHandle for Nothing {
    fn abort(&self) {}

    fn is_finished(&self) -> bool {
        true
    }
}

impl Chance for Nothing {
    fn fill(&self, _: &'static str, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

impl Clock for Nothing {
    fn monotonic(&self) -> Monotonic {
        Monotonic(0)
    }

    fn wall(&self) -> WallClock {
        NOW
    }
}

pub(super) fn host(disk: &SimDisk) -> Host {
    let _: SimClock = disk.clock();
    Host {
        clock: Arc::new(Nothing),
        disk: Arc::new(disk.clone()),
        net: Arc::new(Nothing),
        tasks: Arc::new(Nothing),
        chance: Arc::new(Nothing),
    }
}

pub(super) fn name() -> PartitionName {
    PartitionName::new("t", PartitionIndex(0))
}

/// Segments of 8 KiB with an index entry for nearly each batch.
pub(super) fn small() -> LogConfig {
    LogConfig { segment_bytes: 8192, index_interval_bytes: 100, ..LogConfig::default() }
}

pub(super) struct World {
    pub(super) disk: SimDisk,
    pub(super) config: LogConfig,
}

impl World {
    pub(super) fn new(config: LogConfig) -> World {
        World { disk: SimDisk::new(1), config }
    }

    pub(super) fn dir(&self) -> Arc<LogDir> {
        let dir = LogDir::open(&host(&self.disk), Path::new("/d"), 64).unwrap();
        if self.config.journal {
            dir.start_journal(0).unwrap();
        }
        dir.recovered().unwrap();
        dir
    }

    pub(super) fn create(&self) -> Log {
        Log::create(&self.dir(), &name(), None, Arc::new(self.config.clone()), NOW).unwrap()
    }

    /// Opens what the directory holds, as its files say.
    pub(super) fn open(&self) -> Log {
        let dir = self.dir();
        let opening = Opening::of(&dir, &name());
        Log::open(&dir, (&name(), "t-0"), opening, Arc::new(self.config.clone()), NOW).unwrap()
    }

    /// As `open`; where nothing was synced a loss of power takes the whole directory, and it is made anew.
    pub(super) fn open_or_create(&self) -> Log {
        let dir = self.dir();
        let config = Arc::new(self.config.clone());
        match self.disk.stat(Path::new("/d/t-0")).unwrap() {
            Some(_) => Log::open(&dir, (&name(), "t-0"), Opening::of(&dir, &name()), config, NOW).unwrap(),
            None => Log::create(&dir, &name(), None, config, NOW).unwrap(),
        }
    }

    /// Closes cleanly: everything synced, checkpoints and marker written.
    pub(super) fn close(&self, mut log: Log) {
        let dir = Arc::clone(log.view().log_dir());
        if log.view().end().0 % 2 == 0 {
            if let Some(through) = log.close_unsynced().unwrap() {
                dir.sync_together().unwrap();
                log.flushed(through, NOW);
            }
        } else if let Some(flush) = log.close().unwrap() {
            dir.sync_now(&flush).unwrap();
            log.flushed(flush.through, NOW);
        }
        let points = [(name(), log.recovery_point())].into();
        dir.write_checkpoint(crate::dir::checkpoint::RECOVERY_POINT, &points).unwrap();
        let starts = [(name(), log.view().start())].into();
        dir.write_checkpoint(crate::dir::checkpoint::LOG_START, &starts).unwrap();
        dir.mark_clean(5).unwrap();
        dir.release();
    }
}

/// Record `at` of the tests: its value tells which it is.
pub(super) fn value(at: i64, len: usize) -> Vec<u8> {
    let mut value = format!("record {at} ").into_bytes();
    value.resize(len.max(value.len()), b'.');
    value
}

/// A batch of `count` records of `len` bytes, numbered from `at`, with timestamps `at`, `at + 1` …
pub(super) fn batch(at: i64, count: i64, len: usize, producer: Option<Producer>) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset(0));
    if let Some(producer) = producer {
        builder = builder.producer(producer);
    }
    for at in at..at + count {
        let value = value(at, len);
        builder.append(&NewRecord { timestamp: at, key: None, value: Some(&value), headers: &[] }).unwrap();
    }
    builder.finish()
}

pub(super) fn producer(id: i64, epoch: i16, base_sequence: i32) -> Option<Producer> {
    Some(Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence })
}

pub(super) fn append_all(log: &mut Log, batches: &[Vec<u8>]) -> Vec<Appended> {
    let appends: Vec<_> = batches
        .iter()
        .map(|bytes| Append { batch: ValidBatch::trusted(bytes).unwrap(), origin: Origin::Client })
        .collect();
    let mut out = Vec::new();
    log.append(LeaderEpoch(1), NOW, &appends, &mut out);
    out
}

/// Appends `count` batches of 10 records of 40 bytes: record `n` gets the offset `n` when the log began empty.
pub(super) fn fill(log: &mut Log, count: i64) {
    for _ in 0..count {
        let at = log.view().end().0;
        let out = append_all(log, &[batch(at, 10, 40, None)]);
        assert!(matches!(out[0], Appended::Written { base_offset, .. } if base_offset.0 == at), "{out:?}");
    }
}

/// Offsets and values of all records from `from` to the end, read slice by slice.
pub(super) fn records(log: &Log, from: i64, max_bytes: u32) -> Vec<(i64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut at = from;
    while at < log.view().end().0 {
        let slice = log.view().read(Offset(at), log.view().end(), max_bytes, true).unwrap();
        let Some(file) = &slice.file else { panic!("nothing at {at}") };
        let mut bytes = vec![0; slice.length as usize];
        read_exact_at(&**file, &mut bytes, slice.position).unwrap();
        for batch in Batches::new(&bytes) {
            let (header, bytes) = batch.unwrap();
            let batch = ValidBatch::trusted(bytes).unwrap();
            let mut scratch = Vec::new();
            for record in batch.records(&mut scratch, 1 << 20).unwrap() {
                let record = record.unwrap();
                if record.offset.0 >= at {
                    found.push((record.offset.0, record.value.unwrap().to_vec()));
                }
            }
            at = header.next_offset().0;
        }
    }
    found
}

/// Asserts that the log holds exactly the records of `fill` from `from` to `to`.
pub(super) fn assert_filled(log: &Log, from: i64, to: i64) {
    assert_eq!(log.view().end(), Offset(to));
    let found = records(log, from, 700);
    let expected: Vec<_> = (from..to).map(|at| (at, value(at, 40))).collect();
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "records differ");
}

/// The producer `id` in its first epoch.
pub(super) fn of(id: i64, base_sequence: i32) -> Producer {
    Producer { id: ProducerId(id), epoch: ProducerEpoch(0), base_sequence }
}

/// A batch of `count` records in a transaction.
pub(super) fn transactional(at: i64, count: i64, producer: Producer) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset(0)).producer(producer).transactional();
    for at in at..at + count {
        builder.append(&NewRecord { timestamp: at, key: None, value: Some(b"v"), headers: &[] }).unwrap();
    }
    builder.finish()
}

/// Ends the transaction of a producer.
pub(super) fn mark(log: &mut Log, producer: Producer, kind: ControlKind) {
    let marker = BatchBuilder::end_of_transaction(producer, kind, EndTxn { coordinator_epoch: 0 }, NOW.0);
    let batch = ValidBatch::trusted(&marker).unwrap();
    let mut out = Vec::new();
    let origin = Origin::Marker { strict: false };
    log.append(LeaderEpoch(1), NOW, &[Append { batch, origin }], &mut out);
    assert!(matches!(out[0], Appended::Written { .. }), "{out:?}");
}
