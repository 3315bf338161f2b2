//! Opening the log directories of a start: one that fails is left out as long as another works, as Kafka does.

use super::StartError;
use ottla_host::Host;
use ottla_log::LogDir;
use ottla_log::dir::DirError;
use ottla_log::journal::SECTION_BYTES;
use ottla_metadata::BrokerConfig;
use std::path::Path;
use std::sync::Arc;

/// Files of logs kept open in all.
const FILES_MAX: usize = 4096;

/// The directories that work.
pub(super) struct Opened {
    /// Those of `log.dirs`, in its order.
    pub(super) dirs: Vec<Arc<LogDir>>,
    /// Whether one of `log.dirs` does not work.
    pub(super) has_failed: bool,
    /// The one with the metadata log. A node without it does not start.
    pub(super) metadata: Arc<LogDir>,
}

/// Opens every directory. A directory that another process uses, or whose `meta.properties` is wrong, stops the start;
/// so does the failure of all, and of the one with the metadata log.
pub(super) fn open(host: &Host, config: &BrokerConfig) -> Result<Opened, StartError> {
    let mut dirs = Vec::with_capacity(config.log_dirs.len());
    let mut last_failure = None;
    for path in &config.log_dirs {
        match open_one(host, config, path) {
            Ok(dir) => dirs.push(dir),
            Err(error @ DirError::Io { .. }) => {
                tracing::error!(dir = path, %error, "log directory offline: it cannot be used");
                last_failure = Some(error);
            }
            Err(error @ (DirError::Locked(_) | DirError::Meta { .. })) => return Err(error.into()),
        }
    }
    let has_failed = last_failure.is_some();
    if let Some(error) = last_failure.filter(|_| dirs.is_empty()) {
        return Err(error.into());
    }
    let wanted = Path::new(&config.metadata_log_dir);
    let metadata = match dirs.iter().find(|dir| dir.path() == wanted) {
        Some(dir) => dir.clone(),
        None => LogDir::open(host, wanted, FILES_MAX)?,
    };
    Ok(Opened { dirs, has_failed, metadata })
}

fn open_one(host: &Host, config: &BrokerConfig, path: &str) -> Result<Arc<LogDir>, DirError> {
    let dir = LogDir::open(host, Path::new(path), FILES_MAX / config.log_dirs.len().max(1))?;
    if config.durable_acks {
        let io = |error| DirError::Io { path: dir.path().to_owned(), error };
        dir.start_journal(SECTION_BYTES).map_err(io)?;
    }
    Ok(dir)
}
