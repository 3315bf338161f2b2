use crate::log::{LogError, MetadataLog};
use crate::state::ids::OffsetAndEpoch;
use ottla_host::{BoxFuture, WallClock};
use ottla_wire::batch::{BatchHeader, Batches};
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Kept {
    start: i64,
    end: i64,
    epochs: Vec<(LeaderEpoch, Offset)>,
    bytes: Vec<u8>,
    writes: u32,
    flushes: u32,
    fail: bool,
}

/// What survives the log object.
#[derive(Clone, Default)]
pub(super) struct Shelf(Arc<Mutex<Kept>>);

impl Shelf {
    pub(super) fn counts(&self) -> (u32, u32) {
        let kept = self.0.lock().unwrap();
        (kept.writes, kept.flushes)
    }

    pub(super) fn fail_flushes(&self) {
        self.0.lock().unwrap().fail = true;
    }
}

pub(super) struct MemoryLog(Arc<Mutex<Kept>>);

impl MemoryLog {
    pub(super) fn open(shelf: &Shelf) -> MemoryLog {
        MemoryLog(Arc::clone(&shelf.0))
    }
}

impl MetadataLog for MemoryLog {
    fn start(&self) -> Offset {
        Offset(self.0.lock().unwrap().start)
    }

    fn end(&self) -> Offset {
        Offset(self.0.lock().unwrap().end)
    }

    fn epochs(&self) -> Vec<(LeaderEpoch, Offset)> {
        self.0.lock().unwrap().epochs.clone()
    }

    fn size(&self) -> u64 {
        self.0.lock().unwrap().bytes.len() as u64
    }

    fn begin_epoch(&mut self, epoch: LeaderEpoch) {
        let mut kept = self.0.lock().unwrap();
        let end = Offset(kept.end);
        kept.epochs.push((epoch, end));
    }

    fn append(&mut self, epoch: LeaderEpoch, _: WallClock, batches: &[Vec<u8>]) -> Result<Offset, LogError> {
        let mut kept = self.0.lock().unwrap();
        kept.writes += 1;
        for batch in batches {
            let header = BatchHeader::read(batch).unwrap();
            assert_eq!((header.base_offset(), header.leader_epoch()), (Offset(kept.end), epoch));
            kept.end = header.next_offset().0;
            kept.bytes.extend_from_slice(batch);
        }
        Ok(Offset(kept.end))
    }

    fn read(&self, from: Offset, max_bytes: u32) -> Result<Vec<u8>, LogError> {
        let kept = self.0.lock().unwrap();
        let mut found = Vec::new();
        for batch in Batches::new(&kept.bytes) {
            let (header, bytes) = batch.unwrap();
            if header.last_offset() >= from && (found.is_empty() || found.len() + bytes.len() <= max_bytes as usize) {
                found.extend_from_slice(bytes);
            }
        }
        Ok(found)
    }

    fn flush(&mut self) -> BoxFuture<'static, Result<Offset, LogError>> {
        let mut kept = self.0.lock().unwrap();
        kept.flushes += 1;
        let outcome = if kept.fail { Err(LogError::Failed("no device".to_owned())) } else { Ok(Offset(kept.end)) };
        Box::pin(async move { outcome })
    }

    fn flushed(&mut self, _: Offset) {}

    fn clean_to(&mut self, start: Offset) -> Result<Offset, LogError> {
        self.0.lock().unwrap().start = start.0;
        Ok(start)
    }

    fn restart_at(&mut self, snapshot: OffsetAndEpoch) -> Result<(), LogError> {
        let mut kept = self.0.lock().unwrap();
        kept.bytes.clear();
        kept.epochs.clear();
        (kept.start, kept.end) = (snapshot.offset.0, snapshot.offset.0);
        Ok(())
    }

    fn close(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}
