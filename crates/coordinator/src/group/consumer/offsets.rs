//! Who may commit and fetch offsets of a KIP-848 group.

use super::state::{ConsumerGroup, Member};
use crate::group::Fault;
use ottla_wire::Uuid;
use std::sync::Arc;

/// What of a commit has to be looked at by partition.
#[derive(Clone, PartialEq, Debug)]
pub enum Commit {
    /// Nothing: all may be committed.
    All,
    /// A member in an older epoch may commit what it has had since then or longer ([`Commit::check`]).
    Older(Arc<Member>, i32),
}

impl Commit {
    /// Whether the partition may be committed.
    ///
    /// # Errors
    /// STALE_MEMBER_EPOCH, ILLEGAL_GENERATION for members of the classic protocol.
    pub fn check(&self, topic: &Uuid, partition: i32) -> Result<(), Fault> {
        let Commit::Older(member, epoch) = self else { return Ok(()) };
        let since = member.assigned.epoch(topic, partition).or_else(|| member.revoking.epoch(topic, partition));
        if since.is_some_and(|since| *epoch >= since) { Ok(()) } else { Err(stale(member, *epoch)) }
    }
}

fn stale(member: &Member, request: i32) -> Fault {
    if member.is_classic() {
        Fault::IllegalGeneration { group: member.epoch, request }
    } else {
        Fault::StaleEpoch { group: member.epoch, request }
    }
}

/// Who commits.
#[derive(Clone, Copy, Debug)]
pub struct Committer<'a> {
    /// Its member id.
    pub member: &'a str,
    /// Its static id.
    pub instance: Option<&'a str>,
    /// Its member epoch, or its generation.
    pub epoch: i32,
    /// Whether it commits in a transaction (TxnOffsetCommit).
    pub is_transactional: bool,
    /// Whether its request can tell a stale epoch (OffsetCommit 9, KIP-848).
    pub knows_epochs: bool,
}

impl ConsumerGroup {
    /// Whether a commit may go on (KIP-848, KIP-1251).
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION, UNSUPPORTED_VERSION.
    pub fn validate_commit(&self, group: &Arc<str>, who: Committer<'_>) -> Result<Commit, Fault> {
        let is_nobody = who.member.is_empty() && who.instance.is_none() && who.epoch == -1;
        if (who.epoch < 0 && self.is_empty()) || (who.is_transactional && is_nobody) {
            return Ok(Commit::All);
        }
        let member = self.known(group, who.member)?;
        if !who.is_transactional && !member.is_classic() && !who.knows_epochs {
            return Err(Fault::Unsupported);
        }
        match who.epoch {
            epoch if epoch == member.epoch => Ok(Commit::All),
            epoch if epoch > member.epoch => Err(stale(member, epoch)),
            epoch => Ok(Commit::Older(Arc::clone(member), epoch)),
        }
    }

    /// Whether offsets may be fetched; those who are no members say so with an epoch below 0.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION.
    pub fn validate_fetch(&self, group: &Arc<str>, member: Option<&str>, epoch: i32) -> Result<(), Fault> {
        let member = match member {
            None if epoch < 0 => return Ok(()),
            member => self.known(group, member.unwrap_or_default())?,
        };
        if member.epoch == epoch { Ok(()) } else { Err(stale(member, epoch)) }
    }

    fn known(&self, group: &Arc<str>, member: &str) -> Result<&Arc<Member>, Fault> {
        let unknown = || Fault::NotAMember { member: member.into(), group: Arc::clone(group) };
        self.members.get(member).ok_or_else(unknown)
    }
}
