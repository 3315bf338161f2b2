//! What Linux tells about this process, under the names that every Prometheus client uses.

use crate::metric::{Collect, Metric, Scrape, Unit};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;

const CPU: Metric = Metric::counter("process_cpu_seconds_total", Unit::Seconds, "Processor time, user and system");
const OPEN_FDS: Metric = Metric::gauge("process_open_fds", Unit::Count, "Open file descriptors");
const MAX_FDS: Metric = Metric::gauge("process_max_fds", Unit::Count, "Limit of open file descriptors");
const RESIDENT: Metric = Metric::gauge("process_resident_memory_bytes", Unit::Bytes, "Memory in RAM");
const VIRTUAL: Metric = Metric::gauge("process_virtual_memory_bytes", Unit::Bytes, "Memory mapped");
const START: Metric = Metric::gauge("process_start_time_seconds", Unit::Seconds, "Start, since the epoch");
const THREADS: Metric = Metric::gauge("process_threads", Unit::Count, "Threads");
const DISK_READ: Metric =
    Metric::gauge("kafka_server_kafkaserver_linux_disk_read_bytes", Unit::Bytes, "Bytes fetched from devices");
const DISK_WRITE: Metric =
    Metric::gauge("kafka_server_kafkaserver_linux_disk_write_bytes", Unit::Bytes, "Bytes sent to devices");

/// Places in `/proc/self/stat`, counted from the field after the command.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const THREAD_COUNT: usize = 17;
const START_TICKS: usize = 19;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

/// Keeps the memory of this process in pages of 4 KB, from the first lines of `main` on: with transparent huge pages an
/// allocator's arenas take 2 MB for each touch of a few bytes, and an idle broker twice its memory.
pub fn refuse_huge_pages() {
    // A kernel that was built without them has nothing to refuse.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Collects the `process_*` metrics and the bytes read and written.
#[derive(Debug)]
pub struct ProcessMetrics;

impl Collect for ProcessMetrics {
    fn collect(&self, scrape: &mut Scrape<'_>) {
        collect_stat(scrape);
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory being read.
            scrape.put(&OPEN_FDS, &[], entries.count().saturating_sub(1) as f64);
        }
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            scrape.put(&MAX_FDS, &[], limit as f64);
        }
        if let Ok(io) = fs::read_to_string("/proc/self/io") {
            let value = |key: &str| io.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<f64>().ok());
            [(&DISK_READ, "read_bytes:"), (&DISK_WRITE, "write_bytes:")]
                .into_iter()
                .filter_map(|(metric, key)| Some((metric, value(key)?)))
                .for_each(|(metric, value)| scrape.put(metric, &[], value));
        }
    }
}

/// Lets this process open as many files as the system allows it to, which shells set lower. Answers how many; None for
/// no limit.
pub fn raise_file_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

fn collect_stat(scrape: &mut Scrape<'_>) {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return };
    // The command stands in parentheses and may hold any character.
    let Some((_, rest)) = stat.rsplit_once(')') else { return };
    let fields: Vec<f64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or(0.0);
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    scrape.put(&CPU, &[], (field(USER_TICKS) + field(SYSTEM_TICKS)) / ticks);
    scrape.put(&THREADS, &[], field(THREAD_COUNT));
    scrape.put(&VIRTUAL, &[], field(VIRTUAL_BYTES));
    scrape.put(&RESIDENT, &[], field(RESIDENT_PAGES) * rustix::param::page_size() as f64);
    if let Some(boot) = boot_seconds() {
        scrape.put(&START, &[], boot + field(START_TICKS) / ticks);
    }
}

/// When the machine started, seconds since the epoch.
fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}
