//! Patterns of subscriptions: when they are looked up, and what follows once they have been.

use super::heartbeat::Turn;
use super::{Asked, Out, World};
use crate::group::consumer::patterns;
use crate::group::consumer::request::{Answer, Looked, Soft};
use crate::group::consumer::state::{Resolved, change_subscribers, metadata_hash};
use crate::group::{Change, Fault};
use ottla_host::Monotonic;
use std::sync::Arc;
use std::time::Duration;

/// Patterns are looked up at most every 10 s, whatever changes.
const REFRESH_MIN_MS: i64 = 10_000;
/// A look-up that has not come back by then is not waited for.
const LOOKUP_MAX: Duration = Duration::from_secs(30);

/// What became of the pattern that a member subscribes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pattern {
    /// It is the same.
    Same,
    /// It is another one, whose topics are not known yet.
    Changed,
    /// It is another one, whose topics are known, or none.
    ChangedAndResolved,
}

impl Turn<'_> {
    /// What became of the member's pattern, and which patterns have to be looked up.
    pub(super) fn follow_pattern(&self, out: &mut Out) -> Result<(Pattern, Vec<Arc<str>>), Fault> {
        let (pattern, is_new) = self.change_pattern(out)?;
        if !is_new && self.group.patterns.is_empty() {
            return Ok((pattern, Vec::new()));
        }
        let now = self.world.now;
        let last = self.group.resolved.values().next();
        // A look-up of a time to come was before the clock was set back: nobody knows how long ago.
        let age_ms = last.map(|last| now.wall.0.saturating_sub(last.timestamp)).filter(|age_ms| *age_ms >= 0);
        let is_soon = age_ms.is_some_and(|age_ms| age_ms <= REFRESH_MIN_MS);
        if self.group.resolving > now.monotonic || is_soon {
            return Ok((pattern, Vec::new()));
        }
        let patterns = self.patterns();
        let refresh_ms = i64::try_from(self.world.settings.consumer.regex_refresh.as_millis()).unwrap_or(i64::MAX);
        // The client whose look-up it was may have gone before it was told.
        let is_lost = self.group.resolving > Monotonic(0);
        let is_due = is_new
            || is_lost
            || patterns.len() != self.group.resolved.len()
            || self.group.is_dated
            || last.is_some() && age_ms.is_none_or(|age_ms| age_ms > refresh_ms);
        if !is_due || patterns.is_empty() {
            return Ok((pattern, Vec::new()));
        }
        out.note(Soft::Resolving(now.monotonic + LOOKUP_MAX));
        Ok((pattern, patterns.into_keys().collect()))
    }

    /// Whether the pattern is another one, and whether no member had it before.
    pub(super) fn change_pattern(&self, out: &mut Out) -> Result<(Pattern, bool), Fault> {
        let (before, after) = (self.before.pattern(), self.after.pattern());
        if before == after {
            return Ok((Pattern::Same, false));
        }
        if let Some(before) = before.filter(|before| self.group.subscribers_of(before) == 1) {
            out.writer.no_pattern(before);
        }
        match after {
            None => Ok((Pattern::ChangedAndResolved, false)),
            Some(after) if self.group.subscribers_of(after) == 0 => {
                patterns::check(after)?;
                Ok((Pattern::Changed, true))
            }
            Some(after) if self.group.resolved.contains_key(after) => Ok((Pattern::ChangedAndResolved, false)),
            Some(_) => Ok((Pattern::Changed, false)),
        }
    }
}

/// Stores what was found, for the patterns that members still subscribe by.
pub(super) fn resolved(world: World<'_>, asked: Asked<'_>, looked: &Looked) -> Result<(Vec<Change>, Answer), Fault> {
    let mut out = Out::new(Arc::clone(&looked.group));
    let done = Answer::Heartbeat(Box::default());
    let Asked::Consumer(group) = asked else { return Ok((Vec::new(), done)) };
    let mut topics = group.topics.clone();
    let mut bumps = false;
    for (pattern, found) in looked.topics.iter().filter(|(pattern, _)| group.subscribers_of(pattern) > 0) {
        let before = group.resolved.get(pattern).map(|before| &before.topics);
        if before.map_or(!found.is_empty(), |before| before != found) {
            bumps = true;
            for topic in before.into_iter().flatten() {
                change_subscribers(&mut topics, topic, |count| {
                    count.by_pattern = count.by_pattern.saturating_sub(1);
                });
            }
            for topic in found {
                topics.entry(Arc::clone(topic)).or_default().by_pattern += 1;
            }
        }
        let resolved = Resolved { topics: found.clone(), version: looked.version, timestamp: looked.timestamp };
        out.writer.pattern(pattern, &resolved);
    }
    let hash = metadata_hash(topics.keys(), world.image);
    if bumps || hash != group.metadata_hash {
        out.writer.epoch(group.epoch + 1, hash);
        out.note(Soft::LookedAt(group.epoch + 1));
    }
    out.note(Soft::Resolved);
    Ok((out.writer.changes, done))
}
