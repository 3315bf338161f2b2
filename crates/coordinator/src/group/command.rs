//! What groups are asked and what they answer, in words of their own: requests stay with the broker.

pub use super::client::Client;
use super::fault::Fault;
use super::timers::Timer;
use super::{classic, consumer, offsets};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A question or an order to the groups of one partition of `__consumer_offsets`.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and timers of classic groups.
    Classic(classic::Command),
    /// ConsumerGroupHeartbeat, and timers of KIP-848 groups.
    Consumer(consumer::Command),
    /// OffsetCommit, OffsetFetch, OffsetDelete, expiry, and topics that are gone.
    Offsets(offsets::Command),
    /// DescribeGroups.
    DescribeClassic(Vec<Arc<str>>),
    /// ConsumerGroupDescribe.
    DescribeConsumer(Vec<Arc<str>>),
    /// ListGroups: states and types as Kafka names them in lower case, empty sets for all.
    List {
        /// States wanted.
        states: BTreeSet<String>,
        /// Types wanted.
        types: BTreeSet<String>,
    },
    /// A page of what all groups have committed, from the group behind this one on.
    Survey(Option<Arc<str>>),
    /// DeleteGroups.
    Delete(Arc<str>),
    /// The cluster has changed.
    Image(Arc<ottla_metadata::Image>),
    /// A deadline has come.
    Due(Timer),
}

/// What a [`Command`] is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// Done, and there is nothing to tell.
    Done,
    /// Of a classic group.
    Classic(classic::Answer),
    /// Of a KIP-848 group.
    Consumer(consumer::Answer),
    /// About offsets.
    Offsets(offsets::Answer),
    /// DescribeGroups, in the order of the question.
    DescribedClassic(Vec<Result<classic::Description, Fault>>),
    /// ConsumerGroupDescribe, in the order of the question.
    DescribedConsumer(Vec<consumer::Description>),
    /// ListGroups.
    Listed(Vec<Listing>),
    /// A page of a survey.
    Surveyed(Survey),
}

/// A page of what groups have committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Survey {
    /// Groups by id.
    pub groups: Vec<Surveyed>,
    /// Whether no group follows.
    pub is_last: bool,
}

impl Default for Survey {
    fn default() -> Survey {
        Survey { groups: Vec::new(), is_last: true }
    }
}

/// A group in a survey.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Surveyed {
    /// Its id.
    pub group: Arc<str>,
    /// How many members it has.
    pub members: usize,
    /// Topic, partition and next offset to read.
    pub offsets: Vec<(Arc<str>, i32, i64)>,
}

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Its id.
    pub group: Arc<str>,
    /// `consumer`, `connect`, or empty.
    pub protocol_type: Arc<str>,
    /// `Stable`, `Empty` and so on.
    pub state: &'static str,
    /// `Classic` or `Consumer`.
    pub kind: &'static str,
}
