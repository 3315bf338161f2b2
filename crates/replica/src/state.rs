//! One replica as numbers: who leads, who is in sync, what is committed. Events in, effects out; nothing else.
//!
//! ```text
//! high watermark = the least end over every replica that is in sync, or may be once the controller has agreed
//! log start ≤ high watermark ≤ own end
//! ```

mod leader;

#[cfg(test)]
mod tests;

pub use leader::Leader;

use ottla_host::Monotonic;
use ottla_host::planted::{self, Bug};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::collections::BTreeSet;

/// What the controller has decided about a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Who leads; None while nobody can.
    pub leader: Option<BrokerId>,
    /// Term of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Counts every change of the partition; newer assignments have higher ones.
    pub partition_epoch: i32,
    /// Brokers with a replica, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Replicas in sync.
    pub isr: BTreeSet<BrokerId>,
}

/// What happens to a replica.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The controller has decided; `end` is the end of the own log.
    Assigned {
        /// The decision.
        assignment: Assignment,
        /// Own log end.
        end: Offset,
    },
    /// The own log has grown, or more of it is durable: what counts ends at `end`.
    Appended {
        /// Offset after the last counted record.
        end: Offset,
    },
    /// A follower has fetched from `offset`, so it holds everything before.
    Fetched {
        /// The follower.
        follower: BrokerId,
        /// Where it goes on.
        offset: Offset,
    },
    /// Time has passed; followers that lag for `lag_max` nanoseconds fall out of sync (`replica.lag.time.max.ms`).
    Tick {
        /// Nanoseconds a follower may lag.
        lag_max: u64,
    },
    /// The controller has refused the proposed set of replicas in sync.
    IsrRefused,
}

/// What follows from an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The high watermark has moved to here.
    Watermark(Offset),
    /// A new term begins at the own end: note it in the log's epochs.
    BeginEpoch(LeaderEpoch),
    /// This replica has stopped leading, or leads in another term: waiting requests are answered NOT_LEADER_OR_FOLLOWER.
    Resign,
    /// Ask the controller to take this as the set of replicas in sync (AlterPartition).
    ProposeIsr(BTreeSet<BrokerId>),
}

/// The part that a replica plays, with what only that part knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Takes produce requests and commits.
    Leader(Leader),
    /// Copies from a leader.
    Follower {
        /// Whom it copies; None while nobody leads.
        leader: Option<BrokerId>,
        /// Term of the leader.
        epoch: LeaderEpoch,
    },
}

/// A replica of one partition on the broker `me`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replica {
    me: BrokerId,
    role: Role,
    partition_epoch: i32,
    watermark: Offset,
}

impl Replica {
    /// A replica that knows of no leader; `watermark` as the checkpoint has it, between start and end of the log.
    #[must_use]
    pub fn new(me: BrokerId, watermark: Offset) -> Replica {
        let role = Role::Follower { leader: None, epoch: LeaderEpoch::UNKNOWN };
        Replica { me, role, partition_epoch: -1, watermark }
    }

    /// The part it plays.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Its leader state, if it leads.
    #[must_use]
    pub fn leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            Role::Follower { .. } => None,
        }
    }

    /// Term of the leader that it knows.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        match &self.role {
            Role::Leader(leader) => leader.epoch(),
            Role::Follower { epoch, .. } => *epoch,
        }
    }

    /// Offset before which everything is committed.
    #[must_use]
    pub fn watermark(&self) -> Offset {
        self.watermark
    }

    /// Takes an event in at `now` and appends what follows to `out`.
    pub fn step(&mut self, now: Monotonic, event: Event, out: &mut Vec<Effect>) {
        let before = self.watermark;
        match (event, &mut self.role) {
            (Event::Assigned { assignment, end }, _) => self.assign(now, &assignment, end, out),
            (Event::Appended { end }, Role::Leader(leader)) => leader.counted(end),
            (Event::Fetched { follower, offset }, Role::Leader(leader)) => leader.fetched(now, follower, offset, out),
            (Event::Tick { lag_max }, Role::Leader(leader)) => leader.tick(now, lag_max, out),
            (Event::IsrRefused, Role::Leader(leader)) => leader.isr_refused(),
            (
                Event::Appended { .. } | Event::Fetched { .. } | Event::Tick { .. } | Event::IsrRefused,
                Role::Follower { .. },
            ) => {}
        }
        if let Role::Leader(leader) = &self.role {
            self.watermark = self.watermark.max(leader.committed());
        }
        if self.watermark > before {
            out.push(Effect::Watermark(self.watermark));
        }
        self.check();
    }

    fn assign(&mut self, now: Monotonic, assignment: &Assignment, end: Offset, out: &mut Vec<Effect>) {
        if assignment.partition_epoch <= self.partition_epoch {
            return;
        }
        self.partition_epoch = assignment.partition_epoch;
        let term_ends = self.leader_epoch() != assignment.leader_epoch || assignment.leader != Some(self.me);
        if self.leader().is_some() && term_ends {
            out.push(Effect::Resign);
        }
        match (&mut self.role, assignment.leader == Some(self.me)) {
            (Role::Leader(leader), true) if leader.epoch() == assignment.leader_epoch => leader.adopt(assignment, now),
            (_, true) => self.become_leader(now, assignment, end, out),
            (Role::Leader(_), false) if planted::active(Bug::LateEpochFence) => {}
            (_, false) => {
                self.role = Role::Follower { leader: assignment.leader, epoch: assignment.leader_epoch };
            }
        }
    }

    fn become_leader(&mut self, now: Monotonic, assignment: &Assignment, end: Offset, out: &mut Vec<Effect>) {
        out.push(Effect::BeginEpoch(assignment.leader_epoch));
        self.role = Role::Leader(Leader::new(self.me, assignment, end, now));
    }

    /// Invariants of a replica at rest.
    fn check(&self) {
        if let Role::Leader(leader) = &self.role {
            debug_assert!(leader.isr().contains(&self.me), "a leader is in sync with itself");
            debug_assert!(leader.committed() <= leader.end(), "nothing beyond the own end is committed");
        }
    }
}
