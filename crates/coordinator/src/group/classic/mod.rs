//! Classic groups: the members choose a leader, and the leader assigns (KIP-62, KIP-345, KIP-394, KIP-559, KIP-800, KIP-814).
//!
//! Nothing here changes a group: a decision works on a [`Draft`], which keeps what it changes beside the group it looks
//! at, and ends as an [`Outcome`]: a record where the log has to know, what this leader alone has to know, deadlines,
//! answers.

mod command;
mod decide;
mod draft;
mod expire;
mod group;
mod join;
mod leave;
mod member;
mod rebalance;
mod show;
mod sync;

#[cfg(test)]
mod tests;

pub use command::{
    Abilities, Answer, Command, Heartbeat, Identity, Join, Joined, JoinedMember, Leave, Left, LeftMember, Sync, Synced,
};
pub use decide::{Outcome, Scope, begin, decide, dissolve, due, end, session};
pub use draft::Draft;
pub use group::{ClassicGroup, Expiry, Soft, State};
pub use join::validate as validate_join;
pub use member::{Member, Protocol, Protocols, Timeouts};
pub use show::{Description, MemberDescription};

use std::sync::Arc;

/// Protocol type of consumers.
pub const CONSUMER: &str = "consumer";

/// What a deadline of a group is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// A member, or one that is only announced, has to be heard of.
    Session(Arc<str>),
    /// Members have to have joined the rebalance under way.
    Join,
    /// Members have to have asked for their assignment.
    Sync,
}
