//! The log directories of this broker: partitions are opened, made, reassigned and removed as the image says.
//!
//! Long work runs on the threads of the directory it touches. Only one change of the image is applied at a time, and none
//! before the logs of the start are open.

mod follow;
mod lanes;
mod open;
mod phase;
mod start;

use crate::partitions::{Registry, log_config};
use ottla_host::Host;
use ottla_log::dir::names::DirKind;
use ottla_log::{Doomed, LogConfig, LogDir, PartitionName};
use ottla_metadata::{BrokerConfig, Topic};
use ottla_wire::ids::BrokerId;
use parking_lot::Mutex;
pub(crate) use phase::Abandoned;
use phase::Opening;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// Topics that only brokers write to.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

fn is_internal(topic: &Topic) -> bool {
    INTERNAL.contains(&&*topic.name)
}

/// A log directory and how many partitions it holds.
struct Dir {
    dir: Arc<LogDir>,
    partitions: usize,
}

/// A log as the start has found it.
struct Found {
    /// Its directory, as an index of [`Storage::dirs`].
    at: usize,
    /// Name of its own directory there.
    dir_name: String,
    /// Whether the image has a place for it.
    is_wanted: bool,
}

/// The partitions of this broker on their disks.
pub(crate) struct Storage {
    host: Host,
    config: Arc<BrokerConfig>,
    registry: Arc<Registry>,
    /// Logs found at the start that are not open: of their offsets, only what the checkpoints of their directories said
    /// at the start is known. Lock order: a leaf, as the others here.
    found: Mutex<BTreeMap<PartitionName, Found>>,
    /// How far the start has come with them.
    opening: Opening,
    dirs: Mutex<Vec<Dir>>,
    /// Partitions whose logs could not be opened: they stay offline, and nothing is made in their place.
    broken: Mutex<BTreeSet<PartitionName>>,
    /// A log directory did not work at the start: what is not found may lie there.
    lacks_dirs: bool,
    /// Files and directories to be removed at their time.
    doomed: Mutex<Vec<(Arc<LogDir>, Doomed)>>,
    /// Settings that many topics share.
    default_config: Arc<LogConfig>,
}

impl Storage {
    /// Lists what the directories hold; nothing is opened. The flag says that there are others, which do not work.
    pub(crate) fn new(
        host: Host,
        config: Arc<BrokerConfig>,
        registry: Arc<Registry>,
        (dirs, lacks_dirs): (Vec<Arc<LogDir>>, bool),
    ) -> io::Result<Storage> {
        let mut found = BTreeMap::new();
        let mut doomed = Vec::new();
        for (at, dir) in dirs.iter().enumerate() {
            let (partitions, foreign) = dir.partitions()?;
            for name in foreign {
                tracing::warn!(dir = %dir.path().display(), name, "unknown directory in a log directory is left alone");
            }
            for partition in partitions {
                match partition.kind {
                    DirKind::Current if partition.name.topic.as_ref() == "__cluster_metadata" => {}
                    DirKind::Current => {
                        let log = Found { at, dir_name: partition.dir_name, is_wanted: false };
                        found.insert(partition.name, log);
                    }
                    DirKind::Delete => {
                        let paths = vec![dir.path().join(partition.dir_name)];
                        doomed.push((dir.clone(), Doomed { paths, due: host.clock.wall() }));
                    }
                    DirKind::Future | DirKind::Stray => {}
                }
            }
        }
        let default_config = log_config(&config.log, &config);
        Ok(Storage {
            host,
            registry,
            found: Mutex::new(found),
            opening: Opening::default(),
            broken: Mutex::default(),
            lacks_dirs,
            dirs: Mutex::new(dirs.into_iter().map(|dir| Dir { dir, partitions: 0 }).collect()),
            doomed: Mutex::new(doomed),
            default_config: Arc::new(default_config),
            config,
        })
    }

    /// The seams to the outside.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The partitions.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// This broker.
    pub(crate) fn node(&self) -> BrokerId {
        self.config.node_id
    }

    /// The log directories.
    pub(crate) fn dirs(&self) -> Vec<Arc<LogDir>> {
        self.dirs.lock().iter().map(|dir| dir.dir.clone()).collect()
    }

    /// Logs of a directory that were found at the start and are not open.
    pub(crate) fn unopened(&self, dir: &Arc<LogDir>) -> Vec<PartitionName> {
        let at = self.dirs.lock().iter().position(|entry| Arc::ptr_eq(&entry.dir, dir));
        let found = self.found.lock();
        let of_dir = found.iter().filter(|(_, log)| Some(log.at) == at);
        of_dir.map(|(name, _)| name.clone()).collect()
    }

    /// Keeps what is to be removed until its time.
    pub(crate) fn doom(&self, dir: &Arc<LogDir>, doomed: Doomed) {
        if !doomed.is_empty() {
            self.doomed.lock().push((dir.clone(), doomed));
        }
    }

    /// Takes what is due for removal.
    pub(crate) fn take_due(&self) -> Vec<(Arc<LogDir>, Doomed)> {
        let now = self.host.clock.wall();
        self.doomed.lock().extract_if(.., |(_, doomed)| doomed.due <= now).collect()
    }
}
