//! Files and directories that wait for their removal.

use ottla_host::{Disk, WallClock};
use std::io;
use std::path::PathBuf;

/// What is to be removed at a time (`file.delete.delay.ms` later, so that readers come to an end).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Doomed {
    /// Files and directories.
    pub paths: Vec<PathBuf>,
    /// When they may go.
    pub due: WallClock,
}

impl Doomed {
    /// Removes everything; what is gone already is fine. May be long: on the directory's thread.
    pub fn remove(&self, disk: &dyn Disk) -> io::Result<()> {
        for path in &self.paths {
            match disk.stat(path)? {
                Some(stat) if stat.is_dir => disk.remove_dir_all(path)?,
                Some(_) => disk.remove_file(path)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Whether there is anything to remove.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}
