//! A member of a classic group.

use super::command::JoinedMember;
use crate::group::client::Client;
use crate::machine::Ticket;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A protocol that a member offers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocol {
    /// Its name: of an assignor, for consumers.
    pub name: Arc<str>,
    /// What the member says to it, for the leader: a subscription, for consumers.
    pub metadata: Arc<[u8]>,
}

/// Protocols that a member offers, the preferred first, each name once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Protocols(Arc<[Protocol]>);

impl FromIterator<Protocol> for Protocols {
    /// Of two that have one name, the first counts.
    fn from_iter<I: IntoIterator<Item = Protocol>>(protocols: I) -> Protocols {
        let mut names = BTreeSet::new();
        Protocols(protocols.into_iter().filter(|protocol| names.insert(protocol.name.clone())).collect())
    }
}

impl Deref for Protocols {
    type Target = [Protocol];

    fn deref(&self) -> &[Protocol] {
        &self.0
    }
}

/// A member. Its parts are shared, so that a changed copy is cheap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Given by the coordinator.
    pub id: Arc<str>,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<Arc<str>>,
    /// Where it joined from.
    pub client: Client,
    /// Time it gets to join again.
    pub rebalance_timeout_ms: i32,
    /// Silence after which it is gone.
    pub session_timeout_ms: i32,
    /// Protocols, the preferred first.
    pub protocols: Protocols,
    /// What the leader gave it.
    pub assignment: Arc<[u8]>,
    /// Waits for the answer to its JoinGroup.
    pub(super) joining: Option<Ticket>,
    /// Waits for the answer to its SyncGroup.
    pub(super) syncing: Option<Ticket>,
    /// Has not had an answer yet, so that it cannot send heartbeats.
    pub(super) is_new: bool,
    /// Last generation whose assignment it has asked for.
    pub(super) synced: i32,
}

/// Times that a member asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Silence after which it is gone.
    pub session_ms: i32,
    /// Time it gets to join again.
    pub rebalance_ms: i32,
}

impl Member {
    /// A member that waits for nothing and has no assignment.
    #[must_use]
    pub fn new(
        id: Arc<str>,
        instance_id: Option<Arc<str>>,
        client: Client,
        timeouts: Timeouts,
        protocols: Protocols,
    ) -> Member {
        Member {
            id,
            instance_id,
            client,
            rebalance_timeout_ms: timeouts.rebalance_ms,
            session_timeout_ms: timeouts.session_ms,
            protocols,
            assignment: nothing(),
            joining: None,
            syncing: None,
            is_new: false,
            synced: 0,
        }
    }

    /// What it says to the protocol `name`.
    #[must_use]
    pub fn metadata(&self, name: &str) -> Option<&Arc<[u8]>> {
        self.protocols.iter().find(|protocol| *protocol.name == *name).map(|protocol| &protocol.metadata)
    }

    /// Whether it is static (KIP-345).
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// Whether it waits for the answer to a JoinGroup.
    #[must_use]
    pub fn is_joining(&self) -> bool {
        self.joining.is_some()
    }

    /// Whether silence is no sign of its death: it waits for us, and has an id to send heartbeats with afterwards.
    pub(super) fn is_excused(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }

    pub(super) fn session(&self) -> Duration {
        millis(self.session_timeout_ms)
    }

    /// As the leader is told of it.
    pub(super) fn told(&self, protocol: &str) -> JoinedMember {
        JoinedMember {
            member_id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            metadata: self.metadata(protocol).cloned().unwrap_or_else(nothing),
        }
    }
}

/// Milliseconds of the wire, where less than none is none.
pub(super) fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// No bytes.
pub(super) fn nothing() -> Arc<[u8]> {
    Arc::from([])
}
