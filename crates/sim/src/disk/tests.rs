//! The simulated disk keeps what it promised and loses what it may.

use super::{Crash, Fault, SimDisk};
use crate::block_on;
use ottla_host::disk::{Disk, File, Open, write_all_at};
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

const FILE: &str = "/data/0.log";

fn disk_with_file(seed: u64) -> (SimDisk, Arc<dyn File>) {
    let disk = SimDisk::new(seed);
    disk.create_dir_all(Path::new("/data")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(Path::new(FILE), Open::Create).unwrap();
    disk.sync_dir(Path::new("/data")).unwrap();
    (disk, file)
}

fn after_power_loss(disk: &SimDisk) -> Vec<u8> {
    disk.crash(Crash::Power);
    disk.restart();
    disk.read(Path::new(FILE), 1 << 20).unwrap().unwrap_or_default()
}

/// Whether `found` comes out for some seeds and not for others.
fn varies(found: impl Fn(u64) -> bool) -> bool {
    let count = (0..64).filter(|seed| found(*seed)).count();
    0 < count && count < 64
}

#[test]
fn synced_bytes_survive_a_power_loss_and_others_may_not() {
    for seed in 0..64 {
        let (disk, file) = disk_with_file(seed);
        write_all_at(&*file, &[1; 10_000], 0).unwrap();
        file.sync().unwrap();
        write_all_at(&*file, &[2; 10_000], 10_000).unwrap();
        assert_eq!(after_power_loss(&disk)[..10_000], [1; 10_000]);
    }
    let survives = |seed| {
        let (disk, file) = disk_with_file(seed);
        write_all_at(&*file, &[2; 10_000], 0).unwrap();
        after_power_loss(&disk) == [2; 10_000]
    };
    assert!(varies(survives));
}

#[test]
fn what_is_written_while_a_sync_runs_takes_nothing_from_it() {
    for seed in 0..64 {
        let (disk, file) = disk_with_file(seed);
        write_all_at(&*file, &[1; 100], 0).unwrap();
        let sync = disk.sync_all(vec![Arc::clone(&file)]);
        write_all_at(&*file, &[2; 100], 100).unwrap();
        assert!(block_on(sync)[0].is_ok());
        assert_eq!(after_power_loss(&disk)[..100], [1; 100]);
    }
    let later_write_survives = |seed| {
        let (disk, file) = disk_with_file(seed);
        let sync = disk.sync_all(vec![Arc::clone(&file)]);
        write_all_at(&*file, &[2; 100], 0).unwrap();
        assert!(block_on(sync)[0].is_ok());
        after_power_loss(&disk) == [2; 100]
    };
    assert!(varies(later_write_survives));
}

#[test]
fn an_unsynced_name_may_vanish() {
    let vanishes = |seed| {
        let (disk, _) = disk_with_file(seed);
        let path = Path::new("/data/new");
        disk.open(path, Open::CreateNew).unwrap().sync().unwrap();
        disk.crash(Crash::Power);
        disk.restart();
        disk.stat(path).unwrap().is_none()
    };
    assert!(varies(vanishes));
}

#[test]
fn a_replaced_file_is_old_or_new_and_durably_new_when_asked() {
    for seed in 0..64 {
        for durable in [false, true] {
            let (disk, file) = disk_with_file(seed);
            write_all_at(&*file, b"old", 0).unwrap();
            file.sync().unwrap();
            disk.replace(Path::new(FILE), b"new", durable).unwrap();
            let found = after_power_loss(&disk);
            assert!(found == b"new" || !durable, "{found:?}");
        }
    }
}

#[test]
fn an_unsynced_truncation_may_come_undone() {
    let undone = |seed| {
        let (disk, file) = disk_with_file(seed);
        write_all_at(&*file, &[1; 9000], 0).unwrap();
        file.sync().unwrap();
        file.set_len(5000).unwrap();
        let found = after_power_loss(&disk);
        assert!(found.len() >= 5000 && found[..5000] == [1; 5000]);
        found.len() > 5000
    };
    assert!(varies(undone));
}

#[test]
fn a_killed_process_loses_nothing_it_has_written() {
    let (disk, file) = disk_with_file(1);
    write_all_at(&*file, &[3; 5000], 0).unwrap();
    disk.crash(Crash::Process);
    assert!(file.len().is_err());
    disk.restart();
    assert!(file.len().is_err(), "files of the dead process stay dead");
    assert_eq!(disk.read(Path::new(FILE), 1 << 20).unwrap().unwrap(), [3; 5000]);
}

#[test]
fn a_crash_in_a_write_leaves_a_first_part_of_it() {
    let is_partial = |seed| {
        let (disk, file) = disk_with_file(seed);
        disk.crash_at(disk.operations(), Crash::Process);
        assert!(file.write_at(&[IoSlice::new(&[4; 1000])], 0).is_err());
        assert_eq!(disk.met()["crash in append"], 1);
        disk.restart();
        let found = disk.read(Path::new(FILE), 1 << 20).unwrap().unwrap();
        assert!(found.iter().all(|byte| *byte == 4));
        found.len() > 500
    };
    assert!(varies(is_partial));
}

#[test]
fn a_failed_sync_counts_as_clean_and_loses_pages() {
    let lost = |seed| {
        let (disk, file) = disk_with_file(seed);
        write_all_at(&*file, &[0; 8192], 0).unwrap();
        file.sync().unwrap();
        write_all_at(&*file, &[5; 8192], 0).unwrap();
        disk.fail_next(Fault::SyncError, "0.log", 1);
        file.sync().unwrap_err();
        file.sync().unwrap();
        after_power_loss(&disk) != [5; 8192]
    };
    assert!(varies(lost));
}

#[test]
fn a_full_disk_takes_a_part_then_refuses_and_takes_more_when_freed() {
    let (disk, file) = disk_with_file(1);
    disk.set_capacity(1000);
    assert_eq!(file.write_at(&[IoSlice::new(&[1; 1500])], 0).unwrap(), 1000);
    let refused = file.write_at(&[IoSlice::new(&[1; 500])], 1000).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    file.set_len(0).unwrap();
    assert_eq!(file.write_at(&[IoSlice::new(&[1; 500])], 0).unwrap(), 500);
}

#[repr(align(4096))]
struct Pages([u8; 8192]);

#[test]
fn a_durable_write_survives_and_a_torn_one_is_whole_in_its_sectors() {
    for seed in 0..64 {
        let (disk, _) = disk_with_file(seed);
        let file = disk.open(Path::new(FILE), Open::Durable).unwrap();
        let (first, second) = (Box::new(Pages([1; 8192])), Box::new(Pages([2; 8192])));
        file.write_at(&[IoSlice::new(&first.0)], 0).unwrap();
        disk.crash_at(disk.operations(), Crash::Power);
        file.write_at(&[IoSlice::new(&second.0)], 0).unwrap_err();
        disk.restart();
        let found = disk.read(Path::new(FILE), 1 << 20).unwrap().unwrap();
        assert_eq!(found.len(), 8192);
        assert!(found.chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]));
    }
}

#[test]
fn a_lock_excludes_a_second_one_until_it_is_dropped_or_its_node_dies() {
    let (disk, _) = disk_with_file(1);
    let dir = Path::new("/data");
    let lock = disk.lock_dir(dir).unwrap();
    assert_eq!(disk.lock_dir(dir).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    disk.crash(Crash::Process);
    disk.restart();
    let second = disk.lock_dir(dir).unwrap();
    drop(lock);
    assert!(disk.lock_dir(dir).is_err());
    drop(second);
    disk.lock_dir(dir).unwrap();
}

#[test]
fn equal_seeds_leave_equal_traces() {
    let run = |seed| {
        let (disk, file) = disk_with_file(seed);
        for turn in 0..50 {
            write_all_at(&*file, &[7; 3000], turn * 1500).unwrap();
            file.start_writeback(0, 100_000).unwrap();
        }
        (after_power_loss(&disk), disk.trace())
    };
    assert_eq!(run(9), run(9));
    assert!(varies(|seed| run(seed).0 == run(0).0));
}
