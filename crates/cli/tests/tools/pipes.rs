//! Readers that stop early, as `head` does, and wrong input: a tool ends with an exit code and a text, never by a panic.

use super::process::Server;
use super::{order, said, tool};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What a tool says on standard error and its exit code, when nobody reads the rest of its output after the first line.
fn cut_short(mut command: Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_reader_that_stops_early_ends_a_tool_well() {
    let server = Server::start_with(&[]);
    for number in 0..4 {
        said(&server, "topics", &["--create", "--topic", &format!("topic-{number}"), "--partitions", "100"]);
    }
    let (code, complaints) = cut_short(tool(&server, "topics", &["--describe"]));
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
}

#[test]
fn a_consumer_whose_reader_stops_early_leaves_its_group_and_commits_nothing_that_was_not_shown() {
    let server = Server::start_with(&["group.initial.rebalance.delay.ms=0"]);
    said(&server, "topics", &["--create", "--topic", "orders", "--partitions", "1"]);
    order(&server, 0..20_000);
    let arguments = ["--topic", "orders", "--group", "billing", "--from-beginning"];
    let (code, complaints) = cut_short(tool(&server, "console-consumer", &arguments));
    assert_eq!(code, Some(0), "{complaints}");
    let members = said(&server, "consumer-groups", &["--describe", "--group", "billing", "--members"]);
    assert!(!members.contains("console-consumer-"), "it has left: {members}");
    let table = said(&server, "consumer-groups", &["--describe", "--group", "billing"]);
    let committed = table.lines().find_map(|line| line.strip_prefix("billing")?.split_whitespace().nth(2));
    assert!(
        [None, Some("0")].contains(&committed),
        "the records that came with the first line were not shown: {table}"
    );
}

#[test]
fn wrong_input_is_named() {
    let said = |arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_ottla")).args(arguments).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    };
    let address = said(&["topics", "--list", "--bootstrap-server", "localhost"]);
    assert!(address.contains("\"localhost\" is not of the form host:port"), "{address}");
    let file = said(&["dump-log", "--files", "/no/such/file.log"]);
    assert!(file.contains("/no/such/file.log: No such file"), "{file}");
    let nobody = said(&["topics", "--list", "--bootstrap-server", "127.0.0.1:1"]);
    assert!(nobody.contains("Is a broker running there?"), "{nobody}");
}
