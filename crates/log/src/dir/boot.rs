//! `.ottla-boot`: our own note per directory of the boot that wrote to it and whether a sync has failed since.
//!
//! What was written in this boot lies at least in the page cache unless a sync failed: Linux may then call lost pages
//! clean. So after a kill -9 only tails are checked, and after a failed sync or a new boot all that was not synced is.

/// Name of the note in a log directory. A plain file, which Apache Kafka passes over.
pub const BOOT: &str = ".ottla-boot";

/// The note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Boot {
    /// Boot of the machine that last wrote to the directory.
    pub boot_id: String,
    /// Whether a sync failed in it.
    pub sync_failed: bool,
}

impl Boot {
    /// The note's text.
    #[must_use]
    pub fn write(&self) -> String {
        format!("version=1\nboot={}\nsync_failed={}\n", self.boot_id, self.sync_failed)
    }

    /// Reads the note; None for anything else than a whole one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Boot> {
        let mut lines = text.strip_suffix('\n')?.lines();
        (lines.next()? == "version=1").then_some(())?;
        let boot_id = lines.next()?.strip_prefix("boot=")?.to_owned();
        let sync_failed = lines.next()?.strip_prefix("sync_failed=")?.parse().ok()?;
        Some(Boot { boot_id, sync_failed })
    }
}

/// How the last use of a directory ended, which decides what is checked at opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastEnd {
    /// By a stop that flushed everything.
    Clean,
    /// By the process's death in this boot of the machine, all syncs having succeeded: only tails are checked.
    Killed,
    /// In another boot, or in a way that is not known: all from the recovery points on is checked.
    Lost,
    /// With a failed sync in this boot: as `Lost`, and what is checked is read from the device, not from memory.
    SyncFailed,
}

impl LastEnd {
    /// Decides by the marker, the note and the current boot.
    #[must_use]
    pub fn of(marker: bool, note: Option<&Boot>, boot_id: &str) -> LastEnd {
        // A machine that tells no id may have been started anew at any time.
        let same_boot = |note: &Boot| note.boot_id == boot_id && !boot_id.is_empty();
        match note {
            Some(note) if same_boot(note) && note.sync_failed => LastEnd::SyncFailed,
            Some(_) | None if marker => LastEnd::Clean,
            Some(note) if same_boot(note) => LastEnd::Killed,
            Some(_) | None => LastEnd::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Boot, LastEnd};

    #[test]
    fn the_note_round_trips_and_a_torn_one_is_none() {
        let note = Boot { boot_id: "b-1".to_owned(), sync_failed: true };
        assert_eq!(Boot::parse(&note.write()), Some(note));
        assert_eq!(Boot::parse("version=1\nboot=b-1\nsync_failed=tr"), None);
    }

    #[test]
    fn only_this_boot_without_failed_sync_is_trusted() {
        let note = |boot: &str, sync_failed| Boot { boot_id: boot.to_owned(), sync_failed };
        assert_eq!(LastEnd::of(false, Some(&note("a", false)), "a"), LastEnd::Killed);
        assert_eq!(LastEnd::of(false, Some(&note("b", false)), "a"), LastEnd::Lost);
        assert_eq!(LastEnd::of(true, Some(&note("b", true)), "a"), LastEnd::Clean);
        assert_eq!(LastEnd::of(true, Some(&note("a", true)), "a"), LastEnd::SyncFailed);
        assert_eq!(LastEnd::of(false, None, "a"), LastEnd::Lost);
        assert_eq!(LastEnd::of(false, Some(&note("", false)), ""), LastEnd::Lost);
    }
}
