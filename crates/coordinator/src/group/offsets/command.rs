//! What is asked about offsets, and what is answered.

use crate::group::classic::Identity;
use crate::group::fault::Fault;
use ottla_wire::Uuid;
use std::sync::Arc;

/// A question or an order about offsets.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// OffsetCommit.
    Commit(Box<Commit>),
    /// One group of an OffsetFetch.
    Fetch(Box<Fetch>),
    /// OffsetDelete.
    Delete(Box<Delete>),
}

impl Command {
    /// The group that it is for.
    #[must_use]
    pub fn group(&self) -> &Arc<str> {
        match self {
            Command::Commit(commit) => &commit.group,
            Command::Fetch(fetch) => &fetch.group,
            Command::Delete(delete) => &delete.group,
        }
    }
}

/// OffsetCommit; its topics exist and the client may read them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Commit {
    /// The group.
    pub group: Arc<str>,
    /// Who commits; nobody for a client that is no member.
    pub who: Identity,
    /// Generation or member epoch; below 0 for a client that is no member.
    pub epoch: i32,
    /// Whether the request can tell a stale epoch, and that there is no such group (KIP-848).
    pub knows_epochs: bool,
    /// How long the offsets are to be kept, where an old client says so; ms.
    pub retention_ms: Option<i64>,
    /// What is committed.
    pub topics: Vec<CommitTopic>,
}

/// Offsets of one topic.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CommitTopic {
    /// Name.
    pub name: Arc<str>,
    /// Id.
    pub id: Uuid,
    /// By partition.
    pub partitions: Vec<CommitPartition>,
}

/// The offset of one partition.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CommitPartition {
    /// Index.
    pub index: i32,
    /// Next offset to be read.
    pub offset: i64,
    /// Term of the partition's leader when the record before was read; -1 for unknown.
    pub leader_epoch: i32,
    /// To be kept beside it.
    pub metadata: String,
}

/// What became of a partition.
pub type Outcome = (i32, Result<(), Fault>);

/// One group of an OffsetFetch.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Fetch {
    /// The group.
    pub group: Arc<str>,
    /// Who asks; None for a client that is no member (KIP-848).
    pub member: Option<Arc<str>>,
    /// Member epoch; below 0 for a client that is no member.
    pub epoch: i32,
    /// What is asked for; None for all.
    pub topics: Option<Vec<FetchTopic>>,
    /// Offsets that an open transaction may change are not told (KIP-447).
    pub require_stable: bool,
}

/// Partitions of one topic.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FetchTopic {
    /// Name.
    pub name: Arc<str>,
    /// Id, zero where the client names topics by name.
    pub id: Uuid,
    /// Indexes.
    pub partitions: Vec<i32>,
}

/// Offsets of one topic.
#[derive(Clone, PartialEq, Debug)]
pub struct FetchedTopic {
    /// Name.
    pub name: Arc<str>,
    /// Id as asked for; zero where all were asked for.
    pub id: Uuid,
    /// By partition.
    pub partitions: Vec<Fetched>,
}

/// The offset of one partition.
#[derive(Clone, PartialEq, Debug)]
pub struct Fetched {
    /// Index.
    pub index: i32,
    /// Next offset to be read; -1 where none is committed.
    pub offset: i64,
    /// Leader epoch that was committed with it; -1 for none.
    pub leader_epoch: i32,
    /// What was committed beside it.
    pub metadata: String,
    /// Why it is not told.
    pub fault: Option<Fault>,
}

/// OffsetDelete; its topics exist and the client may read them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Delete {
    /// The group.
    pub group: Arc<str>,
    /// Topics and partitions.
    pub topics: Vec<(Arc<str>, Vec<i32>)>,
}

/// What a [`Command`] is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// By topic, in the order of the request.
    Committed(Vec<Vec<Outcome>>),
    /// In the order of the request where topics were named.
    Fetched(Vec<FetchedTopic>),
    /// By topic, in the order of the request.
    Deleted(Vec<Vec<Outcome>>),
}
