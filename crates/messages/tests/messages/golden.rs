//! Bytes that Apache Kafka's own classes wrote: a kept few. The lane `golden` compares all (`tests/exchange`).

use crate::hex;

/// One instance a line: name, version, bytes in hex; written by the golden lane.
const KEPT: &str = include_str!("golden.txt");

#[test]
fn kept_bytes_of_kafka_pass_unchanged() {
    for line in KEPT.lines() {
        let [name, version, data] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        hex::passes(name, version, data);
    }
    assert!(KEPT.lines().count() > 60);
}
