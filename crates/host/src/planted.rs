//! Bugs that the simulation must catch. Each is a line of code that goes wrong only while a test has planted it.
//!
//! ```
//! use ottla_host::planted::{Bug, active, plant};
//!
//! assert!(!active(Bug::AckBeforeFlush));
//! let planted = plant(Bug::AckBeforeFlush);
//! assert!(active(Bug::AckBeforeFlush));
//! drop(planted);
//! assert!(!active(Bug::AckBeforeFlush));
//! ```

/// A mistake that somebody could make. Its site asks `active`; the suite must fail within 1,000 seeds while it is planted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Bug {
    /// Durable mode acknowledges what the journal does not hold yet.
    AckBeforeFlush,
    /// A truncation leaves the bytes in the segment.
    SkippedTruncate,
    /// A segment is rolled, or a log closed, without its producer snapshot.
    LostSnapshot,
    /// Two batches of one combined write change places.
    ReorderedAppend,
    /// The recovery point passes bytes that were not synced.
    EarlyRecoveryPoint,
    /// A new segment's directory entry is not synced.
    UnsyncedDirectory,
    /// The journal is recycled before the segments it covers are synced.
    EarlyRecycle,
    /// A batch of an idempotent producer is not compared with its last five.
    ForgottenDuplicate,
    /// Recovery believes the tail of a segment without checking it.
    TrustedTail,
    /// A failed sync counts as done.
    IgnoredSyncError,
    /// A write that took only a part counts as whole.
    IgnoredShortWrite,
    /// In durable mode the watermark passes what the journal does not hold yet.
    EarlyWatermark,
    /// A leader that was deposed goes on until the next decision about its partition.
    LateEpochFence,
    /// A coordinator answers before its records are committed.
    EarlyAnswer,
    /// A coordinator goes on with what it has decided and could not write.
    KeptState,
    /// The last record of a coordinator's log is not loaded.
    ShortLoad,
    /// Sessions do not begin anew once a coordinator is loaded.
    LostSessions,
    /// A member whose session has ended stays.
    DeafSession,
    /// A commit is taken from whoever sends it, in whatever generation or epoch.
    UncheckedCommit,
    /// A member is given a partition that another has not given up.
    EarlyTake,
}

/// All of them.
pub const ALL: [Bug; 20] = [
    Bug::AckBeforeFlush,
    Bug::SkippedTruncate,
    Bug::LostSnapshot,
    Bug::ReorderedAppend,
    Bug::EarlyRecoveryPoint,
    Bug::UnsyncedDirectory,
    Bug::EarlyRecycle,
    Bug::ForgottenDuplicate,
    Bug::TrustedTail,
    Bug::IgnoredSyncError,
    Bug::IgnoredShortWrite,
    Bug::EarlyWatermark,
    Bug::LateEpochFence,
    Bug::EarlyAnswer,
    Bug::KeptState,
    Bug::ShortLoad,
    Bug::LostSessions,
    Bug::DeafSession,
    Bug::UncheckedCommit,
    Bug::EarlyTake,
];

#[cfg(any(debug_assertions, feature = "planted"))]
mod planting {
    use super::Bug;
    use std::cell::Cell;
    use std::marker::PhantomData;

    thread_local! {
        /// The bug of this thread: a simulation runs in one.
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether `bug` is planted in this thread. Always false, at no cost, in a release build.
    #[must_use]
    pub fn active(bug: Bug) -> bool {
        PLANTED.with(Cell::get) == Some(bug)
    }

    /// Plants `bug` in this thread until the answer is dropped.
    #[must_use]
    pub fn plant(bug: Bug) -> Planted {
        PLANTED.with(|planted| planted.set(Some(bug)));
        Planted { _thread: PhantomData }
    }

    /// A bug that is planted as long as this lives, in the thread that holds it.
    #[derive(Debug)]
    pub struct Planted {
        _thread: PhantomData<*const ()>,
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            PLANTED.with(|planted| planted.set(None));
        }
    }
}

#[cfg(any(debug_assertions, feature = "planted"))]
pub use planting::{Planted, active, plant};

/// Whether `bug` is planted in this thread. Always false, at no cost, in a release build.
#[cfg(not(any(debug_assertions, feature = "planted")))]
#[must_use]
#[inline(always)]
pub const fn active(_bug: Bug) -> bool {
    false
}
