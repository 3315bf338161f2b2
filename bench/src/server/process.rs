//! What the system knows of a process: CPU time, memory, descriptors.

use std::time::Duration;

use crate::failure::{Doing, Failure, Result};

/// Position of utime among the fields of `/proc/PID/stat` after the name in parentheses; stime follows.
const USER_TIME_AT: usize = 11;

/// User and system time of the process with all its threads.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).doing("read the server's CPU time")?;
    let ticks = stat_ticks(&stat).ok_or_else(|| Failure::Said(format!("/proc/{pid}/stat has another shape")))?;
    let rate = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / rate as f64))
}

fn stat_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(USER_TIME_AT);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).doing("read the server's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| Failure::Said(format!("/proc/{pid}/status names no VmRSS")))
}

/// Open descriptors.
pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd")).doing("count the server's descriptors")?.count())
}

#[cfg(test)]
mod tests {
    use super::{cpu, descriptors, resident, stat_ticks};

    #[test]
    fn names_with_spaces_and_parentheses_do_not_shift_the_fields() {
        assert_eq!(stat_ticks("7 (a) b (c)) S 1 1 1 0 -1 4 1 0 0 0 30 12 0 0 20"), Some(42));
    }

    #[test]
    fn own_process_can_be_read() {
        let pid = std::process::id();
        assert!(cpu(pid).is_ok());
        assert!(resident(pid).unwrap() > 100_000);
        assert!(descriptors(pid).unwrap() >= 3);
    }
}
