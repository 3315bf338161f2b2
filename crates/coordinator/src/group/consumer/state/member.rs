//! A member of a KIP-848 group: what it subscribes to, what it has, and how far it has followed the group.

use super::partitions::Owned;
use crate::group::command::Client;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Epoch of a request that joins.
pub(crate) const JOIN_EPOCH: i32 = 0;
/// Epoch of a request that leaves.
pub(crate) const LEAVE_EPOCH: i32 = -1;
/// Epoch of a request of a static member that leaves and will come back.
pub(crate) const STATIC_LEAVE_EPOCH: i32 = -2;

/// How far a member has followed the target assignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MemberState {
    /// It has what its epoch says.
    #[default]
    Stable,
    /// It has to give up partitions before it gets its next epoch.
    Unrevoked,
    /// It waits for partitions that others have not given up.
    Unreleased,
    /// A later release has written a state that is not known here.
    Unknown,
}

impl MemberState {
    /// Kafka's number of it.
    #[must_use]
    pub fn number(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::Unrevoked => 1,
            MemberState::Unreleased => 2,
            MemberState::Unknown => 127,
        }
    }

    /// The state of this number.
    #[must_use]
    pub fn of_number(number: i8) -> MemberState {
        match number {
            0 => MemberState::Stable,
            1 => MemberState::Unrevoked,
            2 => MemberState::Unreleased,
            _ => MemberState::Unknown,
        }
    }
}

/// What a member of the classic protocol said when it joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassicMember {
    /// Its session timeout in milliseconds.
    pub session_ms: i32,
    /// Its protocols in order of preference: name and subscription.
    pub protocols: Vec<(Arc<str>, Arc<[u8]>)>,
}

/// A member. `assigned` and `revoking` share no partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its id.
    pub id: Arc<str>,
    /// The epoch that it has reached; -2 while a static member is away.
    pub epoch: i32,
    /// The epoch before, in which its last request may still come.
    pub previous_epoch: i32,
    /// How far it has followed the target.
    pub state: MemberState,
    /// Its static id (KIP-345).
    pub instance: Option<Arc<str>>,
    /// Its rack (KIP-881).
    pub rack: Option<Arc<str>>,
    /// Milliseconds that it may take to give up partitions; -1 until it said so.
    pub rebalance_ms: i32,
    /// As it named itself, and from where.
    pub client: Client,
    /// Topics that it subscribes to by name.
    pub names: Arc<BTreeSet<Arc<str>>>,
    /// The pattern that it subscribes by; empty for none.
    pub pattern: Arc<str>,
    /// The assignor that it prefers.
    pub assignor: Option<Arc<str>>,
    /// Partitions that it has.
    pub assigned: Owned,
    /// Partitions that it was told to give up and may still have.
    pub revoking: Owned,
    /// What it said as a member of the classic protocol; None for a member of KIP-848.
    pub classic: Option<Arc<ClassicMember>>,
}

impl Member {
    /// A member that has said nothing.
    #[must_use]
    pub fn new(id: Arc<str>) -> Member {
        Member {
            id,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            instance: None,
            rack: None,
            rebalance_ms: -1,
            client: Client::default(),
            names: Arc::default(),
            pattern: "".into(),
            assignor: None,
            assigned: Owned::default(),
            revoking: Owned::default(),
            classic: None,
        }
    }

    /// Whether it has all that the target of `epoch` gives it.
    #[must_use]
    pub fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// Whether it speaks the classic protocol.
    #[must_use]
    pub fn is_classic(&self) -> bool {
        self.classic.is_some()
    }

    /// The pattern that it subscribes by.
    #[must_use]
    pub fn pattern(&self) -> Option<&Arc<str>> {
        Some(&self.pattern).filter(|pattern| !pattern.is_empty())
    }

    /// The member in its next epoch.
    #[must_use]
    pub fn in_epoch(&self, epoch: i32) -> Member {
        Member { epoch, previous_epoch: self.epoch, ..self.clone() }
    }
}
