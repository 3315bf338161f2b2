//! The program as a process of its own, and what the system tells about it.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A broker that was started as a user does.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Its standard output stays open, so that the rest of the banner goes somewhere.
    _output: Lines<BufReader<ChildStdout>>,
    _data: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::start_with(&[])
    }

    /// Starts one with settings, `key=value`.
    pub(crate) fn start_with(settings: &[&str]) -> Server {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ottla"))
            .args(["start", "--listen", "127.0.0.1:0", "--override", "ottla.http.listener=", "--data"])
            .arg(data.path().join("data"))
            .args(settings.iter().flat_map(|setting| ["--override", *setting]))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut banner = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = banner.by_ref().find_map(|line| line.unwrap().trim().strip_prefix("broker").map(str::to_owned));
        let line = line.expect("the banner tells where the broker is");
        let port = line.split_whitespace().next().and_then(|at| at.rsplit_once(':')).unwrap().1;
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        Server { child, address, _output: banner, _data: data }
    }

    /// A number of `/proc/PID/status` in bytes.
    fn bytes_of(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().unwrap() * 1024
    }

    /// Memory that it has in RAM.
    pub(crate) fn resident(&self) -> u64 {
        self.bytes_of("VmRSS")
    }

    /// The most that it ever had in RAM.
    pub(crate) fn resident_peak(&self) -> u64 {
        self.bytes_of("VmHWM")
    }

    /// Asks it to stop; whether it did so cleanly.
    pub(crate) fn stop(mut self) -> bool {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already where it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
