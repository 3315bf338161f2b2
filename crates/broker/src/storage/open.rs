//! Opening one log, and setting one aside that no partition of the cluster owns.

use crate::partitions::Hosted;
use ottla_host::Host;
use ottla_log::dir::names::DirKind;
use ottla_log::log::Opening;
use ottla_log::{Log, LogConfig, LogDir, PartitionName};
use ottla_replica::state::Assignment;
use ottla_wire::ids::PartitionIndex;
use std::io;
use std::sync::Arc;

/// What is known of a partition's log before it is opened or made.
pub(crate) struct Pending {
    /// The topic, with an empty slot for the partition.
    pub(super) hosted: Arc<Hosted>,
    pub(super) index: PartitionIndex,
    /// The directory of an existing log.
    pub(super) dir_name: Option<String>,
    pub(super) config: Arc<LogConfig>,
    pub(super) assignment: Assignment,
}

impl Pending {
    pub(super) fn name(&self) -> PartitionName {
        PartitionName::new(&self.hosted.name, self.index)
    }
}

pub(super) fn open_log(dir: &Arc<LogDir>, pending: &Pending, host: &Host) -> Result<Log, String> {
    let (name, topic_id, now) = (pending.name(), pending.hosted.id, host.clock.wall());
    let Some(dir_name) = &pending.dir_name else {
        let made = Log::create(dir, &name, Some(topic_id), pending.config.clone(), now);
        return made.map_err(|error| {
            dir.fail_unless_full("make the directory of a partition", &error);
            error.to_string()
        });
    };
    let opening = Opening::of(dir, &name);
    let opened = Log::open(dir, (&name, dir_name), opening, pending.config.clone(), now);
    let mut log = opened.map_err(|error| error.to_string())?;
    match log.topic_id() {
        // A topic of the same name that is gone.
        Some(id) if id != topic_id => {
            drop(log);
            set_aside(host, dir, &name, dir_name).map_err(|error| error.to_string())?;
            let made = Log::create(dir, &name, Some(topic_id), pending.config.clone(), now);
            made.map_err(|error| error.to_string())
        }
        Some(_) => Ok(log),
        None => log.assign_topic_id(topic_id).map(|()| log).map_err(|error| error.to_string()),
    }
}

/// Renames the directory of a log that no partition of the cluster owns, as Kafka does; nothing is deleted.
pub(super) fn set_aside(host: &Host, dir: &LogDir, name: &PartitionName, dir_name: &str) -> io::Result<()> {
    let to = name.dir_name(DirKind::Stray, &unique(host));
    tracing::warn!(partition = %name, dir = %dir.path().display(), to, "a log that the cluster does not know is set aside");
    host.disk.rename(&dir.path().join(dir_name), &dir.path().join(to))
}

/// 32 hexadecimal digits that no other directory has.
pub(super) fn unique(host: &Host) -> String {
    let mut bytes = [0; 16];
    host.chance.fill("directory name", &mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
