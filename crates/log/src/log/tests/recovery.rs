//! Opening what a clean stop, a killed process or a lost machine left.

use super::world::{NOW, World, append_all, assert_filled, batch, fill, mark, of, producer, small, transactional};
use crate::dir::boot::LastEnd;
use crate::dir::checkpoint::{HIGH_WATERMARK, LOG_START, RECOVERY_POINT};
use crate::log::Appended;
use crate::{LogConfig, Refusal};
use ottla_host::Disk as _;
use ottla_host::disk::{Open, write_all_at};
use ottla_sim::Crash;
use ottla_wire::batch::ControlKind;
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new("/d/t-0").join(name)
}

fn again(world: &World, how: Crash) {
    world.disk.crash(how);
    world.disk.restart();
}

#[test]
fn a_log_closed_cleanly_is_as_it_was() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    append_all(&mut log, &[batch(400, 10, 40, producer(7, 3, 0))]);
    log.raise_start(Offset(33));
    world.close(log);
    again(&world, Crash::Power);
    let mut log = world.open();
    assert_eq!(log.view().log_dir().last_end(), LastEnd::Clean);
    assert_eq!(log.view().log_dir().previous_broker_epoch(), Some(5));
    assert_eq!((log.view().start(), log.recovery_point()), (Offset(33), Offset(410)));
    assert_eq!(log.view().epoch_end(LeaderEpoch(1)).unwrap().end, Offset(410));
    assert_filled(&log, 33, 410);
    let out = append_all(&mut log, &[batch(400, 10, 40, producer(7, 3, 0))]);
    assert!(matches!(out[0], Appended::Duplicate { base_offset: Offset(400), .. }), "{out:?}");
}

#[test]
fn a_producer_is_known_when_the_records_behind_it_were_taken_back_before_the_stop() {
    let world = World::new(small());
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0)), batch(3, 2, 40, None), batch(5, 2, 40, None)]);
    world.close(log);
    let mut log = world.open();
    assert!(log.truncate_to(Offset(5), NOW).unwrap());
    let flush = log.flush(true).unwrap().unwrap();
    log.view().log_dir().sync_now(&flush).unwrap();
    log.flushed(flush.through, NOW);
    world.close(log);
    again(&world, Crash::Power);
    let mut log = world.open();
    let out = append_all(&mut log, &[batch(5, 3, 40, producer(7, 0, 0)), batch(5, 3, 40, producer(7, 0, 6))]);
    assert!(matches!(out[0], Appended::Duplicate { base_offset: Offset(0), .. }), "{out:?}");
    assert!(matches!(out[1], Appended::Refused(Refusal::OutOfOrderSequence { .. })), "{out:?}");
}

#[test]
fn a_killed_process_loses_nothing() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    append_all(&mut log, &[batch(400, 10, 40, producer(7, 3, 0))]);
    drop(log);
    again(&world, Crash::Process);
    let mut log = world.open();
    assert_eq!(log.view().log_dir().last_end(), LastEnd::Killed);
    assert_filled(&log, 0, 410);
    let out = append_all(&mut log, &[batch(400, 10, 40, producer(7, 3, 0)), batch(410, 5, 40, producer(7, 3, 10))]);
    assert!(matches!(out[0], Appended::Duplicate { base_offset: Offset(400), .. }), "{out:?}");
    assert!(matches!(out[1], Appended::Written { base_offset: Offset(410), .. }), "{out:?}");
    fill(&mut log, 10);
    again(&world, Crash::Process);
    assert_eq!(world.open().view().end(), Offset(515));
}

#[test]
fn a_torn_tail_is_cut() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    fill(&mut log, 10);
    let size = log.view().size();
    drop(log);
    let torn = batch(100, 10, 40, None);
    let log_file = world.disk.open(&file("00000000000000000000.log"), Open::Write).unwrap();
    write_all_at(&*log_file, &torn[..200], size).unwrap();
    again(&world, Crash::Process);
    let mut log = world.open();
    assert_filled(&log, 0, 100);
    fill(&mut log, 1);
    assert_filled(&log, 0, 110);
}

#[test]
fn what_was_synced_survives_a_lost_machine() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    let dir = log.view().log_dir().clone();
    let flush = log.flush(true).unwrap().unwrap();
    dir.sync_now(&flush).unwrap();
    log.flushed(flush.through, NOW);
    assert_eq!(log.recovery_point(), Offset(400));
    assert!(log.flush(true).unwrap().is_none());
    fill(&mut log, 10);
    drop(log);
    again(&world, Crash::Power);
    let log = world.open();
    assert_eq!(log.view().log_dir().last_end(), LastEnd::Lost);
    let end = log.view().end().0;
    assert!((400..=500).contains(&end), "{end}");
    assert_filled(&log, 0, end);
}

#[test]
fn damage_behind_the_recovery_point_cuts_the_log_there() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    let dir = log.view().log_dir().clone();
    let flush = log.flush(true).unwrap().unwrap();
    dir.sync_now(&flush).unwrap();
    drop((log, flush));
    again(&world, Crash::Power);
    let first = world.disk.open(&file("00000000000000000000.log"), Open::Write).unwrap();
    write_all_at(&*first, &[0xff], 3_000).unwrap();
    let log = world.open();
    let end = log.view().end().0;
    assert!(end < 130 && end > 0, "{end}");
    assert_eq!(log.view().segment_count(), 1);
    assert_filled(&log, 0, end);
}

#[test]
fn missing_and_foreign_indexes_are_made_anew() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    world.close(log);
    let first = "00000000000000000000";
    world.disk.remove_file(&file(&format!("{first}.index"))).unwrap();
    world.disk.remove_file(&file(&format!("{first}.timeindex"))).unwrap();
    let log = world.open();
    assert_filled(&log, 0, 400);
    assert!(world.disk.stat(&file(&format!("{first}.index"))).unwrap().is_some());
    assert_eq!(log.view().offset_for_timestamp(77).unwrap().unwrap().offset, Offset(77));
}

#[test]
fn zeros_that_a_killed_kafka_leaves_in_an_index_are_cut() {
    let world = World::new(LogConfig { index_interval_bytes: 100, ..LogConfig::default() });
    let mut log = world.create();
    fill(&mut log, 30);
    world.close(log);
    world.disk.remove_file(Path::new("/d/.kafka_cleanshutdown")).unwrap();
    for kind in ["index", "timeindex"] {
        let index = world.disk.open(&file(&format!("00000000000000000000.{kind}")), Open::Write).unwrap();
        index.set_len(1 << 20).unwrap();
    }
    let mut log = world.open();
    assert_eq!(log.view().log_dir().last_end(), LastEnd::Killed);
    assert_filled(&log, 0, 300);
    fill(&mut log, 3);
    assert_filled(&log, 0, 330);
    assert_eq!(log.view().offset_for_timestamp(321).unwrap().unwrap().offset, Offset(321));
}

#[test]
fn files_of_an_unfinished_deletion_or_compaction_are_settled() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    world.close(log);
    for name in ["00000000000000000999.log.deleted", "00000000000000000000.log.cleaned"] {
        world.disk.open(&file(name), Open::Create).unwrap();
    }
    world.disk.rename(&file("00000000000000000000.log"), &file("00000000000000000000.log.swap")).unwrap();
    world.disk.remove_file(&file("00000000000000000000.log.cleaned")).unwrap();
    assert_filled(&world.open(), 0, 400);
}

#[test]
fn a_partition_deleted_during_a_sync_does_not_take_the_directory_offline() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 30);
    let dir = log.view().log_dir().clone();
    let (flush, mut again) = (log.flush(true).unwrap().unwrap(), Vec::new());
    fill(&mut log, 10);
    again.extend(log.flush(true).unwrap());
    let doomed = log.delete(&"0".repeat(32), NOW).unwrap();
    dir.sync_now(&flush).unwrap();
    ottla_sim::block_on(dir.sync(&mut again)).unwrap();
    doomed.remove(&world.disk).unwrap();
    assert!(log.flush(true).unwrap().is_none() && log.close().unwrap().is_none(), "nothing is left to be synced");
    assert!(!dir.is_offline());
}

#[test]
fn a_gap_that_compaction_left_is_kept_when_all_was_synced() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    let second = log.view().segments()[1].base();
    let batch_bytes = log.view().size() / 40;
    let dir = log.view().log_dir().clone();
    let flush = log.flush(true).unwrap().unwrap();
    dir.sync_now(&flush).unwrap();
    log.flushed(flush.through, NOW);
    let points = [(super::world::name(), log.recovery_point())].into();
    dir.write_checkpoint(RECOVERY_POINT, &points).unwrap();
    drop(log);
    let first = world.disk.open(&file("00000000000000000000.log"), Open::Write).unwrap();
    first.set_len(first.len().unwrap() - batch_bytes).unwrap();
    first.sync().unwrap();
    again(&world, Crash::Power);
    let log = world.open();
    assert_eq!(log.view().end(), Offset(400));
    assert_filled(&log, second, 400);
}

#[test]
fn a_transaction_index_from_before_the_loss_of_power_says_nothing() {
    for seed in 0..40 {
        let world = World { disk: ottla_sim::SimDisk::new(seed), config: small() };
        let mut log = world.create();
        append_all(&mut log, &[transactional(0, 5, of(7, 0))]);
        let dir = log.view().log_dir().clone();
        dir.sync_now(&log.flush(true).unwrap().unwrap()).unwrap();
        mark(&mut log, of(7, -1), ControlKind::Abort);
        world.disk.open(&file("00000000000000000000.txnindex"), Open::Write).unwrap().sync().unwrap();
        world.disk.sync_dir(Path::new("/d/t-0")).unwrap();
        drop((log, dir));
        again(&world, Crash::Power);
        let mut log = world.open();
        let is_aborted = log.view().end() == Offset(6);
        if !is_aborted {
            mark(&mut log, of(7, -1), ControlKind::Commit);
        }
        let aborted = log.view().aborted_transactions(Offset(0), Offset(6)).unwrap();
        assert_eq!(aborted.len(), usize::from(is_aborted), "seed {seed}");
    }
}

#[test]
fn a_snapshot_that_a_truncation_removed_does_not_come_back_with_the_loss_of_power() {
    for seed in 0..60 {
        let world = World { disk: ottla_sim::SimDisk::new(seed), config: LogConfig::default() };
        let mut log = world.create();
        fill(&mut log, 1);
        let dir = log.view().log_dir().clone();
        dir.sync_now(&log.flush(true).unwrap().unwrap()).unwrap();
        for at in 0..5 {
            append_all(&mut log, &[batch(0, 10, 40, producer(7, 0, 10 * at))]);
        }
        log.truncate_to(Offset(10), NOW).unwrap();
        for at in 0..3 {
            append_all(&mut log, &[batch(0, 10, 40, producer(8, 0, 10 * at)), batch(0, 10, 40, None)]);
        }
        world.disk.open(&file("00000000000000000000.log"), Open::Write).unwrap().sync().unwrap();
        drop((log, dir));
        again(&world, Crash::Power);
        let log = world.open();
        let known: Vec<_> = log.producers().collect();
        drop(log);
        again(&world, Crash::Process);
        let log = world.open();
        assert_eq!(log.view().log_dir().last_end(), LastEnd::Killed);
        assert_eq!(log.producers().collect::<Vec<_>>(), known, "seed {seed}");
    }
}

#[test]
fn a_producer_is_known_though_its_records_were_deleted_before_the_kill() {
    let world = World::new(small());
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0)), batch(3, 2, 40, None)]);
    log.raise_start(Offset(5));
    let starts = [(super::world::name(), log.view().start())].into();
    log.view().log_dir().write_checkpoint(LOG_START, &starts).unwrap();
    drop(log);
    again(&world, Crash::Process);
    let mut log = world.open();
    assert_eq!(log.view().start(), Offset(5));
    let out = append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0)), batch(0, 3, 40, producer(7, 0, 3))]);
    assert!(matches!(out[0], Appended::Duplicate { base_offset: Offset(0), .. }), "{out:?}");
    assert!(matches!(out[1], Appended::Written { base_offset: Offset(5), .. }), "{out:?}");
}

#[test]
fn a_producer_is_known_after_a_clean_stop_of_a_log_whose_last_segment_is_empty() {
    let world = World::new(small());
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0))]);
    drop(log);
    world.disk.open(&file("00000000000000000003.log"), Open::Create).unwrap();
    again(&world, Crash::Process);
    world.close(world.open());
    again(&world, Crash::Power);
    let mut log = world.open();
    let out = append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0))]);
    assert!(matches!(out[0], Appended::Duplicate { base_offset: Offset(0), .. }), "{out:?}");
}

#[test]
fn leader_epochs_are_taken_from_the_batches_where_their_file_lacks_them() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    log.raise_start(Offset(333));
    log.assign_epoch(LeaderEpoch(2));
    drop(log);
    again(&world, Crash::Process);
    // The start was raised in memory alone. Then a file that was not synced has taken the place of the one that was.
    let log = world.open();
    assert_eq!((log.view().start(), log.view().epoch_of(Offset(0))), (Offset(0), Some(LeaderEpoch(1))));
    drop(log);
    world.disk.open(&file("leader-epoch-checkpoint"), Open::Create).unwrap().set_len(0).unwrap();
    again(&world, Crash::Process);
    let log = world.open();
    assert_eq!(log.view().epoch_of(Offset(0)), Some(LeaderEpoch(1)));
    assert_eq!(log.view().epoch_end(LeaderEpoch(1)).unwrap().end, Offset(400));
}

#[test]
fn a_snapshot_too_large_to_read_is_dropped_and_the_log_opened() {
    let world = World::new(small());
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0))]);
    drop(log);
    let snapshot = world.disk.open(&file("00000000000000000003.snapshot"), Open::Create).unwrap();
    snapshot.set_len(crate::producers::snapshot::SNAPSHOT_BYTES_MAX + 1).unwrap();
    again(&world, Crash::Process);
    assert_eq!(world.open().producers().len(), 1);
}

#[test]
fn a_stop_before_all_logs_were_opened_forgets_nothing_of_the_others() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 10);
    let dir = log.view().log_dir().clone();
    dir.sync_now(&log.flush(true).unwrap().unwrap()).unwrap();
    dir.write_checkpoint(LOG_START, &[(super::world::name(), Offset(33))].into()).unwrap();
    drop((log, dir));
    again(&world, Crash::Power);
    let dir = world.dir();
    for checkpoint in [RECOVERY_POINT, LOG_START, HIGH_WATERMARK] {
        dir.write_checkpoint(checkpoint, &BTreeMap::new()).unwrap();
    }
    dir.mark_clean(5).unwrap();
    drop(dir);
    again(&world, Crash::Power);
    let dir = world.dir();
    assert_eq!(dir.last_end(), LastEnd::Lost, "nobody has checked the log");
    assert_eq!(dir.log_start(&super::world::name()), Some(Offset(33)));
}

#[test]
fn a_sync_that_is_given_up_leaves_what_it_would_have_synced_to_the_next() {
    for seed in 0..20 {
        let world = World { disk: ottla_sim::SimDisk::new(seed), config: small() };
        let mut log = world.create();
        fill(&mut log, 1);
        // As the request does whose client goes away.
        drop(log.flush(true).unwrap().unwrap());
        fill(&mut log, 1);
        let flush = log.flush(true).unwrap().unwrap();
        log.view().log_dir().sync_now(&flush).unwrap();
        drop(log);
        again(&world, Crash::Power);
        assert_filled(&world.open(), 0, 20);
    }
}

#[test]
fn a_producer_is_known_when_its_segments_go_after_a_loss_of_power() {
    let world = World::new(small());
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0))]);
    log.roll(NOW).unwrap();
    append_all(&mut log, &[batch(3, 3, 40, None)]);
    let dir = log.view().log_dir().clone();
    dir.sync_now(&log.flush(true).unwrap().unwrap()).unwrap();
    drop((log, dir));
    again(&world, Crash::Power);
    let mut log = world.open();
    let _ = log.apply_retention(&crate::log::DeletePlan { count: 1, reasons: Vec::new() }, NOW).unwrap();
    drop(log);
    again(&world, Crash::Process);
    let mut log = world.open();
    assert_eq!(log.view().start(), Offset(3));
    let out = append_all(&mut log, &[batch(0, 3, 40, producer(7, 0, 0))]);
    assert!(matches!(out[0], Appended::Duplicate { base_offset: Offset(0), .. }), "{out:?}");
}

#[test]
fn what_was_aborted_is_synced_with_its_marker() {
    for seed in 0..40 {
        let world = World { disk: ottla_sim::SimDisk::new(seed), config: small() };
        let mut log = world.create();
        append_all(&mut log, &[transactional(0, 5, of(7, 0))]);
        let dir = log.view().log_dir().clone();
        dir.sync_now(&log.flush(true).unwrap().unwrap()).unwrap();
        mark(&mut log, of(7, -1), ControlKind::Abort);
        let flush = log.flush(true).unwrap().unwrap();
        dir.sync_now(&flush).unwrap();
        log.flushed(flush.through, NOW);
        dir.write_checkpoint(RECOVERY_POINT, &[(super::world::name(), log.recovery_point())].into()).unwrap();
        // The segment ends where the recovery point is.
        log.roll(NOW).unwrap();
        append_all(&mut log, &[batch(6, 10, 40, None)]);
        drop((log, dir));
        again(&world, Crash::Power);
        let log = world.open();
        let aborted = log.view().aborted_transactions(Offset(0), log.view().end()).unwrap();
        assert_eq!(aborted.len(), 1, "seed {seed}");
    }
}

#[test]
fn what_was_taken_back_to_the_last_record_stays_away_after_a_clean_stop() {
    for seed in 0..40 {
        let world = World { disk: ottla_sim::SimDisk::new(seed), config: small() };
        let mut log = world.create();
        append_all(&mut log, &[batch(0, 7, 40, None)]);
        log.roll(NOW).unwrap();
        append_all(&mut log, &[batch(0, 10, 40, None)]);
        let flush = log.flush(true).unwrap().unwrap();
        log.view().log_dir().sync_now(&flush).unwrap();
        log.flushed(flush.through, NOW);
        log.truncate_to(Offset(7), NOW).unwrap();
        world.close(log);
        again(&world, Crash::Power);
        assert_eq!(world.open().view().end(), Offset(7), "seed {seed}");
    }
}
