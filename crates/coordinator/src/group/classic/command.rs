//! What a classic group is asked and what it answers.

use super::member::Protocols;
use crate::group::client::Client;
use crate::group::fault::Fault;
use std::sync::Arc;

/// A question or an order to a classic group.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// JoinGroup: answered once the rebalance that it takes part in has its members.
    Join(Box<Join>),
    /// SyncGroup: answered once the leader has assigned.
    Sync(Box<Sync>),
    /// Heartbeat.
    Heartbeat(Heartbeat),
    /// LeaveGroup.
    Leave(Leave),
}

impl Command {
    /// The group that it is for.
    #[must_use]
    pub fn group(&self) -> &Arc<str> {
        match self {
            Command::Join(join) => &join.group,
            Command::Sync(sync) => &sync.group,
            Command::Heartbeat(beat) => &beat.group,
            Command::Leave(leave) => &leave.group,
        }
    }
}

/// How a member names itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Given by the coordinator; empty for none yet.
    pub member_id: Arc<str>,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance_id: Option<Arc<str>>,
}

/// What the version of a JoinGroup request means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Abilities {
    /// It comes again with the id that it is given (KIP-394).
    pub comes_again: bool,
    /// As leader it can be told not to assign (KIP-814).
    pub skips_assignment: bool,
}

/// JoinGroup.
#[derive(Clone, PartialEq, Debug)]
pub struct Join {
    /// Group to join.
    pub group: Arc<str>,
    /// Who joins.
    pub who: Identity,
    /// An id that no member has had, for who has none yet.
    pub fresh_id: Arc<str>,
    /// Where it joins from.
    pub client: Client,
    /// Silence after which it counts as gone.
    pub session_timeout_ms: i32,
    /// Time it gets to join again once a rebalance begins.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect` or another.
    pub protocol_type: Arc<str>,
    /// Protocols, the preferred first.
    pub protocols: Protocols,
    /// Why it joins, for the log (KIP-800).
    pub reason: Arc<str>,
    /// What its version means.
    pub abilities: Abilities,
}

/// SyncGroup.
#[derive(Clone, PartialEq, Debug)]
pub struct Sync {
    /// Group.
    pub group: Arc<str>,
    /// Who asks.
    pub who: Identity,
    /// Generation that it has joined.
    pub generation: i32,
    /// Must be the group's, if it is there (KIP-559).
    pub protocol_type: Option<Arc<str>>,
    /// Must be the group's, if it is there (KIP-559).
    pub protocol: Option<Arc<str>>,
    /// Of the leader: members and what each shall have.
    pub assignments: Vec<(Arc<str>, Arc<[u8]>)>,
}

/// Heartbeat.
#[derive(Clone, PartialEq, Debug)]
pub struct Heartbeat {
    /// Group.
    pub group: Arc<str>,
    /// Who is alive.
    pub who: Identity,
    /// Generation that it is in.
    pub generation: i32,
}

/// LeaveGroup.
#[derive(Clone, PartialEq, Debug)]
pub struct Leave {
    /// Group.
    pub group: Arc<str>,
    /// Who leaves, and why (KIP-800). Without a member id an administrator removes a static member.
    pub members: Vec<(Identity, Arc<str>)>,
}

/// What a [`Command`] is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The rebalance has its members.
    Joined(Joined),
    /// The leader has assigned.
    Synced(Synced),
    /// Heard.
    Heard,
    /// Who has left.
    Left(Left),
}

/// Answer to [`Join`].
#[derive(Clone, PartialEq, Debug)]
pub struct Joined {
    /// The member.
    pub member_id: Arc<str>,
    /// Generation that begins.
    pub generation: i32,
    /// Type of the group.
    pub protocol_type: Option<Arc<str>>,
    /// Protocol chosen by vote.
    pub protocol: Option<Arc<str>>,
    /// Member that assigns.
    pub leader: Arc<str>,
    /// Whether the leader keeps what is assigned (KIP-814).
    pub skip_assignment: bool,
    /// For the leader: all members.
    pub members: Vec<JoinedMember>,
}

/// A member, as its leader is told.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: Arc<str>,
    /// `group.instance.id`.
    pub instance_id: Option<Arc<str>>,
    /// What it says to the chosen protocol.
    pub metadata: Arc<[u8]>,
}

/// Answer to [`Sync`].
#[derive(Clone, PartialEq, Debug)]
pub struct Synced {
    /// Type of the group.
    pub protocol_type: Option<Arc<str>>,
    /// Protocol of the generation.
    pub protocol: Option<Arc<str>>,
    /// What the member shall have.
    pub assignment: Arc<[u8]>,
}

/// Answer to [`Leave`].
#[derive(Clone, PartialEq, Debug)]
pub struct Left {
    /// In the order of the question.
    pub members: Vec<LeftMember>,
}

/// One that wanted to leave.
#[derive(Clone, PartialEq, Debug)]
pub struct LeftMember {
    /// As the request named it.
    pub who: Identity,
    /// Whether it has left.
    pub outcome: Result<(), Fault>,
}
