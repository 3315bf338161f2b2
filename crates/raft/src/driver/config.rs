//! What a quorum is started with, and why it does not start.

use crate::cleaning::Retention;
use crate::log::LogError;
use crate::quorum_state::QuorumStateError;
use crate::records::ReadError;
use crate::snapshot::SnapshotError;
use crate::state::ids::{Endpoint, OffsetAndEpoch, VoterSet};
use crate::state::peers::Timing;
use ottla_wire::ids::{BrokerId, Offset, Uuid};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the quorum is to know; each field mirrors a setting.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// `node.id`.
    pub node_id: BrokerId,
    /// Id of the metadata log directory, by `meta.properties`.
    pub directory_id: Uuid,
    /// `controller.quorum.voters`; empty with dynamic voters.
    pub static_voters: VoterSet,
    /// This node's controller listeners as others reach them.
    pub endpoints: Vec<Endpoint>,
    /// Intervals of elections and requests.
    pub timing: Timing,
    /// `controller.quorum.append.linger.ms`: how long an append may wait for company. Zero costs no throughput: what
    /// arrives during a flush shares the next one.
    pub linger: Duration,
    /// `metadata.log.max.record.bytes.between.snapshots`, 20 MiB.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`, 1 h; zero for none.
    pub snapshot_interval: Duration,
    /// `metadata.max.idle.interval.ms`, 500 ms: how often an idle leader writes a record that says nothing, so that
    /// others see how fresh their metadata is; zero for never.
    pub idle_interval: Duration,
    /// `metadata.max.retention.bytes` and `.ms`.
    pub retention: Retention,
}

impl QuorumConfig {
    /// Kafka's defaults for a node without static voters.
    #[must_use]
    pub fn new(node_id: BrokerId, directory_id: Uuid) -> QuorumConfig {
        QuorumConfig {
            node_id,
            directory_id,
            static_voters: VoterSet::default(),
            endpoints: Vec::new(),
            timing: Timing::default(),
            linger: Duration::ZERO,
            snapshot_bytes: 20 * 1024 * 1024,
            snapshot_interval: Duration::from_secs(3_600),
            idle_interval: Duration::from_millis(500),
            retention: Retention { bytes: 100 * 1024 * 1024, ms: 7 * 24 * 3_600_000 },
        }
    }
}

/// Why the quorum does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The disk failed.
    #[error("metadata log: {what} {path}: {error}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The log itself.
    #[error("metadata log: {0}")]
    Log(#[from] LogError),
    /// `quorum-state`.
    #[error(transparent)]
    QuorumState(#[from] QuorumStateError),
    /// A snapshot.
    #[error("metadata snapshot {0}")]
    Snapshot(#[from] SnapshotError),
    /// A batch.
    #[error("metadata log: {0}; if a newer release wrote it, start that release")]
    Read(#[from] ReadError),
    /// The log begins behind the latest snapshot: what lies between is lost.
    #[error("the metadata log begins at offset {start}, but no snapshot reaches there: the latest is {latest:?}")]
    Gap {
        /// First offset kept.
        start: Offset,
        /// Latest snapshot.
        latest: Option<OffsetAndEpoch>,
    },
    /// Written by a newer release.
    #[error("the metadata log has kraft.version {0}, this release knows 0 and 1; start the release that wrote it")]
    KraftVersion(i16),
    /// Nobody votes.
    #[error("there are no controller voters: set controller.quorum.voters, or format the directory with --standalone")]
    NoVoters,
    /// This release runs quorums of one.
    #[error(
        "the controller voters are {voters:?}; this release runs a quorum of one, and that one has to be node {node} \
         with directory {directory}"
    )]
    NotTheOnlyVoter {
        /// Voters.
        voters: Vec<BrokerId>,
        /// This node.
        node: BrokerId,
        /// Its directory.
        directory: Uuid,
    },
    /// It failed on its way.
    #[error("{0}")]
    Failed(Arc<str>),
}
