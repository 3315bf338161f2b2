//! A crash in the middle of every operation on the disk.

use super::world::{NOW, World, append_all, assert_filled, batch, host, name, small};
use crate::dir::LogDir;
use crate::log::{Appended, Log, plan_retention};
use ottla_host::Disk as _;
use ottla_sim::Crash;
use ottla_wire::ids::Offset;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What must be there after the crash.
#[derive(Debug, Default)]
struct Promised {
    /// The log ends here or behind.
    end: i64,
    /// What was synced ends here or behind.
    synced: i64,
    /// The log starts here or before.
    start: i64,
}

fn fill(log: &mut Log, batches: i64, promised: &mut Promised) -> io::Result<()> {
    for _ in 0..batches {
        let at = log.view().end().0;
        match append_all(log, &[batch(at, 10, 40, None)])[0] {
            Appended::Written { last_offset, .. } => promised.end = last_offset.0 + 1,
            Appended::Duplicate { .. } | Appended::Refused(_) => return Err(io::ErrorKind::Other.into()),
        }
    }
    Ok(())
}

fn sync(log: &mut Log, active: bool, promised: &mut Promised) -> io::Result<()> {
    let dir = Arc::clone(log.view().log_dir());
    if let Some(flush) = log.flush(active)? {
        dir.sync_now(&flush).map_err(io::Error::other)?;
        log.flushed(flush.through, NOW);
        let points = [(name(), log.recovery_point())].into();
        dir.write_checkpoint(crate::dir::checkpoint::RECOVERY_POINT, &points)?;
        promised.synced = promised.synced.max(flush.through.0);
    }
    Ok(())
}

/// A life of a log with everything in it that writes.
fn live(world: &World, promised: &mut Promised) -> io::Result<()> {
    let dir = LogDir::open(&host(&world.disk), Path::new("/d"), 64).map_err(io::Error::other)?;
    let mut log = Log::create(&dir, &name(), None, Arc::new(world.config.clone()), NOW)?;
    fill(&mut log, 12, promised)?;
    sync(&mut log, false, promised)?;
    fill(&mut log, 3, promised)?;
    sync(&mut log, true, promised)?;
    log.roll(NOW)?;
    fill(&mut log, 20, promised)?;
    (promised.end, promised.synced) = (155, 150);
    log.truncate_to(Offset(160), NOW)?;
    fill(&mut log, 5, promised)?;
    sync(&mut log, true, promised)?;
    log.raise_start(Offset(140));
    promised.start = 140;
    let plan = plan_retention(&log.segment_facts()?, log.config(), Offset(140), log.view().end(), NOW);
    let doomed = log.apply_retention(&plan, NOW)?;
    doomed.remove(&world.disk)?;
    fill(&mut log, 5, promised)?;
    let flush = log.close()?;
    if let Some(flush) = flush {
        dir.sync_now(&flush).map_err(io::Error::other)?;
        log.flushed(flush.through, NOW);
        promised.synced = flush.through.0;
    }
    dir.write_checkpoint(crate::dir::checkpoint::RECOVERY_POINT, &[(name(), log.recovery_point())].into())?;
    dir.mark_clean(1)
}

fn crash_everywhere(how: Crash) {
    let whole = World::new(small());
    live(&whole, &mut Promised::default()).unwrap();
    let operations = whole.disk.operations();
    assert!(operations > 100, "{operations}");
    for at in 0..operations {
        let world = World::new(small());
        let mut promised = Promised::default();
        world.disk.crash_at(at, how);
        let _ = live(&world, &mut promised);
        if !world.disk.is_down() {
            world.disk.crash(how);
        }
        world.disk.restart();
        if world.disk.stat(Path::new("/d/t-0")).unwrap().is_none() {
            assert_eq!(promised.synced, 0);
            continue;
        }
        let mut log = world.open();
        let least = if how == Crash::Process { promised.end } else { promised.synced };
        let (start, end) = (log.view().start().0, log.view().end().0);
        assert!(end >= least, "crash at {at}: ends at {end}, promised were {promised:?}");
        assert!(start <= promised.start.min(end), "crash at {at}: starts at {start}, promised {promised:?}");
        assert_filled(&log, start, end);
        let at_end = append_all(&mut log, &[batch(end, 10, 40, None)]);
        assert!(matches!(at_end[0], Appended::Written { .. }), "crash at {at}: {at_end:?}");
        assert_filled(&log, start, end + 10);
    }
}

#[test]
fn a_killed_process_loses_nothing_wherever_it_dies() {
    crash_everywhere(Crash::Process);
}

#[test]
fn a_lost_machine_loses_nothing_synced_wherever_it_dies() {
    crash_everywhere(Crash::Power);
}
