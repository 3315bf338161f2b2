//! The real host keeps what the seams promise.

use super::{RealDisk, Runtime};
use crate::disk::{Disk, Open, read_exact_at, write_all_at};
use crate::net::Stream;
use bytes::BytesMut;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[test]
fn written_parts_are_read_back_and_lie_where_they_were_put() {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::new();
    let file = disk.open(&dir.path().join("a"), Open::CreateNew).unwrap();
    file.reserve(1 << 20).unwrap();
    assert_eq!(file.len().unwrap(), 0);
    assert_eq!(file.write_at(&[IoSlice::new(b"one "), IoSlice::new(b"two")], 0).unwrap(), 7);
    let mut bytes = [0; 7];
    read_exact_at(&*file, &mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"one two");
    assert!(file.is_cached(0, 7));
    file.start_writeback(0, 7).unwrap();
    file.read_ahead(0, 7).unwrap();
    file.sync().unwrap();
    assert!(disk.open(&dir.path().join("a"), Open::CreateNew).is_err());
}

#[repr(align(4096))]
struct Page([u8; 4096]);

#[test]
fn a_durable_file_takes_aligned_pages() {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let file = RealDisk::new().open(&dir.path().join("journal"), Open::Durable).unwrap();
    let page = Box::new(Page([7; 4096]));
    assert_eq!(file.write_at(&[IoSlice::new(&page.0)], 4096).unwrap(), 4096);
    assert_eq!(file.len().unwrap(), 8192);
}

#[test]
fn a_directory_is_locked_once_even_within_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let lock = RealDisk::new().lock_dir(dir.path()).unwrap();
    let second = RealDisk::new().lock_dir(dir.path()).unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    RealDisk::new().lock_dir(dir.path()).unwrap();
}

#[test]
fn a_record_lock_of_another_process_excludes_ours() {
    let dir = tempfile::tempdir().unwrap();
    let script = "import fcntl,sys;f=open(sys.argv[1],'w');fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB);print('ok',flush=True);sys.stdin.read()";
    let path = dir.path().join(".lock");
    let started = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    // Without python3 there is no second locker to try against.
    let Ok(mut other) = started else { return };
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(other.stdout.as_mut().unwrap()), &mut line).unwrap();
    assert_eq!(RealDisk::new().lock_dir(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(other.stdin.take());
    other.wait().unwrap();
    RealDisk::new().lock_dir(dir.path()).unwrap();
}

#[test]
fn replace_leaves_the_new_bytes_and_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::new();
    let path = dir.path().join("checkpoint");
    disk.replace(&path, b"a long first content", true).unwrap();
    disk.replace(&path, b"short", true).unwrap();
    assert_eq!(disk.read(&path, 100).unwrap().unwrap(), b"short");
    assert_eq!(disk.list(dir.path()).unwrap().len(), 1);
    assert_eq!(disk.read(&path, 2).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn many_files_are_synced_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::start(1).unwrap();
    let disk = runtime.host().disk;
    let open = |index: usize| disk.open(&dir.path().join(index.to_string()), Open::Create).unwrap();
    let files: Vec<_> = (0..20).map(open).collect();
    let results = runtime.block_on(disk.sync_all(files));
    assert_eq!(results.len(), 20);
    assert!(results.iter().all(Result::is_ok));
    assert!(!disk.boot_id().is_empty());
    assert!(disk.space(dir.path()).unwrap().free > 0);
}

#[test]
fn work_of_a_lane_runs_in_order_even_when_nobody_waits() {
    let runtime = Runtime::start(1).unwrap();
    let tasks = runtime.host().tasks;
    let seen = Arc::new(AtomicU64::new(0));
    for turn in 0..100 {
        let seen = Arc::clone(&seen);
        drop(tasks.offload("lane", Box::new(move || assert_eq!(seen.fetch_add(1, Ordering::SeqCst), turn))));
    }
    runtime.block_on(tasks.offload("lane", Box::new(|| ())));
    assert_eq!(seen.load(Ordering::SeqCst), 100);
}

#[test]
fn a_sleep_ends_at_its_deadline_and_an_aborted_task_ends() {
    let runtime = Runtime::start(1).unwrap();
    let host = runtime.host();
    let deadline = host.clock.monotonic() + Duration::from_millis(5);
    runtime.block_on(host.tasks.sleep_until(deadline));
    assert!(host.clock.monotonic() >= deadline);
    let task = host.tasks.spawn("for ever", Box::pin(std::future::pending()));
    task.abort();
    while !task.is_finished() {
        std::thread::yield_now();
    }
}

async fn read_to(stream: &mut dyn Stream, len: usize) -> BytesMut {
    let mut buffer = BytesMut::new();
    while buffer.len() < len {
        assert_ne!(poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await.unwrap(), 0);
    }
    buffer
}

#[test]
fn bytes_and_file_regions_arrive_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::start(2).unwrap();
    let host = runtime.host();
    let file = host.disk.open(&dir.path().join("segment"), Open::Create).unwrap();
    write_all_at(&*file, b"0123456789", 0).unwrap();
    runtime.block_on(async {
        let mut listener = host.net.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut client = host.net.connect("localhost", port).await.unwrap();
        let mut server = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        assert_eq!(server.peer_addr().unwrap(), client.local_addr().unwrap());
        let parts = [IoSlice::new(b"he"), IoSlice::new(b"llo ")];
        assert_eq!(poll_fn(|cx| server.poll_write(cx, &parts)).await.unwrap(), 6);
        assert_eq!(poll_fn(|cx| server.poll_send_file(cx, &*file, 3, 4)).await.unwrap(), 4);
        assert_eq!(poll_fn(|cx| server.poll_send_file(cx, &*file, 10, 4)).await.unwrap(), 0);
        assert_eq!(&read_to(&mut *client, 10).await[..], b"hello 3456");
        poll_fn(|cx| server.poll_close(cx)).await.unwrap();
        let mut rest = BytesMut::new();
        assert_eq!(poll_fn(|cx| client.poll_read(cx, &mut rest)).await.unwrap(), 0);
    });
}

#[test]
fn the_process_tells_about_itself() {
    let registry = crate::metric::Registry::new();
    registry.register(Box::new(super::ProcessMetrics));
    let text = registry.text(crate::Monotonic(0));
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 100_000.0);
    assert!(value("process_open_fds") >= 3.0 && value("process_max_fds") >= value("process_open_fds"));
    assert!(value("process_start_time_seconds") > 1.7e9);
    assert!(value("process_threads") >= 1.0);
}
