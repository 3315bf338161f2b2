//! Formatting log directories as `kafka-storage format` does: `meta.properties` in each, the first metadata in one.

mod features;

use crate::VersionedRecord;
use crate::disk_log::METADATA_TOPIC;
use crate::snapshot::{self, Contents, Kraft};
use crate::state::ids::{Endpoint, KraftVersion, OffsetAndEpoch, ReplicaKey, Voter, VoterSet};
use ottla_host::{Chance, Disk, WallClock};
use ottla_log::dir::meta::{META_PROPERTIES, MetaError, MetaProperties};
use ottla_messages::records::metadata::{FeatureLevelRecord, MetadataRecord};
use ottla_metadata::MetadataVersion;
use ottla_metadata::features::{KRAFT_VERSION, METADATA_VERSION};
use ottla_wire::ids::{BrokerId, Uuid};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub use features::FeatureError;

/// Bytes of `meta.properties` that are read.
const META_BYTES_MAX: u64 = 1 << 20;

/// Who votes in the new cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Quorum {
    /// The nodes of `controller.quorum.voters` (`kraft.version` 0).
    Static,
    /// This node alone to begin with (`--standalone`, `kraft.version` 1), reached under these controller listeners.
    Standalone(Vec<Endpoint>),
    /// The voters named by `--initial-controllers` (`kraft.version` 1).
    Initial(VoterSet),
    /// This node joins voters that exist (`--no-initial-controllers`), or is no controller.
    Joining,
}

/// What is to be formatted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `--cluster-id`.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: BrokerId,
    /// `log.dirs` and `metadata.log.dir`.
    pub log_dirs: Vec<PathBuf>,
    /// The one of them that gets the metadata log.
    pub metadata_dir: PathBuf,
    /// Whether the node is a controller: only then the first metadata is written.
    pub controller: bool,
    /// `--release-version`; the newest without.
    pub release: Option<String>,
    /// `--feature name=level`.
    pub features: BTreeMap<String, i16>,
    /// Who votes.
    pub quorum: Quorum,
    /// `--ignore-formatted`: formatted directories are left alone instead of refused.
    pub ignore_formatted: bool,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Directories formatted, with their ids.
    pub formatted: Vec<(PathBuf, Uuid)>,
    /// Directories that were formatted before.
    pub skipped: Vec<PathBuf>,
    /// `metadata.version` of the new cluster.
    pub release: MetadataVersion,
    /// All feature levels above 0.
    pub features: BTreeMap<String, i16>,
}

/// Why nothing, or not all, was formatted.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The node id is no node id.
    #[error("node.id {0} is not valid: it has to be 0 or more")]
    NodeId(BrokerId),
    /// No cluster id.
    #[error("a cluster id is needed; `ottla storage random-uuid` makes one")]
    ClusterId,
    /// No directories, or the metadata directory is none of them.
    #[error("{0} is not one of the log directories")]
    MetadataDir(PathBuf),
    /// A feature cannot be had.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// Formatted already.
    #[error("{0} is already formatted; --ignore-formatted leaves it as it is and formats the others")]
    AlreadyFormatted(PathBuf),
    /// It belongs to others.
    #[error("{path} belongs to cluster {cluster_id}, node {node_id}")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// By its `meta.properties`.
        cluster_id: String,
        /// By its `meta.properties`.
        node_id: i32,
    },
    /// Its `meta.properties` is damaged.
    #[error("{path}: {error}")]
    Meta {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        error: MetaError,
    },
    /// This node is not among the initial voters with a directory id.
    #[error("the initial controllers name node {0} without a directory id")]
    NoDirectoryId(BrokerId),
    /// The disk failed.
    #[error("{path}: {error}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The first metadata could not be written.
    #[error("{path}: {error}")]
    Write {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: snapshot::WriteError,
    },
}

/// A log directory as `ottla storage info` shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirInfo {
    /// The directory.
    pub path: PathBuf,
    /// What its `meta.properties` says; None if it is not formatted, an error if the file is damaged.
    pub meta: Result<Option<MetaProperties>, String>,
}

/// Looks at log directories.
#[must_use]
pub fn info(disk: &dyn Disk, dirs: &[PathBuf]) -> Vec<DirInfo> {
    let look = |path: &PathBuf| {
        let meta = read_meta(disk, path).map_err(|error| error.to_string());
        DirInfo { path: path.clone(), meta }
    };
    dirs.iter().map(look).collect()
}

/// An id for a cluster, directory or topic; never one that a command line would take for an option.
#[must_use]
pub fn random_uuid(chance: &dyn Chance) -> Uuid {
    loop {
        let mut bytes = [0; 16];
        chance.fill("uuid", &mut bytes);
        let id = Uuid::from_chance(bytes);
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// Formats the directories of a node. Each is complete on the device before its `meta.properties` says so, so that a
/// crash leaves it unformatted. Blocks.
pub fn format(disk: &dyn Disk, chance: &dyn Chance, now: WallClock, plan: &Plan) -> Result<Report, FormatError> {
    if plan.node_id.0 < 0 {
        return Err(FormatError::NodeId(plan.node_id));
    }
    if plan.cluster_id.is_empty() {
        return Err(FormatError::ClusterId);
    }
    if !plan.log_dirs.contains(&plan.metadata_dir) {
        return Err(FormatError::MetadataDir(plan.metadata_dir.clone()));
    }
    let (release, features) = features::levels(plan)?;
    let skipped = formatted_before(disk, plan)?;
    let mut dirs: Vec<&PathBuf> = plan.log_dirs.iter().filter(|dir| !skipped.contains(dir)).collect();
    dirs.sort();
    dirs.dedup();
    let mut formatted = Vec::new();
    for dir in dirs {
        let id = directory_id(chance, plan, dir)?;
        let first = FirstMetadata { release, features: &features, directory_id: id, now };
        format_one(disk, plan, dir, first)?;
        formatted.push((dir.clone(), id));
    }
    Ok(Report { formatted, skipped, release, features })
}

#[derive(Clone, Copy)]
struct FirstMetadata<'a> {
    release: MetadataVersion,
    features: &'a BTreeMap<String, i16>,
    directory_id: Uuid,
    now: WallClock,
}

fn read_meta(disk: &dyn Disk, dir: &Path) -> Result<Option<MetaProperties>, FormatError> {
    let bytes = disk.read(&dir.join(META_PROPERTIES), META_BYTES_MAX);
    let bytes = bytes.map_err(|error| FormatError::Io { path: dir.to_owned(), error })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let meta = MetaProperties::parse(&String::from_utf8_lossy(&bytes));
    meta.map(Some).map_err(|error| FormatError::Meta { path: dir.to_owned(), error })
}

fn formatted_before(disk: &dyn Disk, plan: &Plan) -> Result<Vec<PathBuf>, FormatError> {
    let mut found = Vec::new();
    for dir in &plan.log_dirs {
        let Some(meta) = read_meta(disk, dir)? else { continue };
        if !plan.ignore_formatted {
            return Err(FormatError::AlreadyFormatted(dir.clone()));
        }
        if meta.cluster_id != plan.cluster_id || meta.node_id != plan.node_id.0 {
            let MetaProperties { cluster_id, node_id, .. } = meta;
            return Err(FormatError::Foreign { path: dir.clone(), cluster_id, node_id });
        }
        found.push(dir.clone());
    }
    Ok(found)
}

/// A voter's metadata directory has the id by which the voter set knows it, others get one by chance.
fn directory_id(chance: &dyn Chance, plan: &Plan, dir: &Path) -> Result<Uuid, FormatError> {
    match &plan.quorum {
        Quorum::Initial(voters) if dir == plan.metadata_dir => match voters.get(plan.node_id) {
            Some(me) => me.key.directory.ok_or(FormatError::NoDirectoryId(plan.node_id)),
            None => Ok(random_uuid(chance)),
        },
        Quorum::Initial(_) | Quorum::Static | Quorum::Standalone(_) | Quorum::Joining => Ok(random_uuid(chance)),
    }
}

fn format_one(disk: &dyn Disk, plan: &Plan, dir: &Path, first: FirstMetadata<'_>) -> Result<(), FormatError> {
    let io = |error| FormatError::Io { path: dir.to_owned(), error };
    disk.create_dir_all(dir).map_err(io)?;
    let directory_id = Some(first.directory_id);
    if plan.controller && dir == plan.metadata_dir {
        write_first_metadata(disk, plan, dir, first)?;
    }
    let meta = MetaProperties { cluster_id: plan.cluster_id.clone(), node_id: plan.node_id.0, directory_id };
    disk.replace(&dir.join(META_PROPERTIES), meta.write().as_bytes(), true).map_err(io)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => disk.sync_dir(parent).map_err(io),
        Some(_) | None => disk.sync_dir(Path::new(".")).map_err(io),
    }
}

fn write_first_metadata(disk: &dyn Disk, plan: &Plan, dir: &Path, first: FirstMetadata<'_>) -> Result<(), FormatError> {
    let FirstMetadata { release, features, directory_id, now } = first;
    let kraft_version = KraftVersion(features.get(KRAFT_VERSION).copied().unwrap_or(0));
    let voters = match &plan.quorum {
        Quorum::Standalone(endpoints) => {
            let key = ReplicaKey::new(plan.node_id, directory_id);
            Some(VoterSet::new([Voter { key, endpoints: endpoints.clone(), kraft_versions: (0, 1) }]))
        }
        Quorum::Initial(voters) => Some(voters.clone()),
        Quorum::Static | Quorum::Joining => None,
    };
    let kraft = kraft_version.has_dynamic_voters().then_some(Kraft { version: kraft_version, voters });
    let records = first_records(release, features);
    let contents = Contents {
        id: OffsetAndEpoch::BOOTSTRAP,
        last_timestamp_ms: now.0,
        now_ms: now.0,
        kraft: kraft.as_ref(),
        records: &records,
    };
    let metadata = dir.join(format!("{METADATA_TOPIC}-0"));
    let written = snapshot::write(disk, &metadata, contents);
    written.map_err(|error| FormatError::Write { path: metadata.clone(), error })
}

/// `metadata.version` first, the other features by name; `kraft.version` lives in the control records.
fn first_records(release: MetadataVersion, features: &BTreeMap<String, i16>) -> Vec<VersionedRecord> {
    let others = features.iter().filter(|(name, _)| *name != METADATA_VERSION && *name != KRAFT_VERSION);
    let levels = std::iter::once((METADATA_VERSION, release.0)).chain(others.map(|(name, level)| (&**name, *level)));
    let record = |(name, level): (&str, i16)| {
        let record = FeatureLevelRecord { name: name.to_owned().into(), feature_level: level };
        VersionedRecord::new(MetadataRecord::FeatureLevel(record), 0)
    };
    levels.map(record).collect()
}

#[cfg(test)]
mod tests;
