//! The short form of fuzzing, for every test run: each target over its seeds and over mutations of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ottla_fuzz::{Mutator, TARGETS, Target};
use std::fs;
use std::path::{Path, PathBuf};

/// Mutations of each target; `OTTLA_FUZZ_ROUNDS` sets another number.
const ROUNDS: u64 = 3_000;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let kept = paths.iter().map(|path| fs::read(path).unwrap());
    let made = ottla_fuzz::message_seeds().into_iter().filter(|_| target == "message").map(|(_, seed)| seed);
    kept.chain(made).collect()
}

fn run((name, call): &Target, rounds: u64) {
    let seeds = seeds(name);
    assert!(seeds.len() >= 2, "{name} has seeds");
    seeds.iter().for_each(|seed| call(seed));
    for round in 0..rounds {
        let input = Mutator::new(round).mutated(&seeds);
        let outcome = std::panic::catch_unwind(|| call(&input));
        assert!(outcome.is_ok(), "{name} fails on round {round}: {input:02x?}");
    }
}

#[test]
fn every_target_stands_its_seeds_and_mutations_of_them() {
    let rounds = std::env::var("OTTLA_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    for target in TARGETS {
        run(target, rounds);
    }
}

#[test]
fn every_target_has_a_program() {
    for (name, _) in TARGETS {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets").join(format!("{name}.rs"));
        assert!(fs::read_to_string(program).unwrap().contains(&format!("ottla_fuzz::{name}(data)")));
    }
}
