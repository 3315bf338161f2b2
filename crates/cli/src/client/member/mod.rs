//! Membership in a consumer group: two pure machines, one for each protocol, and a thread that asks the coordinator for them.
//!
//! A machine says by `due` and `request` what is to be asked when, learns by `step` what was answered, and puts what the owner of
//! the positions has to do into effects. It knows neither connections nor clocks: `now` is the time since the membership began.
//! The thread (`worker`) joins and beats whatever the owner is busy with; the owner's side (`membership`) does the effects each
//! time it polls. They meet at the `desk`.

mod assignors;
mod classic;
mod coordinator;
mod desk;
mod membership;
mod modern;
mod protocol;
mod requests;
mod worker;

pub(crate) use assignors::Assignor;
pub(crate) use membership::{Membership, Owner, has_moved};

use super::offsets::TopicPartition;
use ottla_wire::Uuid;
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Partitions, by topic and number.
pub(crate) type Partitions = BTreeSet<TopicPartition>;

/// How a member takes part; each field is the consumer setting of nearly the same name.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `group.id`.
    pub(crate) group: String,
    /// `group.instance.id`.
    pub(crate) instance: Option<String>,
    /// `group.protocol=consumer`: the protocol of KIP-848 instead of the classic one.
    pub(crate) modern: bool,
    /// `group.remote.assignor` (KIP-848).
    pub(crate) assignor: Option<String>,
    /// `session.timeout.ms` (classic).
    pub(crate) session_timeout: Duration,
    /// `heartbeat.interval.ms` (classic).
    pub(crate) heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long a rebalance waits for this member, and after which time without a poll it leaves.
    pub(crate) poll_interval: Duration,
    /// `partition.assignment.strategy` (classic).
    pub(crate) assignors: Vec<Assignor>,
    /// `isolation.level=read_committed`: offsets that a transaction is about to commit are waited for.
    pub(crate) stable: bool,
}

/// What the coordinator is to be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Request {
    /// JoinGroup.
    Join {
        /// Empty at first.
        member: String,
        /// The generation that it is in; -1 in none.
        generation: i32,
        /// What it reads on while the group changes.
        owned: Partitions,
        /// The last assignment that it had, and in which generation.
        last: (Partitions, i32),
    },
    /// SyncGroup.
    Sync {
        /// What JoinGroup's answer said.
        member: String,
        /// What JoinGroup's answer said.
        generation: i32,
        /// The protocol chosen.
        protocol: String,
        /// Each member's partitions, when this member leads.
        assignments: assignors::Assignment,
    },
    /// Heartbeat.
    Beat {
        /// The member.
        member: String,
        /// Its generation.
        generation: i32,
    },
    /// ConsumerGroupHeartbeat.
    ModernBeat {
        /// Epoch of the member; 0 joins.
        epoch: i32,
        /// What the member reads; None when the coordinator knows already.
        owned: Option<Partitions>,
        /// Whether the subscription has to be told.
        subscribe: bool,
    },
}

/// What the coordinator answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// To JoinGroup.
    Joined {
        /// This member's id.
        member: String,
        /// The new generation.
        generation: i32,
        /// The assignor all members share.
        protocol: String,
        /// When this member leads: the members with the topics each reads, and each one's `group.instance.id`.
        members: Option<Vec<assignors::Subscriber>>,
    },
    /// To SyncGroup: what this member reads.
    Synced(Partitions),
    /// To Heartbeat: nothing new.
    Beaten,
    /// To ConsumerGroupHeartbeat.
    ModernBeaten {
        /// The member's epoch.
        epoch: i32,
        /// When to beat again.
        interval: Duration,
        /// What the member is to read, when that changed.
        assignment: Option<Partitions>,
    },
    /// To any: no.
    Refused {
        /// Why.
        error: ErrorCode,
        /// The id given to a member that has to join again with it.
        member: String,
    },
}

/// What the owner of the positions has to do, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// Commit how far these were read, then read them no more.
    Revoke(Partitions),
    /// Other members may read all of it already: read nothing any more and commit nothing.
    Lose(Loss),
    /// Read these, from where the group is.
    Assign(Partitions),
}

/// Why a member is out of its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loss {
    /// The coordinator knows it no more.
    Gone,
    /// It left by itself: its owner has not polled for `max.poll.interval.ms`.
    Late,
}

/// Who asks: what offsets are committed and fetched with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Identity {
    /// The member's id; empty outside of the group.
    pub(super) member: String,
    /// Its generation or epoch; -1 outside of the group.
    pub(super) generation: i32,
}

/// Topic ids by name, as the cluster has them.
pub(super) type TopicIds = BTreeMap<String, Uuid>;

#[cfg(test)]
mod tests;
