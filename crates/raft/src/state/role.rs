//! The roles of a replica, each with what it alone must know.

use super::event::{Request, RequestToken};
use super::ids::{OffsetAndEpoch, ReplicaKey, VoterSet};
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, Offset};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Fetches that may wait at a leader; one more is answered at once.
pub(crate) const WAITING_FETCHES_MAX: usize = 1_024;

/// How long an observer counts that does not fetch.
pub(crate) const OBSERVER_SESSION: Duration = Duration::from_secs(300);

/// What this replica does in its epoch.
#[derive(Clone, Debug)]
pub enum Role {
    /// Knows no leader that it can reach.
    Unattached(Unattached),
    /// Asks whether it would win, before it disturbs anybody with a new epoch (KIP-996).
    Prospective(Prospective),
    /// Asks for votes.
    Candidate(Candidate),
    /// Fetches from a leader.
    Follower(Follower),
    /// Leads.
    Leader(Box<Leader>),
    /// Led this epoch and does so no more.
    Resigned(Resigned),
}

/// Of a replica without a leader.
#[derive(Clone, Debug)]
pub struct Unattached {
    /// Leader it heard of but cannot reach.
    pub leader: Option<BrokerId>,
    /// Who got its vote.
    pub voted: Option<ReplicaKey>,
    /// When it wants to lead itself; None for an observer.
    pub election: Option<Monotonic>,
}

/// Of a replica in a pre-vote.
#[derive(Clone, Debug)]
pub struct Prospective {
    /// Leader of the epoch, if it had one: it goes back to it when it loses.
    pub leader: Option<BrokerId>,
    /// Who got its vote.
    pub voted: Option<ReplicaKey>,
    /// Answers so far.
    pub ballots: Ballots,
    /// When it gives up.
    pub election: Monotonic,
}

/// Of a replica that asks for votes; its own is its.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Answers so far.
    pub ballots: Ballots,
    /// When it gives up.
    pub election: Monotonic,
}

/// Of a replica that fetches from a leader.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The leader.
    pub leader: BrokerId,
    /// Who got its vote in this epoch.
    pub voted: Option<ReplicaKey>,
    /// When a voter stops believing in the leader.
    pub fetch: Monotonic,
    /// Whether the leader has answered a fetch in this epoch; then no pre-vote is granted against it.
    pub fetched: bool,
    /// Whether fetched records are on their way to the device.
    pub appending: bool,
    /// The leader's high watermark.
    pub high_watermark: Option<Offset>,
    /// Snapshot being fetched, and how many bytes are here.
    pub snapshot: Option<(OffsetAndEpoch, u64)>,
}

/// Of a leader.
#[derive(Clone, Debug)]
pub struct Leader {
    /// Offset of the epoch's first record: only beyond it anything counts as committed.
    pub epoch_start: Offset,
    /// Voters, this replica among them.
    pub voters: BTreeMap<BrokerId, Progress>,
    /// Others that fetch.
    pub observers: BTreeMap<ReplicaKey, Progress>,
    /// What a majority holds durably, once beyond `epoch_start`.
    pub high_watermark: Option<Offset>,
    /// When it steps down unless a majority has fetched by then.
    pub check_quorum: Monotonic,
    /// Voters that fetched since the last time a majority had.
    pub fetched: BTreeSet<BrokerId>,
    /// When to look for voters that have to be told of the epoch.
    pub begin_epoch: Monotonic,
    /// Fetches that wait for news.
    pub waiting: BTreeMap<RequestToken, (Monotonic, Request)>,
    /// Whether to step down.
    pub resigning: bool,
}

/// Of a leader that stepped down.
#[derive(Clone, Debug)]
pub struct Resigned {
    /// Voters that have not acknowledged it.
    pub unacknowledged: BTreeSet<BrokerId>,
    /// Voters by how complete their logs are.
    pub successors: Vec<ReplicaKey>,
    /// When it takes part again, in a higher epoch.
    pub election: Monotonic,
}

/// How far a replica has fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Who.
    pub key: ReplicaKey,
    /// Where its durable log ends; None before its first fetch in this epoch.
    pub end: Option<Offset>,
    /// When it last fetched.
    pub last_fetch: Option<Monotonic>,
    /// The leader's end at that time.
    pub leader_end: Option<Offset>,
    /// When it last had all that the leader had.
    pub caught_up: Option<Monotonic>,
}

impl Progress {
    pub(crate) fn new(key: ReplicaKey) -> Progress {
        Progress { key, end: None, last_fetch: None, leader_end: None, caught_up: None }
    }

    /// A fetch from `from` arrived while the leader's log ended at `leader_end`.
    pub(crate) fn fetched(&mut self, now: Monotonic, from: Offset, leader_end: Offset) {
        if from >= leader_end {
            self.caught_up = Some(now);
        } else if self.leader_end.is_some_and(|before| from >= before) {
            self.caught_up = self.caught_up.max(self.last_fetch);
        }
        self.leader_end = Some(leader_end);
        self.last_fetch = Some(now);
        self.end = Some(from);
    }
}

/// Votes of one election.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ballots {
    /// Voters who said yes.
    pub granted: BTreeSet<BrokerId>,
    /// Voters who said no.
    pub rejected: BTreeSet<BrokerId>,
    /// Voters in all.
    pub voters: usize,
}

impl Ballots {
    pub(crate) fn with_own(own: BrokerId, voters: &VoterSet) -> Ballots {
        Ballots { granted: BTreeSet::from([own]), rejected: BTreeSet::new(), voters: voters.len() }
    }

    /// Whether the election is won.
    #[must_use]
    pub fn is_won(&self) -> bool {
        self.granted.len() > self.voters / 2
    }

    /// Whether it cannot be won any more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.voters - self.rejected.len() <= self.voters / 2
    }

    pub(crate) fn record(&mut self, voter: BrokerId, granted: bool) {
        if granted {
            self.rejected.remove(&voter);
            self.granted.insert(voter);
        } else if !self.granted.contains(&voter) {
            self.rejected.insert(voter);
        }
    }

    pub(crate) fn has(&self, voter: BrokerId) -> bool {
        self.granted.contains(&voter) || self.rejected.contains(&voter)
    }
}
