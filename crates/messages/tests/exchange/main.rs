//! The half of the lane `golden` on this side: `cargo test -p ottla-messages --test exchange -- write|check|show FOLDER`.
#![expect(clippy::unwrap_used, reason = "a lane that cannot go on has failed")]

#[path = "../messages/chance.rs"]
mod chance;
#[path = "../messages/entry.rs"]
mod entry;
#[path = "../messages/hex.rs"]
mod hex;
#[rustfmt::skip]
#[path = "../messages/list.rs"]
mod list;
#[path = "../messages/sample.rs"]
mod sample;

use list::MESSAGES;
use ottla_messages::layout::Layout;
use ottla_wire::Encoder;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

const ROUNDS: u64 = 24;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", folder] => write(Path::new(folder)),
        ["check", folder] => check(Path::new(folder)),
        ["show", folder] => show(Path::new(folder)),
        _ => panic!("write, check or show and a FOLDER expected, not {words:?}"),
    }
}

/// Writes `list`, every message with its versions, and `ours`, random instances of each.
fn write(folder: &Path) {
    let definitions = sample::definitions();
    let (mut list, mut ours) = (String::new(), String::new());
    for entry in MESSAGES {
        writeln!(list, "{} {} {}", entry.name, entry.first, entry.last).unwrap();
        for version in entry.versions() {
            for round in 0..ROUNDS {
                let data = hex::write(&sample::random(&definitions[entry.name], entry, version, round));
                writeln!(ours, "{} {} {round} {data}", entry.name, version.0).unwrap();
            }
        }
    }
    fs::write(folder.join("list"), list).unwrap();
    fs::write(folder.join("ours"), ours).unwrap();
}

/// Reads and writes `theirs`, and compares the defaults among them with ours.
fn check(folder: &Path) {
    let theirs = fs::read_to_string(folder.join("theirs")).unwrap();
    for line in theirs.lines() {
        let [name, version, round, data] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        hex::passes(name, version, data);
        if round == "default" {
            let mut out = Encoder::new();
            (hex::entry(name).default)(hex::version(version), &mut out).unwrap();
            assert_eq!(hex::write(out.bytes()), data, "default of {name} version {version}");
        }
    }
    assert!(theirs.lines().count() > 10_000, "too few instances");
}

/// Reads `theirs.json` and shows each record as JSON too, which has to be the same text.
fn show(folder: &Path) {
    let theirs = fs::read_to_string(folder.join("theirs.json")).unwrap();
    for line in theirs.lines() {
        let [name, version, round, data, json] = line.splitn(5, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        // Java before 19 writes some doubles with a digit too many.
        if name == "ClientQuotaRecord" && round != "default" {
            continue;
        }
        let layout = Layout::all().find(|layout| layout.name == name).unwrap_or_else(|| panic!("no layout of {name}"));
        let shown = layout.json(&hex::read(data), hex::version(version));
        let shown = shown.unwrap_or_else(|why| panic!("{name} version {version}: {why}: {json}"));
        assert_eq!(shown, json, "{name} version {version}");
    }
    let count = theirs.lines().count();
    assert!(count > 1_000, "too few records");
    println!("{count} records shown as JSON as Apache Kafka shows them");
}
