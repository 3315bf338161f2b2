//! A disk that stalls for a second delays nothing that does not touch it.

#![expect(clippy::unwrap_used, reason = "a test fails by unwrap")]

use ottla_host::disk::{Disk, File, Open, write_all_at};
use ottla_host::real::{RealDisk, Runtime};
use ottla_host::{Host, Monotonic};
use ottla_sim::StallingDisk;
use std::sync::Arc;
use std::time::Duration;

/// The stall, and a delay that shows that nobody waited for it, with room for a machine that runs many tests at once.
const STALL: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(500);

fn file_in(disk: &dyn Disk, dir: &std::path::Path) -> Arc<dyn File> {
    disk.create_dir_all(dir).unwrap();
    disk.open(&dir.join("0.log"), Open::Create).unwrap()
}

/// Appends to a file for as long as the stall lasts; the longest time that one append took.
async fn append_until(host: &Host, file: &dyn File, end: Monotonic) -> Duration {
    let mut slowest = Duration::ZERO;
    while host.clock.monotonic() < end {
        let begun = host.clock.monotonic();
        write_all_at(file, b"record", 0).unwrap();
        host.tasks.sleep_until(begun + Duration::from_millis(1)).await;
        slowest = slowest.max(host.clock.monotonic().since(begun));
    }
    slowest
}

#[test]
fn work_on_the_thread_of_a_stalled_directory_holds_up_no_worker() {
    let temp = tempfile::tempdir().unwrap();
    let runtime = Runtime::start(1).unwrap();
    let slow_dir = temp.path().join("slow");
    let disk = StallingDisk::new(Arc::new(RealDisk::new()), &slow_dir);
    let gate = disk.gate();
    let host = Host { disk: Arc::new(disk), ..runtime.host() };
    let slow = file_in(&*host.disk, &slow_dir);
    let fast = file_in(&*host.disk, &temp.path().join("fast"));
    gate.stall();
    let flushed = host.tasks.offload("log-dir-slow", Box::new(move || slow.sync().unwrap()));
    let story = host.clone();
    let (done, answer) = std::sync::mpsc::channel();
    host.tasks.spawn(
        "append",
        Box::pin(async move {
            let end = story.clock.monotonic() + STALL;
            let slowest = append_until(&story, &*fast, end).await;
            let synced = story.disk.sync_all(vec![fast]).await;
            done.send((slowest, synced)).unwrap();
        }),
    );
    let (slowest, synced) = answer.recv().unwrap();
    gate.resume();
    runtime.block_on(flushed);
    assert!(synced[0].is_ok());
    assert!(slowest < PATIENCE, "an append to the other disk took {slowest:?}");
}
