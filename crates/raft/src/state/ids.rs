//! Who votes and where a log stands: the small values that raft's messages are made of.

use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, Uuid};
use std::collections::BTreeMap;
use std::fmt;

/// A place in the log: the epoch of the last record before it, and the offset. Ordered by epoch, then offset: the
/// greater one is the more complete log. Also names a snapshot (the place right behind what it contains).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OffsetAndEpoch {
    /// Epoch of the record before `offset`.
    pub epoch: LeaderEpoch,
    /// Offset of the next record.
    pub offset: Offset,
}

impl OffsetAndEpoch {
    /// The snapshot that formatting a directory leaves; read by its own node, never sent to another.
    pub const BOOTSTRAP: OffsetAndEpoch = OffsetAndEpoch { epoch: LeaderEpoch(0), offset: Offset(0) };
}

impl fmt::Debug for OffsetAndEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.offset, self.epoch)
    }
}

impl fmt::Display for OffsetAndEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A replica of the metadata log: node and directory (KIP-853). A node with an emptied disk is another replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaKey {
    /// Node.
    pub id: BrokerId,
    /// Its metadata directory; None where a peer or a static voter list does not tell.
    pub directory: Option<Uuid>,
}

impl ReplicaKey {
    /// A replica; a directory id of zeros counts as unknown.
    #[must_use]
    pub fn new(id: BrokerId, directory: Uuid) -> ReplicaKey {
        ReplicaKey { id, directory: Some(directory).filter(|directory| !directory.is_zero()) }
    }

    /// Whether `other` is this replica, as far as this side knows its directory.
    #[must_use]
    pub fn admits(&self, other: &ReplicaKey) -> bool {
        self.id == other.id && self.directory.is_none_or(|directory| other.directory == Some(directory))
    }
}

impl fmt::Debug for ReplicaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.directory {
            Some(directory) => write!(f, "{}/{directory}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

/// Where a voter listens for one of the controller listeners.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Endpoint {
    /// Listener name, such as `CONTROLLER`.
    pub listener: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// `kraft.version`: how the quorum keeps its voters (KIP-853).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct KraftVersion(pub i16);

impl KraftVersion {
    /// Voters by `controller.quorum.voters`.
    pub const STATIC: KraftVersion = KraftVersion(0);
    /// Voters by records of the metadata log.
    pub const DYNAMIC: KraftVersion = KraftVersion(1);

    /// Whether the log says who votes, and `quorum-state` which directory got the vote.
    #[must_use]
    pub fn has_dynamic_voters(self) -> bool {
        self >= KraftVersion::DYNAMIC
    }

    /// Whether this program knows what the level means.
    #[must_use]
    pub fn is_known(self) -> bool {
        (KraftVersion::STATIC..=KraftVersion::DYNAMIC).contains(&self)
    }
}

/// A member of the voter set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voter {
    /// Who it is.
    pub key: ReplicaKey,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// Lowest and highest `kraft.version` it supports.
    pub kraft_versions: (i16, i16),
}

/// The replicas whose votes and fetches count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VoterSet {
    voters: BTreeMap<BrokerId, Voter>,
}

impl VoterSet {
    /// A set; of two voters with one node id the later counts.
    #[must_use]
    pub fn new(voters: impl IntoIterator<Item = Voter>) -> VoterSet {
        VoterSet { voters: voters.into_iter().map(|voter| (voter.key.id, voter)).collect() }
    }

    /// The members by node id.
    pub fn iter(&self) -> impl Iterator<Item = &Voter> {
        self.voters.values()
    }

    /// Node ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = BrokerId> {
        self.voters.keys().copied()
    }

    /// The member on a node.
    #[must_use]
    pub fn get(&self, id: BrokerId) -> Option<&Voter> {
        self.voters.get(&id)
    }

    /// Members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.voters.len()
    }

    /// Whether nobody votes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.voters.is_empty()
    }

    /// Votes that win: more than half.
    #[must_use]
    pub fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether the replica is a member.
    #[must_use]
    pub fn contains(&self, key: &ReplicaKey) -> bool {
        self.get(key.id).is_some_and(|voter| voter.key.admits(key))
    }

    /// Whether the replica is the one and only member.
    #[must_use]
    pub fn is_only(&self, key: &ReplicaKey) -> bool {
        self.len() == 1 && self.contains(key)
    }

    /// The set with one member's facts replaced; None if it is not a member.
    #[must_use]
    pub fn with(&self, voter: &Voter) -> Option<VoterSet> {
        if !self.contains(&voter.key) {
            return None;
        }
        let mut voters = self.voters.clone();
        voters.insert(voter.key.id, voter.clone());
        Some(VoterSet { voters })
    }
}

/// Voter sets by the offset of the record that set them; one counts from when it is written, committed or not
/// (KIP-853), and a truncation brings the one before back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VoterHistory {
    /// What `controller.quorum.voters` says; counts while no record does.
    initial: VoterSet,
    written: Vec<(Offset, VoterSet)>,
}

impl VoterHistory {
    /// Only the static list.
    #[must_use]
    pub fn new(initial: VoterSet) -> VoterHistory {
        VoterHistory { initial, written: Vec::new() }
    }

    /// The set that counts.
    #[must_use]
    pub fn last(&self) -> &VoterSet {
        self.written.last().map_or(&self.initial, |(_, voters)| voters)
    }

    /// Offset of the record that set it: -1 for one out of the bootstrap snapshot, None without a record.
    #[must_use]
    pub fn last_offset(&self) -> Option<Offset> {
        self.written.last().map(|(offset, _)| *offset)
    }

    /// The set that counted at `offset`.
    #[must_use]
    pub fn at(&self, offset: Offset) -> Option<&VoterSet> {
        self.written.iter().rev().find(|(at, _)| *at <= offset).map(|(_, voters)| voters)
    }

    /// A record at `offset` sets the voters.
    pub fn add(&mut self, offset: Offset, voters: VoterSet) {
        self.truncate(offset);
        self.written.push((offset, voters));
    }

    /// Forgets records from `end` on.
    pub fn truncate(&mut self, end: Offset) {
        self.written.retain(|(offset, _)| *offset < end);
    }

    /// Forgets all records: a snapshot replaces the log.
    pub fn clear(&mut self) {
        self.written.clear();
    }
}
