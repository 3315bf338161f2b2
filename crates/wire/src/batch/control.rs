//! Control records: what brokers and controllers write between the records of users.

use super::error::BatchError;

/// Kind of a control record, the second number of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ControlKind {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A quorum has a new leader (KIP-595).
    LeaderChange,
    /// A metadata snapshot begins (KIP-630).
    SnapshotHeader,
    /// A metadata snapshot is complete (KIP-630).
    SnapshotFooter,
    /// Version of the quorum's protocol (KIP-853).
    KraftVersion,
    /// The voters of the quorum (KIP-853).
    Voters,
    /// A kind that this version does not know; readers step over it.
    Unknown(i16),
}

impl ControlKind {
    /// The kind of a number.
    #[must_use]
    pub fn from_id(id: i16) -> ControlKind {
        match id {
            0 => ControlKind::Abort,
            1 => ControlKind::Commit,
            2 => ControlKind::LeaderChange,
            3 => ControlKind::SnapshotHeader,
            4 => ControlKind::SnapshotFooter,
            5 => ControlKind::KraftVersion,
            6 => ControlKind::Voters,
            id => ControlKind::Unknown(id),
        }
    }

    /// The number of the kind.
    #[must_use]
    pub fn id(self) -> i16 {
        match self {
            ControlKind::Abort => 0,
            ControlKind::Commit => 1,
            ControlKind::LeaderChange => 2,
            ControlKind::SnapshotHeader => 3,
            ControlKind::SnapshotFooter => 4,
            ControlKind::KraftVersion => 5,
            ControlKind::Voters => 6,
            ControlKind::Unknown(id) => id,
        }
    }

    /// The key of a control record of this kind: version 0 and the number.
    #[must_use]
    pub fn key(self) -> [u8; 4] {
        let [high, low] = self.id().to_be_bytes();
        [0, 0, high, low]
    }

    /// The kind that a control record's key says. Keys of newer versions begin alike and are read alike.
    pub fn parse(key: Option<&[u8]>) -> Result<ControlKind, BatchError> {
        match key {
            Some(&[v0, v1, high, low, ..]) if i16::from_be_bytes([v0, v1]) >= 0 => {
                Ok(ControlKind::from_id(i16::from_be_bytes([high, low])))
            }
            Some(_) | None => Err(BatchError::Malformed { index: 0, what: "it has not the key of a control record" }),
        }
    }
}

/// Value of a commit or abort record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndTxn {
    /// Epoch of the transaction coordinator that wrote it.
    pub coordinator_epoch: i32,
}

impl EndTxn {
    /// The bytes: version 0 and the epoch.
    #[must_use]
    pub fn value(self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// Reads the value; of newer versions only what is known here.
    pub fn parse(value: Option<&[u8]>) -> Result<EndTxn, BatchError> {
        match value {
            Some(&[v0, v1, a, b, c, d, ..]) if i16::from_be_bytes([v0, v1]) >= 0 => {
                Ok(EndTxn { coordinator_epoch: i32::from_be_bytes([a, b, c, d]) })
            }
            Some(_) | None => {
                Err(BatchError::Malformed { index: 0, what: "it has not the value of an end of a transaction" })
            }
        }
    }
}
