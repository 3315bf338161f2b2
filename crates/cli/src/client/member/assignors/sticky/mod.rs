//! The sticky assignors: shares as even as they can be, in which members keep what they had.

mod alike;
mod claims;
mod unlike;

use super::{Assignment, Partitions, Subscriber, Topics};
use claims::Claims;

/// An assignment, and what changes hands by it.
pub(super) struct Shared {
    /// Each member's partitions.
    pub(super) assignment: Assignment,
    /// Those that one member may still read while they are another's here.
    pub(super) moving: Partitions,
}

/// Shares out the partitions. Members that all read the same topics are the simple case.
pub(super) fn assign(members: &[Subscriber], topics: &Topics) -> Shared {
    let claims = Claims::of(members, topics);
    if members.windows(2).all(|two| two[0].topics == two[1].topics) {
        alike::assign(members, topics, &claims)
    } else {
        unlike::assign(members, topics, claims)
    }
}
