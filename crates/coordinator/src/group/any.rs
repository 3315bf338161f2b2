//! A group of either protocol, and what offsets ask of both.

use super::classic::{ClassicGroup, Expiry};
use super::consumer::{self, Committer, ConsumerGroup};
use super::fault::Fault;
use super::offsets::Commit;
use ottla_host::planted::{self, Bug};
use ottla_wire::Uuid;
use std::sync::Arc;

/// A group, by its protocol.
#[derive(Clone, PartialEq, Debug)]
pub enum Group {
    /// Of the classic protocol; also one that only has offsets.
    Classic(Box<ClassicGroup>),
    /// Of KIP-848.
    Consumer(Box<ConsumerGroup>),
}

/// A commit that may go on, as far as the whole request goes.
#[derive(Clone, PartialEq, Debug)]
pub enum Validated {
    /// So may each of its partitions.
    All,
    /// Each partition is looked at (KIP-1251).
    Each(consumer::Commit),
}

impl Validated {
    /// Whether the partition may be committed.
    ///
    /// # Errors
    /// STALE_MEMBER_EPOCH, ILLEGAL_GENERATION: the member has lost it meanwhile.
    pub fn check(&self, topic: &Uuid, partition: i32) -> Result<(), Fault> {
        match self {
            Validated::All => Ok(()),
            Validated::Each(commit) => commit.check(topic, partition),
        }
    }
}

impl Group {
    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Group::Classic(group) => group.is_empty(),
            Group::Consumer(group) => group.is_empty(),
        }
    }

    /// Whether a member subscribes to `topic`.
    #[must_use]
    pub fn is_subscribed(&self, topic: &str) -> bool {
        match self {
            Group::Classic(group) => group.is_subscribed(topic),
            Group::Consumer(group) => group.is_subscribed(topic),
        }
    }

    /// From when on its offsets count as old.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        match self {
            Group::Classic(group) => group.expiry(),
            Group::Consumer(_) => Expiry::SinceCommit,
        }
    }

    /// Whether a commit may go on.
    ///
    /// # Errors
    /// Kafka's refusals of the whole request, by the group's protocol.
    pub fn validate_commit(&self, commit: &Commit) -> Result<Validated, Fault> {
        if planted::active(Bug::UncheckedCommit) {
            return Ok(Validated::All);
        }
        match self {
            Group::Classic(group) => {
                group.validate_commit(&commit.who, commit.epoch, false)?;
                Ok(Validated::All)
            }
            Group::Consumer(group) => {
                let who = Committer {
                    member: &commit.who.member_id,
                    instance: commit.who.instance_id.as_deref(),
                    epoch: commit.epoch,
                    is_transactional: false,
                    knows_epochs: commit.knows_epochs,
                };
                Ok(Validated::Each(group.validate_commit(&commit.group, who)?))
            }
        }
    }

    /// Whether offsets may be fetched.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION.
    pub fn validate_fetch(&self, id: &Arc<str>, member: Option<&str>, epoch: i32) -> Result<(), Fault> {
        match self {
            Group::Classic(_) => Ok(()),
            Group::Consumer(group) => group.validate_fetch(id, member, epoch),
        }
    }

    /// Whether offsets may be deleted one by one.
    ///
    /// # Errors
    /// NON_EMPTY_GROUP for members whose subscription cannot be known.
    pub fn validate_offset_delete(&self, id: &Arc<str>) -> Result<(), Fault> {
        match self {
            Group::Classic(group) => group.validate_offset_delete(id),
            Group::Consumer(_) => Ok(()),
        }
    }
}

impl Default for Group {
    /// A group that has offsets and nothing else.
    fn default() -> Group {
        Group::Classic(Box::new(ClassicGroup::new(None)))
    }
}
