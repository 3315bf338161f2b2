//! What the tasks look at: the partitions of each log directory.

use crate::storage::Storage;
use ottla_log::{LogDir, PartitionName};
use ottla_replica::Partition;
use std::sync::Arc;

/// A log directory that works, and what it holds.
pub(super) struct InDir {
    pub(super) dir: Arc<LogDir>,
    /// Partitions whose logs are open.
    pub(super) partitions: Vec<Arc<Partition>>,
    /// Logs of the directory that are not open. One that is being opened meanwhile may be among both.
    pub(super) unopened: Vec<PartitionName>,
}

/// The log directories that work.
pub(super) fn by_dir(storage: &Storage) -> Vec<InDir> {
    // The logs that are not open come first: one that is opened between the two looks is seen twice, never not at all.
    let facts =
        storage.dirs().into_iter().map(|dir| InDir { unopened: storage.unopened(&dir), partitions: Vec::new(), dir });
    let mut dirs: Vec<InDir> = facts.collect();
    storage.registry().each(|_, partition| {
        let own = partition.view().log_dir();
        if let Some(of_dir) = dirs.iter_mut().find(|of_dir| Arc::ptr_eq(&of_dir.dir, own)) {
            of_dir.partitions.push(partition.clone());
        }
    });
    dirs.retain(|of_dir| !of_dir.dir.is_offline());
    dirs
}
