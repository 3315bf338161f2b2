//! The transaction index: aborted transactions of a segment, 34 bytes each.

use super::{Segment, UNKNOWN};
use crate::dir::names::FileKind;
use crate::home::Home;
use ottla_host::disk::{Open, read_exact_at, write_all_at};
use ottla_wire::ids::{Offset, ProducerId};
use std::io;
use std::sync::atomic::Ordering;

/// Bytes of an entry.
const SIZE: usize = 34;
/// Largest transaction index that is read: 2 million aborts in one segment.
const BYTES_MAX: u64 = 64 << 20;

/// A transaction that was aborted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Its producer.
    pub producer_id: ProducerId,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of the abort marker.
    pub last_offset: Offset,
    /// Last stable offset when the marker was written.
    pub last_stable_offset: Offset,
}

impl AbortedTransaction {
    fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let fields = [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0];
        for (field, chunk) in fields.iter().zip(bytes[2..].chunks_exact_mut(8)) {
            chunk.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> AbortedTransaction {
        let field = |at: usize| {
            let bytes = bytes[2 + 8 * at..].first_chunk::<8>();
            i64::from_be_bytes(*bytes.expect("an entry is read from as many bytes as it has"))
        };
        AbortedTransaction {
            producer_id: ProducerId(field(0)),
            first_offset: Offset(field(1)),
            last_offset: Offset(field(2)),
            last_stable_offset: Offset(field(3)),
        }
    }
}

impl Segment {
    /// Entries of the transaction index.
    fn aborted_count(&self, home: &Home) -> io::Result<u32> {
        let known = self.aborted.load(Ordering::Acquire);
        if known != UNKNOWN {
            return Ok(known);
        }
        let len =
            home.disk().stat(&home.file_path(self.base(), FileKind::TransactionIndex))?.map_or(0, |stat| stat.len);
        let count = (len.min(BYTES_MAX) / SIZE as u64) as u32;
        self.aborted.store(count, Ordering::Release);
        Ok(count)
    }

    /// Whether the transaction index has entries.
    pub(crate) fn has_aborted(&self, home: &Home) -> io::Result<bool> {
        Ok(self.aborted_count(home)? > 0)
    }

    /// Appends an aborted transaction. Called by the writer when the marker has been written.
    pub(crate) fn add_aborted(&self, home: &Home, entry: AbortedTransaction) -> io::Result<()> {
        let count = self.aborted_count(home)?;
        let file = home.disk().open(&home.file_path(self.base(), FileKind::TransactionIndex), Open::Create)?;
        write_all_at(&*file, &entry.to_bytes(), u64::from(count) * SIZE as u64)?;
        self.aborted.store(count + 1, Ordering::Release);
        Ok(())
    }

    /// All aborted transactions of the segment, in the order of their markers.
    pub(crate) fn all_aborted(&self, home: &Home) -> io::Result<Vec<AbortedTransaction>> {
        let count = self.aborted_count(home)? as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        let file = home.disk().open(&home.file_path(self.base(), FileKind::TransactionIndex), Open::Read)?;
        let mut bytes = vec![0; count * SIZE];
        read_exact_at(&*file, &mut bytes, 0)?;
        Ok(bytes.chunks_exact(SIZE).map(AbortedTransaction::from_bytes).collect())
    }

    /// Drops the entries whose marker lies at or behind `end`.
    pub(crate) fn truncate_aborted(&self, home: &Home, end: i64) -> io::Result<()> {
        let all = self.all_aborted(home)?;
        let kept = all.iter().take_while(|entry| entry.last_offset.0 < end).count();
        if kept < all.len() {
            let file = home.disk().open(&home.file_path(self.base(), FileKind::TransactionIndex), Open::Write)?;
            file.set_len((kept * SIZE) as u64)?;
            // At once: one without entries is not synced again.
            file.sync()?;
            self.aborted.store(kept as u32, Ordering::Release);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::AbortedTransaction;
    use ottla_wire::ids::{Offset, ProducerId};

    #[test]
    fn an_entry_is_version_0_and_four_numbers() {
        let entry = AbortedTransaction {
            producer_id: ProducerId(1),
            first_offset: Offset(2),
            last_offset: Offset(3),
            last_stable_offset: Offset(4),
        };
        let bytes = entry.to_bytes();
        assert_eq!(&bytes[..10], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(AbortedTransaction::from_bytes(&bytes), entry);
    }
}
