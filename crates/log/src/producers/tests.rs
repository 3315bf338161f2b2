//! Rules of producer state.

use super::check::Marker;
use super::{Facts, Origin, Producers, Refusal, Verdict, snapshot};

fn data(producer_id: i64, epoch: i16, first: i32, count: i32) -> Facts {
    Facts {
        producer_id,
        epoch,
        first_sequence: first,
        last_sequence: (i64::from(first) + i64::from(count) - 1).rem_euclid(1 << 31) as i32,
        offset_delta: count - 1,
        timestamp: 1000,
        is_transactional: false,
        is_control: false,
        marker: None,
    }
}

fn marker(producer_id: i64, epoch: i16, aborted: bool) -> Facts {
    let marker = Some(Marker { aborted, coordinator_epoch: 3 });
    Facts { is_control: true, is_transactional: true, marker, first_sequence: -1, ..data(producer_id, epoch, 0, 1) }
}

fn written(batches: &[(Facts, i64)]) -> Producers {
    let mut producers = Producers::default();
    for (facts, base) in batches {
        producers.apply(facts, *base);
    }
    producers
}

fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refuse(refusal) => refusal,
        Verdict::Accept | Verdict::Duplicate(_) => panic!("{verdict:?}"),
    }
}

#[test]
fn the_last_five_batches_are_recognised() {
    let batches: Vec<_> = (0..6).map(|at| (data(1, 0, at * 10, 10), i64::from(at) * 10)).collect();
    let producers = written(&batches);
    for (facts, base) in &batches[1..] {
        let Verdict::Duplicate(batch) = producers.check(facts, Origin::Client, &[]) else { panic!("{facts:?}") };
        assert_eq!(batch.first_offset(), *base);
    }
    let oldest = producers.check(&batches[0].0, Origin::Client, &[]);
    assert_eq!(refusal(oldest), Refusal::OutOfOrderSequence { last: 59, found: 0 });
}

#[test]
fn a_gap_is_refused_and_the_next_sequence_is_not() {
    let producers = written(&[(data(1, 0, 0, 10), 0)]);
    assert_eq!(producers.check(&data(1, 0, 10, 1), Origin::Client, &[]), Verdict::Accept);
    let gap = producers.check(&data(1, 0, 11, 1), Origin::Client, &[]);
    assert_eq!(refusal(gap), Refusal::OutOfOrderSequence { last: 9, found: 11 });
    assert_eq!(producers.check(&data(1, 0, 11, 1), Origin::Replication, &[]), Verdict::Accept);
    assert_eq!(producers.check(&data(1, 0, -1, 1), Origin::Coordinator, &[]), Verdict::Accept);
}

#[test]
fn sequences_wrap_to_0() {
    let producers = written(&[(data(1, 0, i32::MAX - 1, 2), 0)]);
    assert_eq!(producers.check(&data(1, 0, 0, 1), Origin::Client, &[]), Verdict::Accept);
    let across = written(&[(data(1, 0, i32::MAX, 3), 0)]);
    assert_eq!(across.check(&data(1, 0, 2, 1), Origin::Client, &[]), Verdict::Accept);
    let again = across.check(&data(1, 0, i32::MAX, 3), Origin::Client, &[]);
    assert!(matches!(again, Verdict::Duplicate(_)), "{again:?}");
}

#[test]
fn an_old_epoch_is_fenced_and_a_new_one_begins_at_0() {
    let producers = written(&[(data(1, 5, 0, 10), 0)]);
    let old = producers.check(&data(1, 4, 10, 1), Origin::Client, &[]);
    assert_eq!(refusal(old), Refusal::InvalidProducerEpoch { current: 5, found: 4 });
    assert_eq!(producers.check(&data(1, 6, 0, 1), Origin::Client, &[]), Verdict::Accept);
    assert!(matches!(producers.check(&data(1, 6, 1, 1), Origin::Client, &[]), Verdict::Refuse(_)));
    assert_eq!(producers.check(&data(2, 6, 77, 1), Origin::Client, &[]), Verdict::Accept, "unknown producer");
}

#[test]
fn batches_accepted_and_not_written_yet_count() {
    let producers = Producers::default();
    let pending = [(data(1, 0, 0, 10), 100), (data(2, 0, 0, 1), 110)];
    assert_eq!(producers.check(&data(1, 0, 10, 5), Origin::Client, &pending), Verdict::Accept);
    let Verdict::Duplicate(batch) = producers.check(&data(1, 0, 0, 10), Origin::Client, &pending) else { panic!() };
    assert_eq!(batch.first_offset(), 100);
    assert!(matches!(producers.check(&data(1, 0, 11, 5), Origin::Client, &pending), Verdict::Refuse(_)));
}

#[test]
fn a_transaction_holds_the_stable_offset_until_its_marker_is_replicated() {
    let transactional = Facts { is_transactional: true, ..data(1, 0, 0, 10) };
    let mut producers = written(&[(transactional, 50)]);
    assert_eq!(producers.first_unstable(), Some(50));
    let plain = producers.check(&data(1, 0, 10, 1), Origin::Client, &[]);
    assert_eq!(refusal(plain), Refusal::InvalidTransactionState);
    let completed = producers.apply(&marker(1, 0, true), 60).unwrap();
    assert_eq!((completed.first_offset, completed.last_offset, completed.aborted), (50, 60, true));
    assert_eq!(producers.stable_after(&completed), 61);
    assert_eq!(producers.first_unstable(), Some(50));
    assert!(!producers.replicated(60));
    assert!(producers.replicated(61));
    assert_eq!(producers.first_unstable(), None);
}

#[test]
fn a_strict_marker_needs_a_higher_epoch_unless_it_is_repeated() {
    let transactional = Facts { is_transactional: true, ..data(1, 4, 0, 10) };
    let mut producers = written(&[(transactional, 0)]);
    let strict = Origin::Marker { strict: true };
    assert!(matches!(producers.check(&marker(1, 4, false), strict, &[]), Verdict::Refuse(_)));
    assert_eq!(producers.check(&marker(1, 4, false), Origin::Marker { strict: false }, &[]), Verdict::Accept);
    producers.apply(&marker(1, 5, false), 10);
    assert_eq!(producers.check(&marker(1, 5, false), strict, &[]), Verdict::Accept, "a repetition");
    let other = Facts { marker: Some(Marker { aborted: false, coordinator_epoch: 2 }), ..marker(1, 6, false) };
    let fenced = producers.check(&other, strict, &[]);
    assert_eq!(refusal(fenced), Refusal::CoordinatorFenced { current: 3, found: 2 });
}

#[test]
fn a_snapshot_keeps_the_last_batch_and_the_open_transaction() {
    let transactional = Facts { is_transactional: true, ..data(7, 2, 0, 10) };
    let producers = written(&[(transactional, 50), (data(8, 0, 0, 3), 60)]);
    let bytes = snapshot::write(&producers);
    let read = snapshot::read(&bytes, 1000, 1).unwrap();
    assert_eq!(read.first_unstable(), Some(50));
    assert_eq!(read, producers);
    let later = snapshot::read(&bytes, 2000, 1000).unwrap();
    assert_eq!(later.iter().map(|(id, _)| id).collect::<Vec<_>>(), [7], "8 is expired, 7 has an open transaction");
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    assert!(snapshot::read(&damaged, 0, 0).is_err());
}
