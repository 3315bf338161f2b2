//! One partition as a fact, small: a cluster has many.

use ottla_messages::records::metadata::{PartitionChangeRecord, PartitionRecord};
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, LeaderEpoch, PartitionIndex};

use crate::features::MetadataVersion;

/// No broker leads.
pub const NO_LEADER: BrokerId = BrokerId(-1);
/// The change record's way to say "the leader stays".
const LEADER_STAYS: i32 = -2;
/// Directory of a replica in a cluster whose records have none (KIP-858).
pub const DIRECTORY_MIGRATING: Uuid = Uuid([0; 16]);
/// Directory of a replica that the broker has not placed yet (KIP-858).
pub const DIRECTORY_UNASSIGNED: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
/// Directory of a replica whose directory failed (KIP-858).
pub const DIRECTORY_LOST: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

/// Broker ids in order of preference; up to three take no memory of their own.
#[derive(Clone, PartialEq, Eq)]
pub struct Brokers(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Few(u8, [BrokerId; 3]),
    Many(Box<[BrokerId]>),
}

impl Brokers {
    /// These ids.
    #[must_use]
    pub fn new(ids: &[i32]) -> Brokers {
        let mut few = [BrokerId(0); 3];
        match few.get_mut(..ids.len()) {
            Some(room) => {
                room.iter_mut().zip(ids).for_each(|(to, from)| *to = BrokerId(*from));
                Brokers(Repr::Few(ids.len() as u8, few))
            }
            None => Brokers(Repr::Many(ids.iter().copied().map(BrokerId).collect())),
        }
    }

    /// The ids.
    #[must_use]
    pub fn as_slice(&self) -> &[BrokerId] {
        match &self.0 {
            Repr::Few(len, ids) => &ids[..usize::from(*len)],
            Repr::Many(ids) => ids,
        }
    }

    /// Whether the broker is one of them.
    #[must_use]
    pub fn contains(&self, id: BrokerId) -> bool {
        self.as_slice().contains(&id)
    }

    /// The ids as plain numbers.
    #[must_use]
    pub fn numbers(&self) -> Vec<i32> {
        self.as_slice().iter().map(|id| id.0).collect()
    }
}

impl std::fmt::Debug for Brokers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// One partition. `isr ⊆ replicas`, and a leader is one of `isr`, for what our controller writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Brokers that hold it, the preferred leader first.
    pub replicas: Brokers,
    /// Replicas that have every acknowledged record.
    pub isr: Brokers,
    /// Broker that leads it, or [`NO_LEADER`].
    pub leader: BrokerId,
    /// Term of the leader.
    pub leader_epoch: LeaderEpoch,
    /// Number of changes so far.
    pub partition_epoch: i32,
    /// 1 while a leader elected uncleanly recovers.
    pub recovery: i8,
    /// Directory of each replica, in the order of `replicas`; empty where records have none.
    pub directories: Directories,
    /// What most partitions do not have.
    pub rare: Option<Box<Rare>>,
}

/// Directory of each replica; one takes no memory of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Directories {
    /// Of a single replica.
    One(Uuid),
    /// Of several, or none.
    Several(Box<[Uuid]>),
}

impl Directories {
    /// These directories.
    #[must_use]
    pub fn new(ids: &[Uuid]) -> Directories {
        match ids {
            [one] => Directories::One(*one),
            several => Directories::Several(several.into()),
        }
    }

    /// The directories.
    #[must_use]
    pub fn as_slice(&self) -> &[Uuid] {
        match self {
            Directories::One(one) => std::slice::from_ref(one),
            Directories::Several(several) => several,
        }
    }
}

/// What most partitions do not have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rare {
    /// Replicas on their way out.
    pub removing: Vec<i32>,
    /// Replicas on their way in.
    pub adding: Vec<i32>,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<i32>,
    /// The last known ones (KIP-966).
    pub last_known_elr: Vec<i32>,
}

impl Partition {
    /// The partition that a record states.
    #[must_use]
    pub fn of_record(record: &PartitionRecord) -> Partition {
        let rare = Rare {
            removing: record.removing_replicas.clone(),
            adding: record.adding_replicas.clone(),
            elr: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_elr: record.last_known_elr.clone().unwrap_or_default(),
        };
        Partition {
            replicas: Brokers::new(&record.replicas),
            isr: Brokers::new(&record.isr),
            leader: BrokerId(record.leader),
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            recovery: record.leader_recovery_state,
            directories: Directories::new(&record.directories),
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        }
    }

    /// Applies a change. A change of leader begins a new term; every change counts up the partition epoch.
    pub fn change(&mut self, record: &PartitionChangeRecord) {
        if let Some(replicas) = &record.replicas {
            self.replicas = Brokers::new(replicas);
        }
        if let Some(isr) = &record.isr {
            self.isr = Brokers::new(isr);
        }
        if record.leader != LEADER_STAYS {
            self.leader = BrokerId(record.leader);
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0.saturating_add(1));
        }
        if record.leader_recovery_state >= 0 {
            self.recovery = record.leader_recovery_state;
        }
        if let Some(directories) = &record.directories {
            self.directories = Directories::new(directories);
        }
        self.partition_epoch = self.partition_epoch.saturating_add(1);
        self.change_rare(record);
    }

    fn change_rare(&mut self, record: &PartitionChangeRecord) {
        let mut rare = self.rare.take().map(|rare| *rare).unwrap_or_default();
        let set = |to: &mut Vec<i32>, from: &Option<Vec<i32>>| {
            if let Some(from) = from {
                to.clone_from(from);
            }
        };
        set(&mut rare.removing, &record.removing_replicas);
        set(&mut rare.adding, &record.adding_replicas);
        set(&mut rare.elr, &record.eligible_leader_replicas);
        set(&mut rare.last_known_elr, &record.last_known_elr);
        self.rare = (rare != Rare::default()).then(|| Box::new(rare));
    }

    /// The record that states this partition at a level of `metadata.version`.
    #[must_use]
    pub fn to_record(&self, topic: Uuid, index: PartitionIndex, version: MetadataVersion) -> PartitionRecord {
        let rare = self.rare.as_deref().cloned().unwrap_or_default();
        let listed = |ids: Vec<i32>| Some(ids).filter(|ids| !ids.is_empty() && version.has_eligible_leaders());
        PartitionRecord {
            partition_id: index.0,
            topic_id: topic,
            replicas: self.replicas.numbers(),
            isr: self.isr.numbers(),
            removing_replicas: rare.removing,
            adding_replicas: rare.adding,
            leader: self.leader.0,
            leader_recovery_state: self.recovery,
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories: self.record_directories(version),
            eligible_leader_replicas: listed(rare.elr),
            last_known_elr: listed(rare.last_known_elr),
        }
    }

    /// One directory per replica where records carry them; unknown ones are said to be migrating.
    fn record_directories(&self, version: MetadataVersion) -> Vec<Uuid> {
        if !version.has_directories() {
            return Vec::new();
        }
        let mut directories = self.directories.as_slice().to_vec();
        directories.resize(self.replicas.as_slice().len(), DIRECTORY_MIGRATING);
        directories
    }

    /// The directory that holds the replica of a broker, None when the broker holds none or records carry none.
    #[must_use]
    pub fn directory_of(&self, broker: BrokerId) -> Option<Uuid> {
        let at = self.replicas.as_slice().iter().position(|id| *id == broker)?;
        self.directories.as_slice().get(at).copied()
    }

    /// Eligible leader replicas (KIP-966).
    #[must_use]
    pub fn elr(&self) -> &[i32] {
        self.rare.as_deref().map_or(&[], |rare| &rare.elr)
    }

    /// The last known eligible leader replicas (KIP-966).
    #[must_use]
    pub fn last_known_elr(&self) -> &[i32] {
        self.rare.as_deref().map_or(&[], |rare| &rare.last_known_elr)
    }
}
