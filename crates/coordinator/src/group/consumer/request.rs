//! What a KIP-848 group is asked, what it answers, and what it sets timers for.

use super::state::{JOIN_EPOCH, LEAVE_EPOCH, Partitions, STATIC_LEAVE_EPOCH};
use crate::group::Fault;
use crate::group::command::Client;
use ottla_host::Monotonic;
use ottla_metadata::Image;
use ottla_wire::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A question or an order to a KIP-848 group.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// ConsumerGroupHeartbeat.
    Heartbeat(Box<Heartbeat>),
    /// Patterns that an earlier answer asked to resolve have been looked up.
    Resolved(Box<Looked>),
}

impl Command {
    /// The group that it is for.
    #[must_use]
    pub fn group(&self) -> &Arc<str> {
        match self {
            Command::Heartbeat(heartbeat) => &heartbeat.group,
            Command::Resolved(looked) => &looked.group,
        }
    }

    /// Whether it begins a group where there is none.
    #[must_use]
    pub fn creates(&self) -> bool {
        matches!(self, Command::Heartbeat(beat) if beat.epoch == JOIN_EPOCH)
    }
}

/// ConsumerGroupHeartbeat; None is what has not changed since the last one.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Heartbeat {
    /// The group.
    pub group: Arc<str>,
    /// The member; empty for one that wants an id.
    pub member: Arc<str>,
    /// The id that a member without one gets.
    pub fresh_id: Arc<str>,
    /// The epoch that it has reached; 0 joins, -1 leaves, -2 leaves for a while.
    pub epoch: i32,
    /// Its static id.
    pub instance: Option<Arc<str>>,
    /// Its rack.
    pub rack: Option<Arc<str>>,
    /// Milliseconds that it may take to give up partitions.
    pub rebalance_ms: Option<i32>,
    /// Topics that it subscribes to.
    pub names: Option<Vec<Arc<str>>>,
    /// Pattern that it subscribes by.
    pub pattern: Option<Arc<str>>,
    /// Assignor that it prefers.
    pub assignor: Option<Arc<str>>,
    /// Partitions that it has.
    pub owned: Option<Vec<(Uuid, Vec<i32>)>>,
    /// Who asks.
    pub client: Client,
}

impl Heartbeat {
    /// Checks what can be known without the group; members of the first version may leave the id to the server.
    ///
    /// # Errors
    /// INVALID_REQUEST with Kafka's texts.
    pub fn check(&self, brings_id: bool) -> Result<(), Fault> {
        let refuse = |text: &str| Err(Fault::InvalidRequest(text.to_owned()));
        let is_blank = |text: Option<&str>| text.is_some_and(|text| text.trim().is_empty());
        if (brings_id || self.epoch > JOIN_EPOCH || self.epoch == LEAVE_EPOCH) && is_blank(Some(&self.member)) {
            return refuse("MemberId can't be empty.");
        }
        if is_blank(Some(&self.group)) {
            return refuse("GroupId can't be empty.");
        }
        if is_blank(self.instance.as_deref()) {
            return refuse("InstanceId can't be empty.");
        }
        if is_blank(self.rack.as_deref()) {
            return refuse("RackId can't be empty.");
        }
        match self.epoch {
            JOIN_EPOCH => self.check_join()?,
            STATIC_LEAVE_EPOCH if self.instance.is_none() => return refuse("InstanceId can't be null."),
            ..STATIC_LEAVE_EPOCH => return refuse("MemberEpoch is invalid."),
            _ => {}
        }
        Ok(())
    }

    fn check_join(&self) -> Result<(), Fault> {
        let refuse = |text: &str| Err(Fault::InvalidRequest(text.to_owned()));
        if self.rebalance_ms.is_none() {
            return refuse("RebalanceTimeoutMs must be provided in first request.");
        }
        if self.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
            return refuse("TopicPartitions must be empty when (re-)joining.");
        }
        if self.names.is_none() && self.pattern.is_none() {
            return refuse("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        }
        Ok(())
    }

    /// Checks that the server has the assignor that is asked for.
    pub(super) fn check_assignor(&self, assignors: &[String]) -> Result<(), Fault> {
        match &self.assignor {
            Some(name) if !assignors.iter().any(|known| **known == **name) => {
                Err(Fault::UnsupportedAssignor { assignor: Arc::clone(name), supported: assignors.join(", ") })
            }
            _ => Ok(()),
        }
    }

    /// Whether it goes on as before.
    pub(in crate::group) fn is_news_free(&self) -> bool {
        self.epoch > JOIN_EPOCH && self.names.is_none() && self.pattern.is_none() && self.assignor.is_none()
    }

    /// Whether it says all that there is to say, as after a lost answer.
    pub(super) fn is_full(&self) -> bool {
        self.rebalance_ms.is_some() && (self.names.is_some() || self.pattern.is_some()) && self.owned.is_some()
    }
}

/// Patterns with the topics that they match and that the asker may see.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Looked {
    /// The group.
    pub group: Arc<str>,
    /// Topics by pattern.
    pub topics: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Version of the metadata that was looked through.
    pub version: i64,
    /// When, in milliseconds since the epoch.
    pub timestamp: i64,
}

/// What a [`Command`] is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// To a heartbeat.
    Heartbeat(Box<Beat>),
}

/// The answer to a heartbeat.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Beat {
    /// The member.
    pub member: Arc<str>,
    /// The epoch that it has reached.
    pub epoch: i32,
    /// Milliseconds to the next heartbeat; 0 for a member that leaves.
    pub interval_ms: i32,
    /// What it may have; None when that has not changed.
    pub assignment: Option<Partitions>,
    /// What to look up for the asker, to come back as [`Command::Resolved`].
    pub unresolved: Option<Unresolved>,
}

/// Patterns that are to be looked up.
#[derive(Clone, PartialEq, Debug)]
pub struct Unresolved {
    /// The patterns.
    pub patterns: Vec<Arc<str>>,
    /// The cluster whose topics count: one that was seen earlier may lack those that the look-up is for.
    pub image: Arc<Image>,
}

/// A change that this leader alone knows.
#[derive(Clone, PartialEq, Debug)]
pub enum Soft {
    /// A member has been heard of: its session ends then.
    Session {
        /// The member.
        member: Arc<str>,
        /// When its session ends.
        ends: Monotonic,
        /// When its timer rings, where that is set anew.
        rings: Option<Monotonic>,
    },
    /// A classic member has to join by then; None once it has.
    JoinBy(Arc<str>, Option<Monotonic>),
    /// The topics of the group were looked at in this epoch.
    LookedAt(i32),
    /// Patterns are being resolved, until then at most.
    Resolving(Monotonic),
    /// Patterns have been resolved.
    Resolved,
}

/// What a deadline of a group is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A member's session.
    Session(Arc<str>),
    /// A member has to give up partitions.
    Revoke(Arc<str>),
    /// A classic member has to join.
    Join(Arc<str>),
    /// A classic member has to ask for its assignment.
    Sync(Arc<str>),
}

impl Timer {
    /// The member that it is about.
    #[must_use]
    pub fn member(&self) -> &Arc<str> {
        match self {
            Timer::Session(member) | Timer::Revoke(member) | Timer::Join(member) | Timer::Sync(member) => member,
        }
    }
}
