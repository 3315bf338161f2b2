//! Which segments are no longer to be kept: facts in, offsets out.

use super::Log;
use crate::config::LogConfig;
use crate::dir::Doomed;
use ottla_host::WallClock;
use ottla_wire::ids::Offset;
use std::io;

/// What retention has to know of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentFacts {
    /// First offset.
    pub base: Offset,
    /// Offset after the last: the base of the next segment, or the end of the log.
    pub end: Offset,
    /// Bytes.
    pub size: u64,
    /// Largest timestamp of a record; of a segment without any, when its file last changed. Ms since 1970.
    pub largest_timestamp: i64,
}

/// Why segments go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DeleteReason {
    /// They lie before the log start (DeleteRecords).
    BeforeLogStart,
    /// `retention.bytes`.
    Size,
    /// `retention.ms`.
    Time,
}

/// Segments that go: the first `count`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeletePlan {
    /// How many, the oldest first.
    pub count: usize,
    /// Why, with the number of segments for each.
    pub reasons: Vec<(DeleteReason, usize)>,
}

/// Decides which of `segments`, oldest first, go. Those that reach beyond the high watermark stay, and so does an empty
/// last one.
#[must_use]
pub fn plan(
    segments: &[SegmentFacts],
    config: &LogConfig,
    log_start: Offset,
    high_watermark: Offset,
    now: WallClock,
) -> DeletePlan {
    let last = segments.len().saturating_sub(1);
    let may_go = |at: usize| segments[at].end <= high_watermark && (at < last || segments[at].size > 0);
    let mut excess = match config.retention_bytes {
        limit if limit >= 0 && config.delete => {
            segments.iter().map(|segment| segment.size).sum::<u64>().saturating_sub(limit as u64)
        }
        _ => 0,
    };
    let mut plan = DeletePlan::default();
    let note = |reason, plan: &mut DeletePlan| match plan.reasons.last_mut() {
        Some((known, count)) if *known == reason => *count += 1,
        Some(_) | None => plan.reasons.push((reason, 1)),
    };
    for (at, segment) in segments.iter().enumerate().take_while(|(at, _)| may_go(*at)) {
        let expired = now.0.saturating_sub(segment.largest_timestamp) > config.retention_ms;
        let reason = if at < last && segment.end <= log_start {
            DeleteReason::BeforeLogStart
        } else if excess >= segment.size && excess > 0 {
            DeleteReason::Size
        } else if config.delete && config.retention_ms >= 0 && expired {
            DeleteReason::Time
        } else {
            break;
        };
        excess = excess.saturating_sub(segment.size);
        note(reason, &mut plan);
        plan.count = at + 1;
    }
    plan
}

impl Log {
    /// What retention has to know of the segments, oldest first.
    pub fn segment_facts(&self) -> io::Result<Vec<SegmentFacts>> {
        let segments = self.view.segments();
        let ends = segments.iter().skip(1).map(|next| next.base()).chain([self.end()]);
        segments
            .iter()
            .zip(ends)
            .map(|(segment, end)| {
                let largest = segment.max_timestamp(self.home())?;
                let largest_timestamp = if largest >= 0 { largest } else { self.modified(segment.base())? };
                Ok(SegmentFacts {
                    base: Offset(segment.base()),
                    end: Offset(end),
                    size: segment.size(),
                    largest_timestamp,
                })
            })
            .collect()
    }

    fn modified(&self, base: i64) -> io::Result<i64> {
        let path = self.home().file_path(base, crate::dir::names::FileKind::Log);
        Ok(self.home().disk().stat(&path)?.map_or(i64::MAX, |stat| stat.modified_ms))
    }

    /// Carries a plan out: the segments are no longer read, and what is returned is to be removed when it is due. A plan
    /// for the active segment closes it first.
    pub fn apply_retention(&mut self, plan: &DeletePlan, now: WallClock) -> io::Result<Doomed> {
        if plan.count == 0 || self.is_removed {
            return Ok(Doomed::default());
        }
        if plan.count >= self.view.segment_count() {
            self.roll(now)?;
            // The new segment's file keeps the log start when the older ones are gone.
            if let Some(active) = &self.active {
                active.segment.create_log_file(self.home())?;
            }
        }
        let count = plan.count.min(self.view.segment_count().saturating_sub(1));
        for (reason, count) in &plan.reasons {
            tracing::info!(partition = %self.view.name(), count, ?reason, "segments deleted");
        }
        self.drop_segments(count, now)
    }
}
