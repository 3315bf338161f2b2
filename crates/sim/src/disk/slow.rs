//! Devices that do not answer for a while.

use ottla_host::Monotonic;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};

/// What does not answer.
enum Place {
    /// The device of a directory, for tasks and for the threads that work on it.
    Dir(PathBuf),
    /// Threads with this in their name.
    Lane(String),
}

/// Places that answer only from a moment on. Lock order: a leaf.
#[derive(Default)]
pub(crate) struct Stalls(Mutex<Vec<(Place, Monotonic)>>);

impl Stalls {
    pub(super) fn begin(&self, dir: &Path, until: Monotonic) {
        self.0.lock().push((Place::Dir(dir.to_owned()), until));
    }

    pub(super) fn begin_lane(&self, part: &str, until: Monotonic) {
        self.0.lock().push((Place::Lane(part.to_owned()), until));
    }

    /// When what lies at `path` answers; None when it does at once.
    pub(super) fn end_of(&self, path: &Path, now: Monotonic) -> Option<Monotonic> {
        self.latest(now, |place| match place {
            Place::Dir(dir) => path.starts_with(dir),
            Place::Lane(_) => false,
        })
    }

    /// When a lane goes on: it names the directory that it works on.
    pub(crate) fn end_of_lane(&self, lane: &str, now: Monotonic) -> Option<Monotonic> {
        self.latest(now, |place| match place {
            Place::Dir(dir) => dir.to_str().is_some_and(|dir| lane.contains(dir)),
            Place::Lane(part) => lane.contains(part),
        })
    }

    fn latest(&self, now: Monotonic, is_meant: impl Fn(&Place) -> bool) -> Option<Monotonic> {
        let stalls = self.0.lock();
        stalls.iter().filter(|(place, until)| *until > now && is_meant(place)).map(|(_, until)| *until).max()
    }
}
