//! The log against a model: whatever is done to it, in any order, it holds what the model holds.

use super::world::{NOW, World, append_all, batch, producer, records, small, value};
use crate::log::{Appended, Log, plan_retention};
use crate::{LogConfig, Refusal};
use ottla_sim::Crash;
use ottla_wire::ids::Offset;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something done to a log.
#[derive(Clone, Debug)]
enum Step {
    /// Batches of so many records in one group.
    Append(Vec<u8>),
    /// A batch of a producer with the next sequence number, or one that is off by this much.
    Produce {
        id: u8,
        off: i8,
    },
    /// Keep this share of the records, in 1/255.
    Truncate(u8),
    /// Drop this share at the start.
    RaiseStart(u8),
    Roll,
    Retain,
    Flush,
    CloseAndOpen,
    Kill,
    PowerLoss,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(1..20_u8, 1..6).prop_map(Step::Append),
        6 => (0..3_u8, -2..3_i8).prop_map(|(id, off)| Step::Produce { id, off }),
        2 => any::<u8>().prop_map(Step::Truncate),
        1 => (0..120_u8).prop_map(Step::RaiseStart),
        1 => Just(Step::Roll),
        1 => Just(Step::Retain),
        2 => Just(Step::Flush),
        1 => Just(Step::CloseAndOpen),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerLoss),
    ]
}

/// What the log should hold.
#[derive(Default)]
struct Model {
    start: i64,
    /// Numbers of the records by offset.
    records: Vec<i64>,
    first: i64,
    /// Batches of producers: id → (base offset, first sequence, count).
    produced: BTreeMap<u8, Vec<(i64, i32, i32)>>,
    next_number: i64,
    synced: i64,
    checkpointed_start: i64,
    /// Added to the ids of producers.
    generation: u8,
}

impl Model {
    fn end(&self) -> i64 {
        self.first + self.records.len() as i64
    }

    fn push(&mut self, count: i64) -> i64 {
        let number = self.next_number;
        self.next_number += count;
        self.records.extend(number..number + count);
        number
    }

    fn truncate(&mut self, end: i64) {
        self.records.truncate((end - self.first).max(0) as usize);
        for batches in self.produced.values_mut() {
            batches.retain(|(base, _, count)| base + i64::from(*count) <= end);
        }
        self.synced = self.synced.min(end);
    }

    fn check(&self, log: &Log) {
        assert_eq!((log.view().start().0, log.view().end().0), (self.start, self.end()));
        let found = records(log, self.start, 900);
        let skipped = (self.start - self.first) as usize;
        let expected = self.records[skipped..].iter().zip(self.start..);
        let expected: Vec<_> = expected.map(|(number, offset)| (offset, value(*number, 30))).collect();
        assert!(found == expected, "records differ from {} to {}", self.start, self.end());
    }
}

struct Run {
    world: World,
    log: Option<Log>,
    model: Model,
}

impl Run {
    fn new() -> Run {
        let world = World::new(LogConfig { retention_bytes: 20_000, retention_ms: -1, ..small() });
        let log = Some(world.create());
        Run { world, log, model: Model::default() }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(counts) => self.append(counts),
            Step::Produce { id, off } => self.produce(*id, i32::from(*off)),
            Step::Truncate(share) => self.truncate(*share),
            Step::RaiseStart(share) => {
                let to = self.model.start + (self.model.end() - self.model.start) * i64::from(*share) / 255;
                self.log().raise_start(Offset(to));
                self.model.start = self.model.start.max(to);
            }
            Step::Roll => self.log().roll(NOW).unwrap(),
            Step::Retain => self.retain(),
            Step::Flush => self.flush(),
            Step::CloseAndOpen => self.close_and_open(),
            Step::Kill => self.crash(Crash::Process),
            Step::PowerLoss => self.crash(Crash::Power),
        }
        let Run { model, log, .. } = self;
        let log = log.as_ref().unwrap();
        log.check();
        model.check(log);
    }

    fn append(&mut self, counts: &[u8]) {
        let mut batches = Vec::new();
        for count in counts {
            let number = self.model.push(i64::from(*count));
            batches.push(batch(number, i64::from(*count), 30, None));
        }
        let out = append_all(self.log(), &batches);
        assert!(out.iter().all(|outcome| matches!(outcome, Appended::Written { .. })), "{out:?}");
    }

    fn produce(&mut self, id: u8, off: i32) {
        let id = self.model.generation.wrapping_add(id);
        let known = self.model.produced.entry(id).or_default();
        let next = known.last().map_or(0, |(_, first, count)| first + count);
        let repeated = known.iter().rev().take(1).find(|(_, first, count)| (*first, *count) == (next + off * 3, 3));
        let (repeated, is_known) = (repeated.copied(), !known.is_empty());
        let first = (next + off * 3).max(0);
        // A producer whose batches all lie before the log start may be forgotten with a restart or a truncation.
        let start = self.model.start;
        let uncertain = is_known && known.last().is_some_and(|(base, _, count)| base + i64::from(*count) <= start);
        let number = self.model.next_number;
        let out = append_all(self.log(), &[batch(number, 3, 30, producer(i64::from(id), 0, first))]);
        match out[0] {
            Appended::Written { base_offset, .. } if uncertain => {
                self.model.push(3);
                self.model.produced.entry(id).or_default().push((base_offset.0, first, 3));
            }
            Appended::Duplicate { .. } | Appended::Refused(_) if uncertain => {}
            Appended::Written { base_offset, .. } => {
                assert!(first == next || !is_known, "sequence {first} follows {next}");
                self.model.push(3);
                self.model.produced.entry(id).or_default().push((base_offset.0, first, 3));
            }
            Appended::Duplicate { base_offset, .. } => {
                let batches = &self.model.produced[&id];
                assert!(batches.contains(&(base_offset.0, first, 3)), "{first} is no repetition");
            }
            Appended::Refused(refusal) => {
                assert!(matches!(refusal, Refusal::OutOfOrderSequence { .. }), "{refusal}");
                assert!(first != next && repeated.is_none(), "sequence {first} refused");
            }
        }
    }

    fn truncate(&mut self, share: u8) {
        let batches = self.boundaries();
        let at = batches[batches.len() * usize::from(share) / 256];
        self.log().truncate_to(Offset(at), NOW).unwrap();
        if at < self.model.first {
            self.model.first = at;
        }
        self.model.truncate(at);
        self.model.start = self.model.start.min(at);
        if self.model.records.is_empty() {
            self.model.first = at;
        }
        // Without its files a log cannot tell its start any more.
        self.checkpoint_start();
    }

    /// Offsets at which batches begin, from the log start on, and the end.
    fn boundaries(&mut self) -> Vec<i64> {
        let (start, end) = (self.model.start, self.model.end());
        let mut found = vec![];
        let mut at = start;
        while at < end {
            let slice = self.log().view().read(Offset(at), Offset(end), 1, true).unwrap();
            let mut bytes = vec![0; slice.length as usize];
            ottla_host::disk::read_exact_at(&**slice.file.as_ref().unwrap(), &mut bytes, slice.position).unwrap();
            let header = ottla_wire::batch::BatchHeader::read(&bytes).unwrap();
            if header.base_offset().0 >= start {
                found.push(header.base_offset().0);
            }
            at = header.next_offset().0;
        }
        found.push(end);
        found
    }

    fn retain(&mut self) {
        let (start, end) = (Offset(self.model.start), Offset(self.model.end()));
        let log = self.log();
        let plan = plan_retention(&log.segment_facts().unwrap(), log.config(), start, end, NOW);
        let _ = log.apply_retention(&plan, NOW).unwrap();
        self.model.start = self.log().view().start().0;
        self.checkpoint_start();
    }

    fn checkpoint_start(&mut self) {
        let start = Offset(self.model.start);
        let dir = Arc::clone(self.log().view().log_dir());
        dir.write_checkpoint(crate::dir::checkpoint::LOG_START, &[(super::world::name(), start)].into()).unwrap();
        let point = self.log().recovery_point();
        dir.write_checkpoint(crate::dir::checkpoint::RECOVERY_POINT, &[(super::world::name(), point)].into()).unwrap();
        self.model.checkpointed_start = start.0;
    }

    fn flush(&mut self) {
        let dir = Arc::clone(self.log().view().log_dir());
        if let Some(flush) = self.log().flush(true).unwrap() {
            dir.sync_now(&flush).unwrap();
            self.log().flushed(flush.through, NOW);
            self.model.synced = flush.through.0;
        }
        self.checkpoint_start();
    }

    fn close_and_open(&mut self) {
        let log = self.log.take().unwrap();
        self.world.close(log);
        self.model.synced = self.model.end();
        self.model.checkpointed_start = self.model.start;
        self.log = Some(self.world.open());
    }

    fn crash(&mut self, how: Crash) {
        self.log = None;
        self.world.disk.crash(how);
        self.world.disk.restart();
        self.log = Some(self.world.open());
        let (start, end) = (self.log().view().start().0, self.log().view().end().0);
        match how {
            Crash::Process => assert_eq!(end, self.model.end()),
            Crash::Power => self.after_power_loss(end),
        }
        assert!(start >= self.model.checkpointed_start.min(end) && start <= self.model.start.max(start.min(end)));
        self.model.truncate(end);
        self.model.start = start;
        if self.model.first > start {
            self.model.first = start;
        }
        if self.model.records.is_empty() {
            self.model.first = end;
        }
        self.model.checkpointed_start = start;
    }
}

impl Run {
    /// What was synced is there. Behind it may be anything that once was, as in Kafka: also what a truncation that did
    /// not reach the device has taken back. Other producers go on from here.
    fn after_power_loss(&mut self, end: i64) {
        assert!(end >= self.model.synced, "{end} is less than {}", self.model.synced);
        let from = self.model.synced.max(self.model.first);
        self.model.records.truncate((from - self.model.first).max(0) as usize);
        if from < end {
            let readable = from.max(self.log().view().start().0);
            // What lies before the start is never looked at.
            self.model.records.extend((from..readable).map(|_| -1));
            let found = records(self.log(), readable, 900);
            assert_eq!(found.len() as i64, end - readable, "no gaps");
            let number = |value: &[u8]| -> i64 {
                let text = String::from_utf8_lossy(value);
                text.split(' ').nth(1).unwrap().parse().unwrap()
            };
            self.model.records.extend(found.iter().map(|(_, value)| number(value)));
        }
        self.model.produced.clear();
        self.model.generation += 3;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_log_holds_what_the_model_holds(steps in prop::collection::vec(step(), 1..60)) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
    }
}
