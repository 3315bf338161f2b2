//! The group tools as a user types them: two consumers share a topic, one leaves, the other goes on.

#![expect(clippy::unwrap_used, reason = "a test fails by unwrap")]

#[allow(dead_code, reason = "memory is looked at elsewhere")]
#[path = "../hostile/process.rs"]
mod process;

mod blocked;
mod pipes;

use process::Server;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Longest time for anything here, on a machine that runs many tests.
const PATIENCE: Duration = Duration::from_secs(60);

fn tool(server: &Server, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.arg(name).args(["--bootstrap-server", &server.address.to_string()]).args(arguments);
    command
}

/// Standard output of a tool that succeeds.
fn said(server: &Server, name: &str, arguments: &[&str]) -> String {
    let done = tool(server, name, arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// A consumer that does not outlive the test.
struct Consumer(Child);

impl Consumer {
    /// Sends it a signal; whether it ends cleanly.
    fn ends_by(&mut self, signal: Signal) -> bool {
        let id = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, signal).unwrap();
        self.0.wait().unwrap().success()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A consumer in the group `billing`, whose lines come with its number.
fn consume(server: &Server, property: &str, number: usize, lines: Sender<(usize, String)>) -> Consumer {
    let arguments = ["--topic", "orders", "--group", "billing", "--from-beginning", "--command-property", property];
    let mut child =
        tool(server, "console-consumer", &arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if lines.send((number, line)).is_err() {
                return;
            }
        }
    });
    Consumer(child)
}

/// Sends orders, each with its number as its key.
fn order(server: &Server, numbers: std::ops::Range<u32>) {
    let arguments =
        ["--topic", "orders", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    let mut child = tool(server, "console-producer", &arguments).stdin(Stdio::piped()).spawn().unwrap();
    let lines: String = numbers.map(|number| format!("{number}:order {number}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Waits until the table of the group's members has as many rows, in which all four partitions are given out.
fn until_members(server: &Server, wanted: usize) {
    let since = Instant::now();
    loop {
        let table = said(server, "consumer-groups", &["--describe", "--group", "billing", "--members"]);
        let partitions = |line: &str| line.split_whitespace().last().and_then(|last| last.parse::<usize>().ok());
        let given: Vec<usize> =
            table.lines().filter(|line| line.starts_with("billing")).filter_map(partitions).collect();
        if given.len() == wanted && given.iter().sum::<usize>() == 4 && !given.contains(&0) {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "not {wanted} members with four partitions:\n{table}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The next `count` lines, and who printed any of them.
fn read(lines: &Receiver<(usize, String)>, count: usize) -> (BTreeSet<usize>, BTreeSet<String>) {
    let read: Vec<(usize, String)> = (0..count).map(|_| lines.recv_timeout(PATIENCE).expect("a line")).collect();
    read.into_iter().unzip()
}

fn orders(numbers: std::ops::Range<u32>) -> BTreeSet<String> {
    numbers.map(|number| format!("order {number}")).collect()
}

fn two_share_and_one_goes_on(property: &str) {
    let server = Server::start_with(&[
        "group.initial.rebalance.delay.ms=0",
        "group.consumer.min.heartbeat.interval.ms=500",
        "group.consumer.heartbeat.interval.ms=500",
    ]);
    said(&server, "topics", &["--create", "--topic", "orders", "--partitions", "4"]);
    let (sender, lines) = channel();
    let mut first = consume(&server, property, 1, sender.clone());
    let mut second = consume(&server, property, 2, sender);
    until_members(&server, 2);
    order(&server, 0..40);
    assert_eq!(
        read(&lines, 40),
        (BTreeSet::from([1, 2]), orders(0..40)),
        "each order is printed once, both print some"
    );
    assert!(first.ends_by(Signal::INT), "Ctrl-C is a clean end");
    until_members(&server, 1);
    order(&server, 40..60);
    assert_eq!(read(&lines, 20), (BTreeSet::from([2]), orders(40..60)), "what the first has read does not come again");
    assert!(second.ends_by(Signal::TERM));
    let table = said(&server, "consumer-groups", &["--describe", "--group", "billing"]);
    let lags: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("billing")?.split_whitespace().nth(4)).collect();
    assert_eq!(lags, ["0"; 4], "all is committed:\n{table}");
    assert!(server.stop(), "it stops cleanly");
}

#[test]
fn two_consumers_share_a_topic_and_one_goes_on_alone() {
    two_share_and_one_goes_on("group.protocol=classic");
}

#[test]
fn two_consumers_of_kip_848_share_a_topic_and_one_goes_on_alone() {
    two_share_and_one_goes_on("group.protocol=consumer");
}

#[test]
fn two_cooperative_consumers_share_a_topic_and_one_goes_on_alone() {
    two_share_and_one_goes_on(
        "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    );
}

#[test]
fn an_assignor_that_is_not_there_is_refused_by_name() {
    let server = Server::start_with(&[]);
    let setting = "partition.assignment.strategy=com.example.Mine";
    let arguments = ["--topic", "orders", "--group", "billing", "--command-property", setting];
    let done = tool(&server, "console-consumer", &arguments).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    for part in ["com.example.Mine", "CooperativeStickyAssignor", "group.protocol=consumer"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}
