//! Batches of the metadata log: framed metadata records, and the control records that raft itself writes and reads.

use crate::state::ids::{Endpoint, KraftVersion, ReplicaKey, Voter, VoterSet};
use ottla_messages::framed::RecordError;
use ottla_messages::records::control::{
    KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use ottla_messages::records::control::{leader_change_message, voters_record};
use ottla_messages::records::metadata::MetadataRecord;
use ottla_wire::batch::{BatchBuilder, BatchError, ControlKind, NewRecord, ValidBatch};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, Uuid};
use ottla_wire::{ApiVersion, Cursor, DecodeError, EncodeError, Encoder};
use std::borrow::Cow;

/// Largest batch of the metadata log, as in Kafka.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes that a compressed batch may inflate to. Kafka never compresses metadata.
const INFLATED_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

/// A metadata record and the version it is written in; `metadata.version` dictates it.
#[derive(Clone, PartialEq, Debug)]
pub struct VersionedRecord {
    /// The record.
    pub record: MetadataRecord<'static>,
    /// Its version.
    pub version: ApiVersion,
}

impl VersionedRecord {
    /// A record in a version.
    #[must_use]
    pub fn new(record: MetadataRecord<'static>, version: i16) -> VersionedRecord {
        VersionedRecord { record, version: ApiVersion(version) }
    }
}

/// A control record of the metadata log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ControlRecord {
    /// A leader begins its epoch.
    LeaderChange {
        /// The leader.
        leader: BrokerId,
        /// All voters.
        voters: Vec<BrokerId>,
        /// Who voted for it.
        granting: Vec<BrokerId>,
    },
    /// First record of a snapshot.
    SnapshotHeader {
        /// Timestamp of the last record it contains, in ms since 1970.
        last_timestamp_ms: i64,
    },
    /// Last record of a snapshot.
    SnapshotFooter,
    /// `kraft.version` from here on.
    KraftVersion(KraftVersion),
    /// The voters from here on.
    Voters(VoterSet),
    /// One that does not concern raft.
    Other(i16),
}

/// What a batch holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    /// Control records.
    Control(Vec<ControlRecord>),
    /// Metadata records.
    Data(Vec<VersionedRecord>),
}

/// A batch of the metadata log, decoded.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Offset of the first record.
    pub base: Offset,
    /// Offset of the last record.
    pub last: Offset,
    /// Epoch it was written in.
    pub epoch: LeaderEpoch,
    /// When it was appended, in ms since 1970.
    pub timestamp_ms: i64,
    /// Bytes.
    pub size: usize,
    /// Its records.
    pub content: Content,
}

/// Why a batch of the metadata log could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The batch itself.
    #[error("batch at offset {base}: {error}")]
    Batch {
        /// Where.
        base: Offset,
        /// What is wrong.
        error: BatchError,
    },
    /// A metadata record; one of an unknown type was written by a newer release.
    #[error("record at offset {offset}: {error}")]
    Record {
        /// Where.
        offset: Offset,
        /// What is wrong.
        error: RecordError,
    },
    /// A control record.
    #[error("control record at offset {offset}: {error}")]
    Control {
        /// Where.
        offset: Offset,
        /// What is wrong.
        error: DecodeError,
    },
}

impl ControlRecord {
    fn kind(&self) -> ControlKind {
        match self {
            ControlRecord::LeaderChange { .. } => ControlKind::LeaderChange,
            ControlRecord::SnapshotHeader { .. } => ControlKind::SnapshotHeader,
            ControlRecord::SnapshotFooter => ControlKind::SnapshotFooter,
            ControlRecord::KraftVersion(_) => ControlKind::KraftVersion,
            ControlRecord::Voters(_) => ControlKind::Voters,
            ControlRecord::Other(id) => ControlKind::Unknown(*id),
        }
    }

    fn encode(&self, out: &mut Encoder) -> Result<(), EncodeError> {
        let version = ApiVersion(0);
        match self {
            ControlRecord::LeaderChange { leader, voters, granting } => {
                let list = |ids: &[BrokerId]| {
                    let voter = |id: &BrokerId| leader_change_message::Voter { voter_id: id.0, ..Default::default() };
                    ids.iter().map(voter).collect()
                };
                let (voters, granting_voters) = (list(voters), list(granting));
                LeaderChangeMessage { version: 0, leader_id: leader.0, voters, granting_voters }.encode(out, version)
            }
            ControlRecord::SnapshotHeader { last_timestamp_ms } => {
                let record = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: *last_timestamp_ms };
                record.encode(out, version)
            }
            ControlRecord::SnapshotFooter => SnapshotFooterRecord { version: 0 }.encode(out, version),
            ControlRecord::KraftVersion(level) => {
                KRaftVersionRecord { version: 0, kraft_version: level.0 }.encode(out, version)
            }
            ControlRecord::Voters(voters) => voters_record(voters).encode(out, version),
            ControlRecord::Other(_) => Ok(()),
        }
    }

    fn decode(kind: ControlKind, value: &[u8]) -> Result<ControlRecord, DecodeError> {
        let mut cursor = Cursor::new(value);
        // The value begins with its own version; newer ones only add tagged fields.
        let version = ApiVersion(0);
        Ok(match kind {
            ControlKind::LeaderChange => leader_change(value)?,
            ControlKind::SnapshotHeader => {
                let record = SnapshotHeaderRecord::decode(&mut cursor, version)?;
                ControlRecord::SnapshotHeader { last_timestamp_ms: record.last_contained_log_timestamp }
            }
            ControlKind::SnapshotFooter => ControlRecord::SnapshotFooter,
            ControlKind::KraftVersion => ControlRecord::KraftVersion(KraftVersion(
                KRaftVersionRecord::decode(&mut cursor, version)?.kraft_version,
            )),
            ControlKind::Voters => ControlRecord::Voters(voter_set(VotersRecord::decode(&mut cursor, version)?)),
            ControlKind::Abort | ControlKind::Commit | ControlKind::Unknown(_) => ControlRecord::Other(kind.id()),
        })
    }
}

fn leader_change(value: &[u8]) -> Result<ControlRecord, DecodeError> {
    let version = ApiVersion(Cursor::new(value).i16()?.clamp(0, 1));
    let message = LeaderChangeMessage::decode(&mut Cursor::new(value), version)?;
    let list =
        |voters: Vec<leader_change_message::Voter>| voters.iter().map(|voter| BrokerId(voter.voter_id)).collect();
    Ok(ControlRecord::LeaderChange {
        leader: BrokerId(message.leader_id),
        voters: list(message.voters),
        granting: list(message.granting_voters),
    })
}

fn voters_record(voters: &VoterSet) -> VotersRecord<'_> {
    let endpoint = |endpoint: &Endpoint| voters_record::Endpoint {
        name: Cow::Owned(endpoint.listener.clone()),
        host: Cow::Owned(endpoint.host.clone()),
        port: endpoint.port,
    };
    let voter = |voter: &Voter| voters_record::Voter {
        voter_id: voter.key.id.0,
        voter_directory_id: voter.key.directory.unwrap_or(Uuid::ZERO),
        endpoints: voter.endpoints.iter().map(endpoint).collect(),
        kraft_version_feature: voters_record::KRaftVersionFeature {
            min_supported_version: voter.kraft_versions.0,
            max_supported_version: voter.kraft_versions.1,
        },
    };
    VotersRecord { version: 0, voters: voters.iter().map(voter).collect() }
}

fn voter_set(record: VotersRecord<'_>) -> VoterSet {
    let endpoint = |endpoint: voters_record::Endpoint<'_>| Endpoint {
        listener: endpoint.name.into_owned(),
        host: endpoint.host.into_owned(),
        port: endpoint.port,
    };
    VoterSet::new(record.voters.into_iter().map(|voter| Voter {
        key: ReplicaKey::new(BrokerId(voter.voter_id), voter.voter_directory_id),
        endpoints: voter.endpoints.into_iter().map(endpoint).collect(),
        kraft_versions: (
            voter.kraft_version_feature.min_supported_version,
            voter.kraft_version_feature.max_supported_version,
        ),
    }))
}

/// One batch of metadata records at `base`; nothing of it is committed without the rest.
pub fn data_batch(
    base: Offset,
    epoch: LeaderEpoch,
    now_ms: i64,
    records: &[VersionedRecord],
) -> Result<Vec<u8>, EncodeError> {
    let mut builder = BatchBuilder::new(base).leader_epoch(epoch);
    let mut value = Encoder::new();
    for VersionedRecord { record, version } in records {
        value.clear();
        record.encode(&mut value, *version)?;
        builder.append(&NewRecord { timestamp: now_ms, key: None, value: Some(value.bytes()), headers: &[] })?;
    }
    Ok(builder.finish())
}

/// One batch of control records at `base`.
pub fn control_batch(
    base: Offset,
    epoch: LeaderEpoch,
    now_ms: i64,
    records: &[ControlRecord],
) -> Result<Vec<u8>, EncodeError> {
    let mut builder = BatchBuilder::new(base).leader_epoch(epoch).control();
    let mut value = Encoder::new();
    for record in records {
        value.clear();
        record.encode(&mut value)?;
        builder.append_control(now_ms, record.kind(), value.bytes())?;
    }
    Ok(builder.finish())
}

impl Batch {
    /// Reads one whole batch, checking its CRC.
    pub fn read(bytes: &[u8]) -> Result<Batch, ReadError> {
        let at = |base| move |error| ReadError::Batch { base, error };
        let valid = ValidBatch::trusted(bytes).map_err(at(Offset(-1)))?;
        let header = valid.header();
        let mut scratch = Vec::new();
        let records = valid.records(&mut scratch, INFLATED_BYTES_MAX).map_err(at(header.base_offset()))?;
        let mut control = Vec::new();
        let mut data = Vec::new();
        for record in records {
            let record = record.map_err(at(header.base_offset()))?;
            let value = record.value.unwrap_or_default();
            let offset = record.offset;
            if header.is_control() {
                let kind = ControlKind::parse(record.key).map_err(at(header.base_offset()))?;
                let record = ControlRecord::decode(kind, value);
                control.push(record.map_err(|error| ReadError::Control { offset, error })?);
            } else {
                let (record, version) =
                    MetadataRecord::decode(value).map_err(|error| ReadError::Record { offset, error })?;
                data.push(VersionedRecord { record: record.into_owned(), version });
            }
        }
        Ok(Batch {
            base: header.base_offset(),
            last: header.last_offset(),
            epoch: header.leader_epoch(),
            timestamp_ms: header.max_timestamp(),
            size: bytes.len(),
            content: if header.is_control() { Content::Control(control) } else { Content::Data(data) },
        })
    }
}

#[cfg(test)]
mod tests;
