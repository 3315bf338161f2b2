//! The log against a model: whatever is done to it, in any order, it holds what the model holds.

mod facts;

use super::world::{NOW, World, small, value};
use crate::log::{Append, Appended, Log, plan_retention};
use crate::{LogConfig, Origin, Refusal};
use facts::{Batch, Expected, Model};
use ottla_host::Disk as _;
use ottla_host::disk::read_exact_at;
use ottla_sim::{Crash, SimDisk};
use ottla_wire::batch::{BatchBuilder, BatchHeader, ControlKind, EndTxn, NewRecord, Producer, ValidBatch};
use ottla_wire::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// What a run is about.
#[derive(Clone, Copy, Debug)]
struct Setup {
    seed: u64,
    /// A segment ends after 100 records.
    rolls_by_time: bool,
    preallocates: bool,
    /// What is written is in the journal before it is seen.
    is_durable: bool,
    /// Offsets may be missing.
    is_compacted: bool,
}

/// Something done to a log.
#[derive(Clone, Debug)]
enum Step {
    /// Batches of so many records in one group.
    Append(Vec<u8>),
    /// A batch of a producer with the next sequence number, or one that is off by this many batches.
    Produce {
        id: u8,
        off: i8,
    },
    /// A batch of a producer that has begun a new epoch.
    Bump {
        id: u8,
    },
    /// A batch in a transaction.
    Transact {
        id: u8,
    },
    /// The end of a transaction, whether or not there is one.
    End {
        id: u8,
        aborts: bool,
    },
    /// Batches from a leader, the first of them so many offsets behind the end.
    Follow {
        gap: u8,
        counts: Vec<u8>,
    },
    /// Another leader's term begins.
    Term,
    /// Batches and a roll on a disk with so many bytes left.
    Full {
        room: u16,
        counts: Vec<u8>,
    },
    /// Keep this share of the records, in 1/255.
    Truncate(u8),
    /// Drop everything, and begin so many offsets behind the end.
    Restart(u8),
    /// Drop this share at the start.
    RaiseStart(u8),
    Roll,
    Retain,
    Flush,
    /// A flush that succeeds when the next step is done.
    BeginFlush,
    CloseAndOpen,
    Kill,
    PowerLoss,
}

fn counts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1..20_u8, 1..6)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => counts().prop_map(Step::Append),
        6 => (0..3_u8, -2..3_i8).prop_map(|(id, off)| Step::Produce { id, off }),
        1 => (0..3_u8).prop_map(|id| Step::Bump { id }),
        2 => (3..6_u8).prop_map(|id| Step::Transact { id }),
        2 => (3..6_u8, any::<bool>()).prop_map(|(id, aborts)| Step::End { id, aborts }),
        2 => (0..4_u8, counts()).prop_map(|(gap, counts)| Step::Follow { gap: gap.saturating_sub(2), counts }),
        1 => Just(Step::Term),
        1 => (0..3000_u16, counts()).prop_map(|(room, counts)| Step::Full { room, counts }),
        2 => any::<u8>().prop_map(Step::Truncate),
        1 => (0..20_u8).prop_map(Step::Restart),
        1 => any::<u8>().prop_map(Step::RaiseStart),
        1 => Just(Step::Roll),
        1 => Just(Step::Retain),
        2 => Just(Step::Flush),
        1 => Just(Step::BeginFlush),
        1 => Just(Step::CloseAndOpen),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerLoss),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (any::<u64>(), flags).prop_map(|(seed, (rolls_by_time, preallocates, is_durable, is_compacted))| Setup {
        seed,
        rolls_by_time,
        preallocates,
        is_durable,
        is_compacted,
    })
}

struct Run {
    world: World,
    log: Option<Log>,
    model: Model,
    flushing: Option<crate::Flush>,
}

impl Run {
    fn new(setup: Setup) -> Run {
        let segment_ms = if setup.rolls_by_time { 100 } else { i64::MAX };
        let config = LogConfig {
            retention_bytes: 20_000,
            retention_ms: -1,
            segment_ms,
            preallocate: setup.preallocates,
            journal: setup.is_durable,
            compact: setup.is_compacted,
            ..small()
        };
        let world = World { disk: SimDisk::new(setup.seed), config };
        let log = Some(world.create());
        Run { world, log, model: Model::new(setup.is_durable), flushing: None }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    fn step(&mut self, step: &Step) {
        let flushing = self.flushing.take();
        match step {
            Step::Append(counts) => self.append(counts, false),
            Step::Produce { id, off } => self.produce(*id, i32::from(*off), false),
            Step::Bump { id } => self.produce(*id, 0, true),
            Step::Transact { id } => self.transact(*id),
            Step::End { id, aborts } => self.end(*id, *aborts),
            Step::Follow { gap, counts } => self.follow(*gap, counts),
            Step::Term => self.begin_term(),
            Step::Full { room, counts } => self.fill_up(*room, counts),
            Step::Truncate(share) => self.truncate(*share),
            Step::Restart(behind) => self.restart(i64::from(*behind)),
            Step::RaiseStart(share) => {
                let to = self.model.start + (self.model.end - self.model.start) * i64::from(*share) / 255;
                self.log().raise_start(Offset(to));
                self.model.start = self.model.start.max(to);
            }
            Step::Roll => self.log().roll(NOW).unwrap(),
            Step::Retain => self.retain(),
            Step::Flush => self.flush(),
            Step::BeginFlush => self.flushing = self.log().flush(true).unwrap(),
            Step::CloseAndOpen => self.close_and_open(),
            Step::Kill => self.crash(Crash::Process),
            Step::PowerLoss => self.crash(Crash::Power),
        }
        if let Some(flush) = flushing.filter(|_| !matches!(step, Step::CloseAndOpen | Step::Kill | Step::PowerLoss)) {
            self.end_flush(&flush);
        }
        let found = self.batches_from(self.model.start);
        let Run { model, log, .. } = self;
        let log = log.as_mut().unwrap();
        log.watermark_moved(log.view().end());
        log.check();
        model.check(log, &found);
    }

    /// A batch as a client or a leader sends it; the model takes it in when it is written.
    fn batch(&self, number: i64, base: i64, count: i64, producer: Option<Producer>, transactional: bool) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset(base)).leader_epoch(self.model.epoch);
        if let Some(producer) = producer {
            builder = builder.producer(producer);
        }
        if transactional {
            builder = builder.transactional();
        }
        for at in number..number + count {
            let value = value(at, 30);
            builder.append(&NewRecord { timestamp: at, key: None, value: Some(&value), headers: &[] }).unwrap();
        }
        builder.finish()
    }

    fn send(&mut self, batches: &[Vec<u8>], origin: Origin) -> Vec<Appended> {
        let batches: Vec<_> =
            batches.iter().map(|bytes| Append { batch: ValidBatch::trusted(bytes).unwrap(), origin }).collect();
        let (epoch, mut out) = (self.model.epoch, Vec::new());
        self.log().append(epoch, NOW, &batches, &mut out);
        out
    }

    fn append(&mut self, counts: &[u8], is_full: bool) {
        let mut number = self.model.next_number;
        let mut batches = Vec::new();
        for count in counts {
            batches.push(self.batch(number, 0, i64::from(*count), None, false));
            number += i64::from(*count);
        }
        let mut number = self.model.next_number;
        let out = self.send(&batches, Origin::Client);
        for (outcome, count) in out.iter().zip(counts) {
            match outcome {
                Appended::Written { base_offset, .. } => {
                    self.model.push(*base_offset, Batch::plain(number, i64::from(*count)));
                }
                Appended::Refused(Refusal::DiskFull) if is_full => {}
                Appended::Refused(_) | Appended::Duplicate { .. } => panic!("{out:?}"),
            }
            number += i64::from(*count);
        }
        self.model.next_number = number;
    }

    fn produce(&mut self, id: u8, off: i32, bumps: bool) {
        let id = self.model.generation + i64::from(id);
        let (mut epoch, last) = self.model.last_of(id);
        let first = if bumps { 0 } else { (last + 1 + off * 3).max(0) };
        epoch += i16::from(bumps);
        let expected = self.model.expect(self.log.as_ref().unwrap(), id, epoch, first);
        let producer = Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence: first };
        let number = self.model.next_number;
        let bytes = self.batch(number, 0, 3, Some(producer), false);
        let out = self.send(&[bytes], Origin::Client)[0];
        let fits = match (out, expected) {
            (_, Expected::Anything) | (Appended::Written { .. }, Expected::Written) => true,
            (Appended::Duplicate { base_offset, .. }, Expected::Duplicate(base) | Expected::DuplicateOrGap(base)) => {
                base_offset.0 == base
            }
            (Appended::Refused(refusal), Expected::Gap | Expected::DuplicateOrGap(_)) => {
                matches!(refusal, Refusal::OutOfOrderSequence { .. })
            }
            (Appended::Written { .. } | Appended::Duplicate { .. } | Appended::Refused(_), _) => false,
        };
        assert!(fits, "producer {id} in {epoch} with {first} behind {last}: {out:?} and not {expected:?}");
        if let Appended::Written { base_offset, .. } = out {
            self.model.push(base_offset, Batch { id, epoch, first, ..Batch::plain(number, 3) });
            self.model.next_number += 3;
        }
    }

    fn transact(&mut self, id: u8) {
        let id = self.model.generation + i64::from(id);
        let (epoch, last) = self.model.last_of(id);
        let is_certain = self.model.is_certain(self.log.as_ref().unwrap(), id);
        let number = self.model.next_number;
        let producer = Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence: last + 1 };
        let bytes = self.batch(number, 0, 2, Some(producer), true);
        match self.send(&[bytes], Origin::Client)[0] {
            Appended::Written { base_offset, .. } => {
                let batch = Batch { id, epoch, first: last + 1, transactional: true, ..Batch::plain(number, 2) };
                self.model.push(base_offset, batch);
                self.model.next_number += 2;
            }
            outcome @ (Appended::Duplicate { .. } | Appended::Refused(_)) => assert!(!is_certain, "{outcome:?}"),
        }
    }

    fn end(&mut self, id: u8, aborts: bool) {
        let id = self.model.generation + i64::from(id);
        let (epoch, _) = self.model.last_of(id);
        let producer = Producer { id: ProducerId(id), epoch: ProducerEpoch(epoch), base_sequence: -1 };
        let kind = if aborts { ControlKind::Abort } else { ControlKind::Commit };
        let bytes = BatchBuilder::end_of_transaction(producer, kind, EndTxn { coordinator_epoch: 0 }, NOW.0);
        let out = self.send(&[bytes], Origin::Marker { strict: false })[0];
        let Appended::Written { base_offset, .. } = out else { panic!("{out:?}") };
        self.model.push(base_offset, Batch { id, epoch, first: -1, ends: Some(aborts), ..Batch::plain(-1, 1) });
    }

    fn follow(&mut self, gap: u8, counts: &[u8]) {
        // A log without a segment begins with its first batch.
        let may_skip = self.world.config.compact && self.log().view().segment_count() > 0;
        let mut base = self.model.end + if may_skip { i64::from(gap) } else { 0 };
        let mut bytes = Vec::new();
        for count in counts {
            let (number, count) = (self.model.next_number, i64::from(*count));
            bytes.extend(self.batch(number, base, count, None, false));
            self.model.push(Offset(base), Batch::plain(number, count));
            self.model.next_number += count;
            base += count;
        }
        let epoch = self.model.epoch;
        self.log().append_as_follower(epoch, NOW, &bytes).unwrap();
    }

    fn begin_term(&mut self) {
        self.model.epoch = LeaderEpoch(self.model.epoch.0 + 1);
        let epoch = self.model.epoch;
        self.log().assign_epoch(epoch);
    }

    fn fill_up(&mut self, room: u16, counts: &[u8]) {
        let space = self.world.disk.space(Path::new("/")).unwrap();
        self.world.disk.set_capacity(space.total - space.free + u64::from(room));
        self.append(counts, true);
        let _ = self.log().roll(NOW);
        self.append(counts, true);
        self.world.disk.set_capacity(space.total);
    }

    fn truncate(&mut self, share: u8) {
        let mut at: Vec<i64> = self.model.batches.range(self.model.start..).map(|(base, _)| *base).collect();
        at.push(self.model.end);
        let at = at[at.len() * usize::from(share) / 256];
        self.log().truncate_to(Offset(at), NOW).unwrap();
        let end = self.log().view().end().0;
        self.model.truncate(at, end);
        // Without its files a log cannot tell its start any more.
        self.checkpoint();
    }

    fn restart(&mut self, behind: i64) {
        let at = self.model.end + behind;
        self.log().truncate_fully(Offset(at), NOW).unwrap();
        self.model.truncate(0, at);
        // A loss of power may bring back what was there.
        (self.model.start, self.model.synced) = (at, 0);
        self.checkpoint();
    }

    fn retain(&mut self) {
        let (start, end) = (Offset(self.model.start), Offset(self.model.end));
        let log = self.log();
        let plan = plan_retention(&log.segment_facts().unwrap(), log.config(), start, end, NOW);
        let _ = log.apply_retention(&plan, NOW).unwrap();
        self.model.start = self.log().view().start().0;
        self.checkpoint();
    }

    fn checkpoint(&mut self) {
        let start = Offset(self.model.start);
        let dir = Arc::clone(self.log().view().log_dir());
        dir.write_checkpoint(crate::dir::checkpoint::LOG_START, &[(super::world::name(), start)].into()).unwrap();
        let point = self.log().recovery_point();
        dir.write_checkpoint(crate::dir::checkpoint::RECOVERY_POINT, &[(super::world::name(), point)].into()).unwrap();
        self.model.checkpointed_start = start.0;
    }

    fn flush(&mut self) {
        if let Some(flush) = self.log().flush(true).unwrap() {
            self.end_flush(&flush);
        }
        self.checkpoint();
    }

    fn end_flush(&mut self, flush: &crate::Flush) {
        Arc::clone(self.log().view().log_dir()).sync_now(flush).unwrap();
        self.log().flushed(flush.through, NOW);
        // A recovery point at the start of a log that was begun anew says nothing of what was there.
        let point = self.log().recovery_point().0;
        if point > self.model.start {
            self.model.synced = self.model.synced.max(point);
        }
    }

    fn close_and_open(&mut self) {
        let log = self.log.take().unwrap();
        self.world.close(log);
        self.model.synced = self.model.end;
        self.model.checkpointed_start = self.model.start;
        self.log = Some(self.world.open());
    }

    fn crash(&mut self, how: Crash) {
        self.log = None;
        self.world.disk.crash(how);
        self.world.disk.restart();
        self.log = Some(self.world.open_or_create());
        let (start, end) = (self.log().view().start().0, self.log().view().end().0);
        if how == Crash::Process || self.model.is_durable {
            assert_eq!(end, self.model.end, "all is there");
        } else {
            assert!(end >= self.model.synced, "{end} is less than {}", self.model.synced);
            let found = self.batches_from(self.model.synced.max(start));
            self.model.take_found(start, end, found);
        }
        assert!(start >= self.model.checkpointed_start.min(end) && start <= self.model.start.max(start.min(end)));
        self.model.start = start;
        self.model.checkpointed_start = start;
    }

    /// The batches of the log from an offset on.
    fn batches_from(&mut self, from: i64) -> Vec<(i64, Batch)> {
        let end = self.log().view().end();
        let (mut found, mut at) = (Vec::new(), from);
        loop {
            let slice = self.log().view().read(Offset(at), end, 1, true).unwrap();
            let Some(file) = &slice.file else { return found };
            let mut bytes = vec![0; slice.length as usize];
            read_exact_at(&**file, &mut bytes, slice.position).unwrap();
            let header = BatchHeader::read(&bytes).unwrap();
            at = header.next_offset().0;
            found.push((header.base_offset().0, Batch::read(&bytes)));
        }
    }
}

/// Cases of a run: few beside the other tests, as many as `PROPTEST_CASES` says in a long one.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_log_holds_what_the_model_holds(setup in setup(), steps in prop::collection::vec(step(), 1..60)) {
        let mut run = Run::new(setup);
        for step in &steps {
            run.step(step);
        }
    }
}
