//! Truncation, deletion of records and retention.

use super::world::{NOW, World, append_all, assert_filled, batch, fill, producer, records, small};
use crate::LogConfig;
use crate::log::{Appended, plan_retention};
use ottla_host::Disk as _;
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::path::Path;

#[test]
fn truncation_drops_records_and_the_log_goes_on_there() {
    for end in [0, 10, 90, 100, 110, 290] {
        let world = World::new(small());
        let mut log = world.create();
        fill(&mut log, 30);
        assert!(log.truncate_to(Offset(end), NOW).unwrap());
        assert_filled(&log, 0, end);
        fill(&mut log, 5);
        assert_filled(&log, 0, end + 50);
        assert!(!log.truncate_to(Offset(1000), NOW).unwrap());
    }
}

#[test]
fn a_slice_found_before_a_truncation_is_not_valid_after_it() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 5);
    let kept = log.view().read(Offset(0), Offset(20), u32::MAX, true).unwrap();
    let cut = log.view().read(Offset(10), Offset(50), u32::MAX, true).unwrap();
    assert!(log.truncate_to(Offset(30), NOW).unwrap());
    assert!(kept.is_valid());
    assert!(!cut.is_valid());
}

#[test]
fn truncation_takes_back_epochs_and_producers() {
    let world = World::new(LogConfig::default());
    let mut log = world.create();
    append_all(&mut log, &[batch(0, 10, 40, producer(7, 0, 0)), batch(10, 10, 40, producer(7, 0, 10))]);
    log.assign_epoch(LeaderEpoch(2));
    assert_eq!(log.view().latest_epoch(), Some(LeaderEpoch(2)));
    assert!(!log.truncate_to(Offset(20), NOW).unwrap());
    assert_eq!(log.view().latest_epoch(), Some(LeaderEpoch(1)), "an epoch without records goes");
    assert!(log.truncate_to(Offset(10), NOW).unwrap());
    let out = append_all(&mut log, &[batch(10, 10, 40, producer(7, 0, 10))]);
    assert!(matches!(out[0], Appended::Written { base_offset: Offset(10), .. }), "{out:?}");
}

#[test]
fn the_log_can_begin_anew_at_any_offset() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 5);
    log.truncate_fully(Offset(1_000), NOW).unwrap();
    assert_eq!((log.view().start(), log.view().end()), (Offset(1_000), Offset(1_000)));
    fill(&mut log, 2);
    assert_filled(&log, 1_000, 1_020);
    drop(log);
    world.disk.crash(ottla_sim::Crash::Process);
    world.disk.restart();
    assert_filled(&world.open(), 1_000, 1_020);
}

#[test]
fn deleted_records_are_out_of_range_at_once_and_their_segments_go_later() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 40);
    assert!(log.raise_start(Offset(205)));
    assert!(!log.raise_start(Offset(100)));
    assert!(log.view().read(Offset(204), Offset(400), 100, true).is_err());
    assert_eq!(records(&log, 205, 100).len(), 195);
    let plan = plan_retention(&log.segment_facts().unwrap(), log.config(), Offset(205), Offset(400), NOW);
    assert!(plan.count > 0);
    let doomed = log.apply_retention(&plan, NOW).unwrap();
    assert_eq!(log.view().start(), Offset(205));
    assert!(log.view().local_start() >= Offset(205));
    assert_eq!(records(&log, 205, 100).len(), 195);
    assert!(doomed.paths.iter().all(|path| world.disk.stat(path).unwrap().is_some()));
    doomed.remove(&world.disk).unwrap();
    let files = world.disk.list(Path::new("/d/t-0")).unwrap();
    assert!(files.iter().all(|file| !file.name.ends_with(".deleted")), "{files:?}");
}

#[test]
fn retention_by_size_keeps_at_least_the_limit() {
    let config = LogConfig { retention_bytes: 10_000, retention_ms: -1, ..small() };
    let world = World::new(config);
    let mut log = world.create();
    fill(&mut log, 60);
    let plan = plan_retention(&log.segment_facts().unwrap(), log.config(), Offset(0), Offset(600), NOW);
    let _ = log.apply_retention(&plan, NOW).unwrap();
    let size = log.view().size();
    assert!((10_000..10_000 + 8192).contains(&size), "{size}");
    let start = log.view().start().0;
    assert!(start > 0);
    assert_filled(&log, start, 600);
}

#[test]
fn retention_by_time_drops_the_active_segment_too_but_nothing_above_the_watermark() {
    let config = LogConfig { retention_ms: 1_000, ..small() };
    let world = World::new(config);
    let mut log = world.create();
    fill(&mut log, 40);
    let facts = log.segment_facts().unwrap();
    let held = plan_retention(&facts, log.config(), Offset(0), Offset(0), NOW);
    assert_eq!(held.count, 0);
    let plan = plan_retention(&facts, log.config(), Offset(0), Offset(400), NOW);
    assert_eq!(plan.count, facts.len());
    let _ = log.apply_retention(&plan, NOW).unwrap();
    assert_eq!((log.view().start(), log.view().end(), log.view().size()), (Offset(400), Offset(400), 0));
    fill(&mut log, 1);
    assert_filled(&log, 400, 410);
}

#[test]
fn a_deleted_partition_waits_under_another_name() {
    let world = World::new(small());
    let mut log = world.create();
    fill(&mut log, 5);
    let slice = log.view().read(Offset(0), Offset(50), 100, true).unwrap();
    let doomed = log.delete(&"a".repeat(32), NOW).unwrap();
    let (found, _) = log.view().log_dir().partitions().unwrap();
    assert_eq!(found[0].dir_name, format!("t-0.{}-delete", "a".repeat(32)));
    let mut byte = [0];
    assert_eq!(slice.file.as_ref().unwrap().read_at(&mut byte, slice.position).unwrap(), 1, "open fetches go on");
    doomed.remove(&world.disk).unwrap();
    assert!(log.view().log_dir().partitions().unwrap().0.is_empty());
}
