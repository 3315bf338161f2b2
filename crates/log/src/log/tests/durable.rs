//! The durable journal: what it holds survives the loss of power wherever it strikes, and what was cut stays cut.

use super::world::{NOW, World, append_all, assert_filled, batch, host, name, small};
use crate::LogConfig;
use crate::dir::LogDir;
use crate::log::{Appended, Log, Opening};
use ottla_host::Disk as _;
use ottla_sim::Crash;
use ottla_wire::ids::Offset;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn world() -> World {
    World::new(LogConfig { journal: true, ..small() })
}

fn dir(world: &World) -> io::Result<Arc<LogDir>> {
    let dir = LogDir::open(&host(&world.disk), Path::new("/d"), 64).map_err(io::Error::other)?;
    dir.start_journal(0)?;
    Ok(dir)
}

/// The log ends between these after a crash.
#[derive(Debug, Default)]
struct Promised {
    least: i64,
    most: i64,
}

fn fill(log: &mut Log, batches: i64, promised: &mut Promised) -> io::Result<()> {
    for _ in 0..batches {
        let at = log.view().end().0;
        promised.most = at + 10;
        match append_all(log, &[batch(at, 10, 40, None)])[0] {
            Appended::Written { .. } => promised.least = promised.least.max(log.view().journalled_end().0),
            Appended::Duplicate { .. } | Appended::Refused(_) => return Err(io::ErrorKind::Other.into()),
        }
    }
    Ok(())
}

fn truncate(log: &mut Log, end: i64, promised: &mut Promised) -> io::Result<()> {
    promised.least = promised.least.min(end);
    log.truncate_to(Offset(end), NOW)?;
    promised.most = end;
    Ok(())
}

/// Enough that every section is used more than once.
fn live(world: &World, promised: &mut Promised) -> io::Result<()> {
    let dir = dir(world)?;
    let mut log = Log::create(&dir, &name(), None, Arc::new(world.config.clone()), NOW)?;
    fill(&mut log, 60, promised)?;
    truncate(&mut log, 550, promised)?;
    fill(&mut log, 200, promised)?;
    truncate(&mut log, 1_500, promised)?;
    fill(&mut log, 10, promised)
}

fn check(world: &World, at: u64, promised: &Promised) {
    if world.disk.stat(Path::new("/d/t-0")).unwrap().is_none() {
        assert_eq!(promised.least, 0, "crash at {at}");
        return;
    }
    let dir = dir(world).unwrap();
    let opening = Opening::of(&dir, &name());
    let config = Arc::new(world.config.clone());
    let mut log = Log::open(&dir, (&name(), "t-0"), opening, config, NOW).unwrap();
    let end = log.view().end().0;
    assert!((promised.least..=promised.most).contains(&end), "crash at {at}: ends at {end}, {promised:?}");
    assert_filled(&log, 0, end);
    assert_eq!(log.view().journalled_end().0, end);
    fill(&mut log, 2, &mut Promised::default()).unwrap();
}

#[test]
fn journalled_records_survive_a_loss_of_power_at_any_operation() {
    let whole = world();
    let mut promised = Promised::default();
    live(&whole, &mut promised).unwrap();
    assert_eq!(promised.least, promised.most, "everything is journalled");
    let operations = whole.disk.operations();
    for at in (0..operations).step_by(23) {
        for how in [Crash::Power, Crash::Process] {
            let world = world();
            let mut promised = Promised::default();
            world.disk.crash_at(at, how);
            let _ = live(&world, &mut promised);
            if !world.disk.is_down() {
                world.disk.crash(how);
            }
            world.disk.restart();
            check(&world, at, &promised);
            // What the first start has settled is not put in again after another loss.
            world.disk.crash(Crash::Power);
            world.disk.restart();
            let least = Promised { least: promised.least, most: promised.most + 20 };
            check(&world, at, &least);
        }
    }
}

#[test]
fn nothing_is_replayed_after_a_clean_stop() {
    let world = world();
    let dir_held = dir(&world).unwrap();
    let mut log = Log::create(&dir_held, &name(), None, Arc::new(world.config.clone()), NOW).unwrap();
    fill(&mut log, 50, &mut Promised::default()).unwrap();
    drop(dir_held);
    world.close(log);
    world.disk.crash(Crash::Power);
    world.disk.restart();
    world.disk.remove_file(Path::new("/d/.kafka_cleanshutdown")).unwrap();
    let dir = dir(&world).unwrap();
    assert_eq!(dir.replayed().blocks, 0);
}

#[test]
fn the_journalled_end_is_told() {
    let world = world();
    let dir = dir(&world).unwrap();
    let mut log = Log::create(&dir, &name(), None, Arc::new(world.config), NOW).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&told);
    log.view().on_journalled(Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    fill(&mut log, 3, &mut Promised::default()).unwrap();
    assert_eq!(log.view().journalled_end(), Offset(30));
    assert_eq!(told.load(Ordering::Relaxed), 3);
    log.truncate_to(Offset(10), NOW).unwrap();
    assert_eq!(log.view().journalled_end(), Offset(10));
}

#[test]
fn a_batch_larger_than_a_block_is_split_and_put_together_again() {
    let world = World::new(LogConfig { journal: true, ..LogConfig::default() });
    let dir_held = dir(&world).unwrap();
    let mut log = Log::create(&dir_held, &name(), None, Arc::new(world.config.clone()), NOW).unwrap();
    let large = batch(0, 3, 30_000, None);
    append_all(&mut log, &[large, batch(3, 1, 40, None)]);
    assert_eq!(log.view().journalled_end(), Offset(4));
    drop((log, dir_held));
    world.disk.crash(Crash::Power);
    world.disk.restart();
    let dir = dir(&world).unwrap();
    assert!(dir.replayed().bytes > 0);
    let opening = Opening::of(&dir, &name());
    let log = Log::open(&dir, (&name(), "t-0"), opening, Arc::new(world.config), NOW).unwrap();
    assert_eq!(super::world::records(&log, 0, 100).len(), 4);
}

#[test]
fn what_is_left_of_a_deleted_partition_does_not_speak_for_the_next_of_its_name() {
    let world = world();
    let dir = dir(&world).unwrap();
    let create = || Log::create(&dir, &name(), None, Arc::new(world.config.clone()), NOW).unwrap();
    let mut deleted = create();
    super::world::fill(&mut deleted, 40);
    let plan = crate::log::DeletePlan { count: 2, reasons: Vec::new() };
    let _ = deleted.delete(&"0".repeat(32), NOW).unwrap();
    let mut log = create();
    super::world::fill(&mut log, 5);
    let _ = deleted.apply_retention(&plan, NOW).unwrap();
    super::world::fill(&mut log, 5);
    assert_eq!(log.view().journalled_end(), Offset(100));
    drop((log, deleted));
    world.disk.crash(Crash::Power);
    world.disk.restart();
    assert_filled(&world.open(), 0, 100);
}

#[test]
fn a_directory_is_given_free_with_its_logs() {
    let world = world();
    let dir = dir(&world).unwrap();
    let mut log = Log::create(&dir, &name(), None, Arc::new(world.config), NOW).unwrap();
    super::world::fill(&mut log, 40);
    let held = Arc::downgrade(&dir);
    drop((log, dir));
    assert!(held.upgrade().is_none(), "the journal holds its directory");
}

#[test]
fn a_segment_begun_on_a_full_disk_does_not_come_back_over_what_follows() {
    for seed in 0..40 {
        let world =
            World { disk: ottla_sim::SimDisk::new(seed), config: LogConfig { preallocate: true, ..world().config } };
        let dir = dir(&world).unwrap();
        let mut log = Log::create(&dir, &name(), None, Arc::new(world.config.clone()), NOW).unwrap();
        super::world::fill(&mut log, 5);
        let space = world.disk.space(Path::new("/")).unwrap();
        world.disk.set_capacity(space.total - space.free + 1_000);
        log.roll(NOW).unwrap_err();
        world.disk.set_capacity(space.total);
        super::world::fill(&mut log, 5);
        drop((log, dir));
        world.disk.crash(Crash::Power);
        world.disk.restart();
        assert_filled(&world.open(), 0, 100);
    }
}
