//! Opening the quorum of this node: whose directories these are, and its metadata log in them.

use super::MetadataError;
use ottla_host::Host;
use ottla_log::LogDir;
use ottla_log::dir::meta::{META_PROPERTIES, MetaProperties};
use ottla_metadata::BrokerConfig;
use ottla_metadata::image::NodeEndpoint;
use ottla_raft::cleaning::Retention;
use ottla_raft::state::ids::{Endpoint, ReplicaKey, Voter, VoterSet};
use ottla_raft::state::peers::Timing;
use ottla_raft::{DiskLog, Feed, Quorum, QuorumConfig, SegmentLimits, metadata_dir};
use ottla_wire::Uuid;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Directory ids below this mean something else (KIP-858).
const RESERVED_IDS: u8 = 100;

/// Why the directories are not those of this node.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No `meta.properties`.
    #[error(
        "{0} is not formatted: there is no meta.properties in it. If the disk is mounted where it should be, run `ottla \
         storage format`"
    )]
    NotFormatted(PathBuf),
    /// Another node's.
    #[error("{path} belongs to node {found}, node.id is {node}")]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// Node in its `meta.properties`.
        found: i32,
        /// `node.id`.
        node: i32,
    },
    /// Another cluster's.
    #[error("{path} belongs to the cluster {found}, the other log directories to {cluster}")]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// Cluster in its `meta.properties`.
        found: String,
        /// Cluster of the others.
        cluster: String,
    },
    /// The same directory id twice.
    #[error("{0} has the directory.id of another log directory: it is a copy")]
    Copy(PathBuf),
    /// A new directory id cannot be written.
    #[error("{path} cannot be written: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Whose the log directories are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    pub(crate) cluster_id: String,
    /// Ids of the log directories, in the order of `log.dirs`.
    pub(crate) directories: Vec<Uuid>,
    /// Id of the directory with the metadata log.
    pub(crate) metadata_directory: Uuid,
    /// Epoch that the last clean stop left in all of them; -1 after any other end.
    pub(crate) previous_epoch: i64,
}

impl Home {
    /// Reads and compares what the directories say. One from before directory ids gets one (KIP-858).
    pub(crate) fn of(
        host: &Host,
        config: &BrokerConfig,
        dirs: &[Arc<LogDir>],
        metadata: &Arc<LogDir>,
    ) -> Result<Home, HomeError> {
        let mut home = Home {
            cluster_id: meta_of(metadata, config)?.cluster_id.clone(),
            directories: Vec::with_capacity(dirs.len()),
            metadata_directory: id_of(host, metadata, config)?,
            previous_epoch: previous_epoch(dirs),
        };
        for dir in dirs {
            let found = &meta_of(dir, config)?.cluster_id;
            if *found != home.cluster_id {
                let (path, found) = (dir.path().to_owned(), found.clone());
                return Err(HomeError::OtherCluster { path, found, cluster: home.cluster_id });
            }
            let id = if Arc::ptr_eq(dir, metadata) { home.metadata_directory } else { id_of(host, dir, config)? };
            if home.directories.contains(&id) {
                return Err(HomeError::Copy(dir.path().to_owned()));
            }
            home.directories.push(id);
        }
        Ok(home)
    }
}

fn meta_of<'a>(dir: &'a LogDir, config: &BrokerConfig) -> Result<&'a MetaProperties, HomeError> {
    let meta = dir.meta().ok_or_else(|| HomeError::NotFormatted(dir.path().to_owned()))?;
    if meta.node_id != config.node_id.0 {
        let path = dir.path().to_owned();
        return Err(HomeError::OtherNode { path, found: meta.node_id, node: config.node_id.0 });
    }
    Ok(meta)
}

fn id_of(host: &Host, dir: &LogDir, config: &BrokerConfig) -> Result<Uuid, HomeError> {
    let meta = meta_of(dir, config)?;
    if let Some(id) = meta.directory_id {
        return Ok(id);
    }
    let id = fresh_directory_id(host);
    let text = MetaProperties { directory_id: Some(id), ..meta.clone() }.write();
    let path = dir.path().join(META_PROPERTIES);
    match host.disk.replace(&path, text.as_bytes(), true) {
        Ok(()) => Ok(id),
        Err(error) => Err(HomeError::Io { path, error }),
    }
}

fn fresh_directory_id(host: &Host) -> Uuid {
    loop {
        let mut bytes = [0; 16];
        host.chance.fill("directory id", &mut bytes);
        let id = Uuid::from_chance(bytes);
        let is_reserved = bytes[..15] == [0; 15] && bytes[15] < RESERVED_IDS;
        if !is_reserved && !id.to_string().starts_with('-') {
            return id;
        }
    }
}

fn previous_epoch(dirs: &[Arc<LogDir>]) -> i64 {
    let mut epochs = dirs.iter().map(|dir| dir.previous_broker_epoch());
    match epochs.next().flatten() {
        Some(first) if epochs.all(|other| other == Some(first)) => first,
        Some(_) | None => -1,
    }
}

/// Opens the metadata log and starts the quorum, which leads when this returns.
pub(crate) async fn open(
    host: &Host,
    config: &BrokerConfig,
    (home, dir): (&Home, &Arc<LogDir>),
    controllers: Vec<NodeEndpoint>,
) -> Result<(Quorum, Feed), MetadataError> {
    let (sender, opened) = tokio::sync::oneshot::channel();
    let (own, limits) = (dir.clone(), segment_limits(config));
    let job = move || drop(sender.send(DiskLog::open(&own, limits)));
    host.tasks.offload(dir.lane(), Box::new(job)).await;
    let log = match opened.await {
        Ok(opened) => opened?,
        Err(_) => return Err(MetadataError::Quorum("its log was not opened".into())),
    };
    let controllers = controllers.into_iter();
    let controllers = controllers.map(|one| Endpoint { listener: one.listener, host: one.host, port: one.port });
    let settings = settings(config, home, controllers.collect());
    Ok(Quorum::start(host, &metadata_dir(dir), Box::new(log), settings).await?)
}

fn segment_limits(config: &BrokerConfig) -> SegmentLimits {
    SegmentLimits {
        bytes: u32::try_from(config.quorum.segment_bytes).unwrap_or(u32::MAX),
        ms: config.quorum.segment_ms,
    }
}

fn settings(config: &BrokerConfig, home: &Home, controllers: Vec<Endpoint>) -> QuorumConfig {
    let quorum = &config.quorum;
    let base = QuorumConfig::new(config.node_id, home.metadata_directory);
    let voter = quorum.static_voter.as_ref().map(|address| Voter {
        key: ReplicaKey { id: config.node_id, directory: None },
        endpoints: vec![Endpoint {
            listener: controllers.first().map(|one| one.listener.clone()).unwrap_or_default(),
            host: address.host.clone(),
            port: address.port,
        }],
        kraft_versions: (0, 1),
    });
    QuorumConfig {
        static_voters: VoterSet::new(voter),
        endpoints: controllers,
        timing: Timing {
            election: Duration::from_millis(quorum.election_timeout_ms),
            fetch: Duration::from_millis(quorum.fetch_timeout_ms),
            election_backoff_max: Duration::from_millis(quorum.election_backoff_max_ms),
            ..base.timing
        },
        snapshot_bytes: quorum.snapshot_bytes,
        snapshot_interval: Duration::from_millis(quorum.snapshot_interval_ms),
        // An idle quorum writes nothing: no other node waits to hear how fresh its metadata is.
        idle_interval: Duration::ZERO,
        retention: Retention { bytes: quorum.retention_bytes, ms: quorum.retention_ms },
        ..base
    }
}

/// The directory at `path` among those that are open.
pub(crate) fn find<'a>(dirs: &'a [Arc<LogDir>], path: &Path) -> Option<&'a Arc<LogDir>> {
    dirs.iter().find(|dir| dir.path() == path)
}
