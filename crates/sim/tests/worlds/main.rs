//! Producers against a log, and against a partition, on a disk that loses, tears and fails, under a process that dies:
//! what was acknowledged stays.

#![expect(clippy::unwrap_used, reason = "the modules of a test fail by unwrap")]

mod checker;
mod groups;
mod log;
mod partition;
mod producer;

use ottla_host::planted::{self, Bug};
use ottla_sim::{Met, Outcome, Sim, seeds};
use std::panic;

/// What a run counts beside its faults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Totals {
    pub(crate) acknowledgements: u64,
    pub(crate) failures: u64,
}

/// A world: how a seed is run in it.
type World = fn(u64) -> Outcome<Totals>;

fn log_world(seed: u64) -> Outcome<Totals> {
    Sim::run(seed, log::run)
}

fn partition_world(seed: u64) -> Outcome<Totals> {
    Sim::run(seed, partition::run)
}

fn groups_world(seed: u64) -> Outcome<Totals> {
    Sim::run(seed, groups::run)
}

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

/// Runs the suite's seeds; the faults that it has met.
fn run_suite(world: World, must_meet: &[&str]) {
    let mut met = Met::new();
    let suite = seeds(300);
    let is_whole = suite.clone().count() >= 300;
    for seed in suite {
        let outcome = world(seed);
        *met.entry("acknowledgement").or_default() += outcome.answer.acknowledgements;
        *met.entry("failure").or_default() += outcome.answer.failures;
        for (what, count) in outcome.met {
            *met.entry(what).or_default() += count;
        }
    }
    println!("{met:#?}");
    for what in must_meet {
        assert!(!is_whole || met.contains_key(what), "no run has met: {what}");
    }
}

#[test]
fn what_a_log_acknowledged_is_never_lost_repeated_reordered_or_changed() {
    run_suite(log_world, &MUST_MEET);
}

#[test]
fn what_a_partition_acknowledged_is_never_lost_repeated_reordered_or_changed() {
    run_suite(partition_world, &[&MUST_MEET[..], &["contention for the writer"]].concat());
}

/// What groups have to meet.
const GROUPS_MUST_MEET: [&str; 8] = [
    "crash in append",
    "no space",
    "power loss",
    "process crash",
    "leader change",
    "hand-over",
    "classic group",
    "KIP-848 group",
];

#[test]
fn a_partition_has_one_owner_and_its_committed_offset_stays() {
    run_suite(groups_world, &GROUPS_MUST_MEET);
}

/// Seeds within which each planted bug has to show.
const SEEDS_TO_CATCH: u64 = 1000;

/// Where a bug has its site.
fn world_of(bug: Bug) -> World {
    match bug {
        Bug::EarlyWatermark | Bug::LateEpochFence => partition_world,
        Bug::EarlyAnswer
        | Bug::KeptState
        | Bug::ShortLoad
        | Bug::LostSessions
        | Bug::DeafSession
        | Bug::UncheckedCommit
        | Bug::EarlyTake => groups_world,
        Bug::AckBeforeFlush
        | Bug::SkippedTruncate
        | Bug::LostSnapshot
        | Bug::ReorderedAppend
        | Bug::EarlyRecoveryPoint
        | Bug::UnsyncedDirectory
        | Bug::EarlyRecycle
        | Bug::ForgottenDuplicate
        | Bug::TrustedTail
        | Bug::IgnoredSyncError
        | Bug::IgnoredShortWrite => log_world,
    }
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in planted::ALL {
        let fails = |seed: u64| panic::catch_unwind(|| world_of(bug)(seed)).is_err();
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
        for world in [log_world, partition_world, groups_world] {
            assert_eq!(world(seed), world(seed));
        }
    }
}
