//! Syncs that acknowledgements wait for (`flush.messages`): one request syncs for all that wait.

use super::{Partition, Unavailable};
use crate::wait::Bell;
use ottla_wire::ids::Offset;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Partition {
    /// Waits until the batches before `offset` are on the device, if `flush.messages` wants them there by now. One
    /// request syncs, those that come meanwhile are served by the next sync together.
    pub async fn flush_as_configured(self: &Arc<Self>, offset: Offset) -> Result<(), Unavailable> {
        let limit = self.flush_messages.load(Ordering::SeqCst);
        if limit == i64::MAX || offset.0.saturating_sub(self.flushed.load(Ordering::SeqCst)) < limit {
            return Ok(());
        }
        let bell = Bell::new();
        let _ringing = self.ring_on_change(&bell);
        while self.flushed.load(Ordering::SeqCst) < offset.0 {
            if self.flushing.swap(true, Ordering::SeqCst) {
                bell.rung().await;
                continue;
            }
            let _turn = Flushing(self);
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), Unavailable> {
        let dir = self.view.log_dir();
        // The end is asked with the writer: batches are written as soon as it is free.
        let prepared = self.when_free(|log| log.flush(true).map(|flush| (flush, log.view().end()))).await;
        let flush = match prepared {
            Ok((Some(flush), _)) => flush,
            Ok((None, end)) => {
                self.flushed.fetch_max(end.0, Ordering::SeqCst);
                return Ok(());
            }
            Err(error) => {
                dir.fail_unless_full("prepare a sync", &error);
                return Err(Unavailable::Offline);
            }
        };
        let through = flush.through;
        dir.sync(&mut [flush]).await.map_err(|_| Unavailable::Offline)?;
        self.when_free(|log| log.flushed(through, self.clock.wall())).await;
        self.flushed.fetch_max(through.0, Ordering::SeqCst);
        Ok(())
    }
}

/// The turn of the one request that syncs; the others are told when it ends, however it ends.
struct Flushing<'a>(&'a Partition);

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.flushing.store(false, Ordering::SeqCst);
        self.0.waiting.ring();
    }
}
