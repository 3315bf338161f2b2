//! What the node hears of its quorum, in order.

use crate::records::VersionedRecord;
use crate::state::event::Leadership;
use crate::state::ids::OffsetAndEpoch;
use ottla_wire::ids::{LeaderEpoch, Offset};
use tokio::sync::mpsc;

/// Items that may wait for the node to take them.
pub(super) const FEED_MAX: usize = 256;

/// Something committed, or said in order with what is committed.
#[derive(Clone, PartialEq, Debug)]
pub enum Committed {
    /// What the directory was formatted with. It is in no log yet: a leader whose image knows no `metadata.version`
    /// appends it first. Comes first, if at all.
    Bootstrap(Vec<VersionedRecord>),
    /// All metadata up to a place; replaces everything before.
    Snapshot {
        /// The place right behind it.
        id: OffsetAndEpoch,
        /// Timestamp of the last record it contains, in ms since 1970.
        last_timestamp_ms: i64,
        /// The metadata.
        records: Vec<VersionedRecord>,
    },
    /// A batch: all of it or nothing. Batches of control records come without records.
    Batch {
        /// Offset of the first record.
        base: Offset,
        /// Offset of the last record.
        last: Offset,
        /// Epoch it was written in.
        epoch: LeaderEpoch,
        /// When it was appended, in ms since 1970.
        timestamp_ms: i64,
        /// The records.
        records: Vec<VersionedRecord>,
    },
    /// Who leads. That this node does comes after all batches before its epoch.
    Leadership(Leadership),
    /// A snapshot is due: [`Quorum::write_snapshot`](super::Quorum::write_snapshot) with the records of the image as
    /// applied up to here. The next one falls due only when this one is written.
    SnapshotDue {
        /// The place right behind what was handed on so far.
        id: OffsetAndEpoch,
        /// Timestamp of the last batch, in ms since 1970.
        last_timestamp_ms: i64,
    },
}

/// The receiving end. While it is not emptied the quorum goes on, and what is committed waits in the log.
#[derive(Debug)]
pub struct Feed {
    pub(super) items: mpsc::Receiver<Committed>,
}

impl Feed {
    /// The next item; None when the quorum has ended and all is taken.
    pub async fn next(&mut self) -> Option<Committed> {
        self.items.recv().await
    }

    /// The next item if one is at hand.
    pub fn try_next(&mut self) -> Option<Committed> {
        self.items.try_recv().ok()
    }
}
