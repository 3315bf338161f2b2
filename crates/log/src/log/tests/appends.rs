//! Appending and reading.

use super::world::{
    NOW, World, append_all, assert_filled, batch, fill, mark, of, producer, records, small, transactional,
};
use crate::log::Appended;
use crate::{LogConfig, ReadError, Refusal};
use ottla_sim::disk::Fault;
use ottla_wire::batch::ControlKind;
use ottla_wire::ids::{LeaderEpoch, Offset};

fn base(outcome: &Appended) -> i64 {
    match outcome {
        Appended::Written { base_offset, .. } | Appended::Duplicate { base_offset, .. } => base_offset.0,
        Appended::Refused(refusal) => panic!("{refusal}"),
    }
}

#[test]
fn batches_of_a_group_get_the_next_offsets_in_one_write() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    let before = world.disk.operations();
    let out = append_all(&mut log, &[batch(0, 3, 40, None), batch(3, 1, 40, None), batch(4, 5, 40, None)]);
    assert_eq!(out.iter().map(base).collect::<Vec<_>>(), [0, 3, 4]);
    assert_filled(&log, 0, 9);
    let first = world.disk.operations() - before;
    let before = world.disk.operations();
    append_all(&mut log, &[batch(9, 1, 40, None), batch(10, 1, 40, None)]);
    assert_eq!(world.disk.operations() - before, 1, "one write for both");
    assert!(first < 12, "the first append makes the files: {first} operations");
}

#[test]
fn slices_are_whole_batches_within_the_limit() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    assert!(log.view().segment_count() > 1);
    let view = log.view();
    let size = view.read(Offset(0), Offset(10), 1, true).unwrap().length;
    assert_eq!(view.read(Offset(0), Offset(10), size - 1, false).unwrap().length, 0, "none fits");
    assert_eq!(view.read(Offset(15), view.end(), size - 1, true).unwrap().length, size, "the first in any case");
    let two = view.read(Offset(10), view.end(), 2 * size + 10, false).unwrap();
    assert_eq!((two.position, two.length), (u64::from(size), 2 * size), "two whole ones");
    let below = view.read(Offset(0), Offset(30), u32::MAX, false).unwrap();
    assert_eq!(below.length, 3 * size, "nothing from the watermark on");
    assert!(view.read(view.end(), view.end(), 100, true).unwrap().is_empty());
    let beyond = view.read(Offset(401), view.end(), 100, true);
    assert!(matches!(beyond, Err(ReadError::OutOfRange { .. })), "{beyond:?}");
}

#[test]
fn every_offset_is_found_in_every_segment() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 60);
    for from in 0..600 {
        let found = records(&log, from, 1);
        assert_eq!((found[0].0, found.len()), (from, (600 - from) as usize));
    }
}

#[test]
fn segments_roll_by_time_of_records() {
    let world = World::new(LogConfig { segment_ms: 100, ..LogConfig::default() });
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 1, 40, None), batch(100, 1, 40, None), batch(110, 1, 40, None)]);
    assert_eq!(log.view().segment_count(), 2);
}

#[test]
fn append_time_is_stamped_where_the_topic_says_so() {
    let world = World::new(LogConfig { append_time: true, ..LogConfig::default() });
    let mut log = world.create();
    let out = append_all(&mut log, &[batch(0, 2, 40, None)]);
    assert!(matches!(out[0], Appended::Written { append_time: Some(time), .. } if time == NOW.0), "{out:?}");
    let found = log.view().offset_for_timestamp(NOW.0).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (Offset(0), NOW.0));
    assert_eq!(records(&log, 0, 100).len(), 2);
}

#[test]
fn repetitions_are_answered_with_their_first_offset_and_gaps_are_refused() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    let first = batch(0, 10, 40, producer(7, 0, 0));
    let second = batch(10, 10, 40, producer(7, 0, 10));
    let gap = batch(20, 1, 40, producer(7, 0, 21));
    let out = append_all(&mut log, &[first.clone(), second.clone(), first.clone(), gap, second]);
    assert_eq!([base(&out[0]), base(&out[1]), base(&out[2]), base(&out[4])], [0, 10, 0, 10]);
    assert!(matches!(out[2], Appended::Duplicate { .. }) && matches!(out[4], Appended::Duplicate { .. }));
    assert!(matches!(out[3], Appended::Refused(Refusal::OutOfOrderSequence { last: 19, found: 21 })));
    assert_filled(&log, 0, 20);
    let again = append_all(&mut log, &[first]);
    assert!(matches!(again[0], Appended::Duplicate { .. }));
}

#[test]
fn a_batch_too_large_is_refused_and_the_others_are_not() {
    let world = World::new(LogConfig { message_bytes_max: 200, ..LogConfig::default() });
    let mut log = world.create();
    let out = append_all(&mut log, &[batch(0, 1, 40, None), batch(1, 10, 40, None), batch(1, 1, 40, None)]);
    assert_eq!(out[1], Appended::Refused(Refusal::MessageTooLarge));
    assert_filled(&log, 0, 2);
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    fill(&mut log, 3);
    world.disk.fail_next(Fault::NoSpace, ".log", 1);
    let out = append_all(&mut log, &[batch(30, 10, 40, producer(7, 0, 0)), batch(40, 10, 40, producer(7, 0, 10))]);
    assert_eq!(out, [Appended::Refused(Refusal::DiskFull); 2]);
    assert_filled(&log, 0, 30);
    assert!(!log.view().log_dir().is_offline());
    let out = append_all(&mut log, &[batch(30, 10, 40, producer(7, 0, 0))]);
    assert_eq!(base(&out[0]), 30, "the producer state was not touched");
    assert_filled(&log, 0, 40);
}

#[test]
fn a_repetition_of_what_the_disk_did_not_take_is_refused_with_it() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    fill(&mut log, 3);
    let known = batch(30, 10, 40, producer(7, 0, 0));
    append_all(&mut log, std::slice::from_ref(&known));
    world.disk.fail_next(Fault::NoSpace, ".log", 1);
    let lost = batch(40, 10, 40, producer(7, 0, 10));
    let out = append_all(&mut log, &[lost.clone(), known, lost.clone()]);
    assert_eq!((out[0], out[2]), (Appended::Refused(Refusal::DiskFull), Appended::Refused(Refusal::DiskFull)));
    assert!(matches!(out[1], Appended::Duplicate { base_offset: Offset(30), .. }), "{out:?}");
    assert!(matches!(append_all(&mut log, &[lost])[0], Appended::Written { base_offset: Offset(40), .. }));
}

#[test]
fn an_input_output_error_takes_the_directory_offline() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    fill(&mut log, 1);
    world.disk.fail_next(Fault::WriteError, ".log", 1);
    let out = append_all(&mut log, &[batch(10, 10, 40, None)]);
    assert_eq!(out, [Appended::Refused(Refusal::Offline)]);
    assert!(log.view().log_dir().is_offline());
    assert_eq!(append_all(&mut log, &[batch(10, 1, 40, None)]), [Appended::Refused(Refusal::Offline)]);
}

#[test]
fn a_follower_keeps_offsets_and_epochs() {
    let (leader_world, world) = (World::new(small()), World::new(small()));
    let mut leader = leader_world.create();
    fill(&mut leader, 20);
    let mut log = world.create();
    while log.view().end() < leader.view().end() {
        let slice = leader.view().read(log.view().end(), leader.view().end(), 2000, true).unwrap();
        let mut bytes = vec![0; slice.length as usize];
        let file = slice.file.unwrap();
        ottla_host::disk::read_exact_at(&*file, &mut bytes, slice.position).unwrap();
        bytes.extend_from_slice(&batch(0, 1, 40, None)[..30]);
        log.append_as_follower(LeaderEpoch(1), NOW, &bytes).unwrap();
    }
    assert_filled(&log, 0, 200);
    assert_eq!(log.view().epoch_end(LeaderEpoch(1)).unwrap().end, Offset(200));
    assert_eq!(log.view().segment_count(), leader.view().segment_count());
}

#[test]
fn aborted_transactions_are_listed_and_the_stable_offset_waits_for_the_watermark() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 10, 40, None), transactional(10, 5, of(1, 0)), transactional(15, 5, of(2, 0))]);
    assert_eq!(log.view().stable(Offset(20)), Offset(10));
    mark(&mut log, of(1, -1), ControlKind::Abort);
    assert_eq!(log.view().stable(Offset(21)), Offset(10), "the marker is not replicated yet");
    log.watermark_moved(Offset(21));
    assert_eq!(log.view().stable(Offset(21)), Offset(15));
    mark(&mut log, of(2, -1), ControlKind::Commit);
    log.watermark_moved(Offset(22));
    assert_eq!(log.view().stable(Offset(22)), Offset(22));
    let aborted = log.view().aborted_transactions(Offset(0), Offset(22)).unwrap();
    assert_eq!(aborted.len(), 1);
    assert_eq!((aborted[0].producer_id.0, aborted[0].first_offset.0, aborted[0].last_offset.0), (1, 10, 20));
    assert_eq!(aborted[0].last_stable_offset, Offset(15));
    assert!(log.view().aborted_transactions(Offset(21), Offset(22)).unwrap().is_empty());
    drop(log);
    world.disk.crash(ottla_sim::Crash::Process);
    world.disk.restart();
    let log = world.open();
    assert_eq!(log.view().aborted_transactions(Offset(0), Offset(22)).unwrap(), aborted);
    assert_eq!(log.view().stable(Offset(22)), Offset(10), "until the watermark is known to have passed");
}

#[test]
fn timestamps_find_the_first_record_that_is_late_enough() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 50);
    for timestamp in [0, 1, 99, 100, 101, 314, 499] {
        let found = log.view().offset_for_timestamp(timestamp).unwrap().unwrap();
        assert_eq!((found.offset.0, found.timestamp), (timestamp, timestamp));
    }
    assert_eq!(log.view().offset_for_timestamp(500).unwrap(), None);
    append_all(&mut log, &[batch(7, 1, 40, None)]);
    let largest = log.view().offset_of_max_timestamp().unwrap().unwrap();
    assert_eq!((largest.offset, largest.timestamp, largest.leader_epoch), (Offset(499), 499, LeaderEpoch(1)));
}
