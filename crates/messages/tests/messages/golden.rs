//! Bytes that Apache Kafka's own classes wrote: a kept few, and with a JVM at hand (`interop/golden/run`) all.

use crate::entry::Entry;
use crate::list::MESSAGES;
use crate::sample;
use ottla_wire::{ApiVersion, Encoder};
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

/// One instance a line: name, version, bytes in hex; written by the golden lane.
const KEPT: &str = include_str!("golden.txt");
const ROUNDS: u64 = 24;

fn entry(name: &str) -> &'static Entry {
    MESSAGES.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no message {name}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

fn passes(name: &str, version: &str, data: &str) {
    let version = ApiVersion(version.parse().unwrap());
    let mut out = Encoder::new();
    assert_eq!((entry(name).pass)(&bytes(data), version, &mut out), Ok(()), "{name} version {version:?}: {data}");
    assert_eq!(hex(out.bytes()), data, "{name} version {version:?}");
}

#[test]
fn kept_bytes_of_kafka_pass_unchanged() {
    for line in KEPT.lines() {
        let [name, version, data] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        passes(name, version, data);
    }
    assert!(KEPT.lines().count() > 60);
}

fn exchange(file: &str) -> PathBuf {
    PathBuf::from(env::var("OTTLA_GOLDEN").expect("interop/golden/run names the folder")).join(file)
}

#[test]
#[ignore = "half of interop/golden/run"]
fn samples_for_kafka_are_written() {
    let definitions = sample::definitions();
    let (mut list, mut ours) = (String::new(), String::new());
    for entry in MESSAGES {
        writeln!(list, "{} {} {}", entry.name, entry.first, entry.last).unwrap();
        for version in entry.versions() {
            for round in 0..ROUNDS {
                let data = hex(&sample::random(&definitions[entry.name], entry, version, round));
                writeln!(ours, "{} {} {round} {data}", entry.name, version.0).unwrap();
            }
        }
    }
    fs::write(exchange("list"), list).unwrap();
    fs::write(exchange("ours"), ours).unwrap();
}

#[test]
#[ignore = "half of interop/golden/run"]
fn everything_kafka_wrote_passes_unchanged() {
    let theirs = fs::read_to_string(exchange("theirs")).unwrap();
    for line in theirs.lines() {
        let [name, version, round, data] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        passes(name, version, data);
        if round == "default" {
            let mut out = Encoder::new();
            (entry(name).default)(ApiVersion(version.parse().unwrap()), &mut out).unwrap();
            assert_eq!(hex(out.bytes()), data, "default of {name} version {version}");
        }
    }
    assert!(theirs.lines().count() > 10_000);
}
