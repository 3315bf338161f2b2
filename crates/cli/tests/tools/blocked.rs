//! A member whose output nobody reads: it stays a member, until `max.poll.interval.ms` is over.

use super::process::Server;
use super::{Consumer, PATIENCE, said, tool, until_members};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdout, Stdio};
use std::time::{Duration, Instant};

const SESSION: Duration = Duration::from_secs(1);
/// More than a pipe holds.
const ORDERS: u32 = 4000;

fn start() -> Server {
    let server = Server::start_with(&[
        "group.initial.rebalance.delay.ms=0",
        "group.min.session.timeout.ms=500",
        "group.consumer.min.session.timeout.ms=500",
        "group.consumer.session.timeout.ms=1000",
        "group.consumer.min.heartbeat.interval.ms=200",
        "group.consumer.heartbeat.interval.ms=200",
    ]);
    said(&server, "topics", &["--create", "--topic", "orders", "--partitions", "4"]);
    let arguments =
        ["--topic", "orders", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"];
    let mut child = tool(&server, "console-producer", &arguments).stdin(Stdio::piped()).spawn().unwrap();
    let padding = "x".repeat(80);
    let lines: String = (0..ORDERS).map(|number| format!("{number}:{number} {padding}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    server
}

/// A member whose output is read by nobody yet.
fn consume(server: &Server, settings: &[&str]) -> (Consumer, BufReader<ChildStdout>) {
    let arguments = ["--topic", "orders", "--group", "billing", "--from-beginning"];
    let settings = settings.iter().flat_map(|setting| ["--command-property", setting]);
    let mut command = tool(server, "console-consumer", &arguments);
    let mut child = command.args(settings).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (Consumer(child), output)
}

fn members(server: &Server) -> Vec<String> {
    let table = said(server, "consumer-groups", &["--describe", "--group", "billing", "--members"]);
    let rows = table.lines().filter_map(|line| line.strip_prefix("billing"));
    rows.map(|row| row.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Reads until every order has come; how many lines that took.
fn read_all(output: &mut BufReader<ChildStdout>) -> u32 {
    let mut missing: BTreeSet<u32> = (0..ORDERS).collect();
    let mut count = 0;
    for line in output.lines() {
        let line = line.unwrap();
        missing.remove(&line.split(' ').next().unwrap().parse().unwrap());
        count += 1;
        if missing.is_empty() {
            return count;
        }
    }
    panic!("the output ended without {missing:?}");
}

fn stays(settings: &[&str]) {
    let server = start();
    let (mut consumer, mut output) = consume(&server, settings);
    until_members(&server, 1);
    let member = members(&server);
    let since = Instant::now();
    while since.elapsed() < SESSION * 3 {
        assert_eq!(members(&server), member, "the same member all the time");
        std::thread::sleep(SESSION / 5);
    }
    assert_eq!(read_all(&mut output), ORDERS, "each order once: it was a member all the time");
    assert!(consumer.ends_by(Signal::TERM));
    assert!(server.stop(), "it stops cleanly");
}

#[test]
fn a_member_whose_output_blocks_stays_in_its_group() {
    stays(&["session.timeout.ms=1000", "heartbeat.interval.ms=200"]);
}

#[test]
fn a_member_of_kip_848_whose_output_blocks_stays_in_its_group() {
    stays(&["group.protocol=consumer"]);
}

fn leaves_and_comes_back(protocol: &str) {
    let server = start();
    let protocol = format!("group.protocol={protocol}");
    let (mut consumer, mut output) = consume(&server, &[&protocol, "max.poll.interval.ms=2000"]);
    until_members(&server, 1);
    let since = Instant::now();
    while !members(&server).is_empty() {
        assert!(since.elapsed() < PATIENCE, "it does not leave");
        std::thread::sleep(SESSION / 10);
    }
    read_all(&mut output);
    // What comes once more is read too, so that the consumer can look at signals.
    let rest = std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    until_members(&server, 1);
    let mut complaints = consumer.0.stderr.take().unwrap();
    assert!(consumer.ends_by(Signal::TERM));
    rest.join().unwrap().unwrap();
    let mut said = String::new();
    complaints.read_to_string(&mut said).unwrap();
    assert!(said.contains("max.poll.interval.ms=2000"), "{said}");
    assert!(server.stop(), "it stops cleanly");
}

#[test]
fn a_member_that_does_not_poll_leaves_its_group_and_joins_again_when_it_does() {
    leaves_and_comes_back("classic");
}

#[test]
fn a_member_of_kip_848_that_does_not_poll_leaves_its_group_and_joins_again_when_it_does() {
    leaves_and_comes_back("consumer");
}
