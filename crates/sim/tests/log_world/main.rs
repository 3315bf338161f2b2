//! Producers against a log on a disk that loses, tears and fails, under a process that dies: what was acknowledged stays.

#![expect(clippy::unwrap_used, reason = "the modules of a test fail by unwrap")]

mod checker;
mod plan;
mod producer;
mod server;
mod story;

use ottla_host::planted;
use ottla_sim::{Met, Sim, seeds};
use std::panic;

/// Faults that a suite of this size has to meet; one that it never met was not tested.
const MUST_MEET: [&str; 16] = [
    "crash in append",
    "crash in roll",
    "crash in checkpoint",
    "crash in truncate",
    "crash in producer snapshot",
    "crash in sync",
    "crash in recovery",
    "short write",
    "write error",
    "sync error",
    "no space",
    "power loss",
    "process crash",
    "early writeback",
    "leader change",
    "clean stop",
];

#[test]
fn what_was_acknowledged_is_never_lost_repeated_reordered_or_changed() {
    let mut met = Met::new();
    let suite = seeds(300);
    let is_whole = suite.clone().count() >= 300;
    for seed in suite {
        let outcome = Sim::run(seed, story::run);
        *met.entry("acknowledgement").or_default() += outcome.answer.acknowledgements;
        *met.entry("failure").or_default() += outcome.answer.failures;
        for (what, count) in outcome.met {
            *met.entry(what).or_default() += count;
        }
    }
    println!("{met:#?}");
    for what in MUST_MEET {
        assert!(!is_whole || met.contains_key(what), "no run has met: {what}");
    }
}

/// Seeds within which each planted bug has to show.
const SEEDS_TO_CATCH: u64 = 1000;

#[test]
fn every_planted_bug_is_caught() {
    let fails = |seed: u64| panic::catch_unwind(|| Sim::run(seed, story::run)).is_err();
    for bug in planted::ALL {
        let fails_planted = |seed: u64| {
            let _planted = planted::plant(bug);
            fails(seed)
        };
        let caught = (0..SEEDS_TO_CATCH).find(|seed| fails_planted(*seed) && !fails(*seed));
        println!("{bug:?} is caught by seed {caught:?}");
        assert!(caught.is_some(), "{bug:?} was not caught within {SEEDS_TO_CATCH} seeds");
    }
}

#[test]
fn a_seed_replays_its_run() {
    for seed in 0..5 {
        assert_eq!(Sim::run(seed, story::run), Sim::run(seed, story::run));
    }
}
