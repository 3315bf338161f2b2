//! Offsets among the groups of a partition.

use super::{Group, Groups};
use crate::group::offsets::{self, Command, Commit};
use crate::group::timers::Timer;
use crate::group::{Answer, Change, Fault, classic};
use crate::machine::{Decision, Now, Origin, Ticket};
use ottla_host::Monotonic;
use ottla_messages::records::group::{OffsetCommitKey, OffsetCommitValue};
use std::sync::Arc;
use std::time::Duration;

/// The topic that the machine's own records live in: without it the image tells nothing about the others.
const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Time from a change of the cluster to a look at which topics are gone, so that a burst of changes is one look.
const TOPICS_AFTER: Duration = Duration::from_millis(100);
/// Most groups that one look for old offsets takes, and most offsets that it takes back.
const LOOK_MAX: (usize, usize) = (1000, 1000);
/// Time from one look to the one that goes on behind it, in which others have their turn.
const LOOK_PAUSE: Duration = Duration::from_millis(1);

impl Groups {
    /// OffsetCommit, OffsetFetch, OffsetDelete.
    pub(super) fn decide_offsets(&self, command: &Command, ticket: Ticket, now: Now) -> Decision<Groups> {
        let group = self.groups.get(command.group());
        let decided = match command {
            Command::Commit(commit) => {
                offsets::commit(&self.settings, group, commit, now).map(|(mut changes, answer)| {
                    changes.extend(self.heard_of(commit, now));
                    (changes, answer)
                })
            }
            Command::Fetch(fetch) => {
                offsets::fetch(&self.image, &self.offsets, group, fetch).map(|answer| (Vec::new(), answer))
            }
            Command::Delete(delete) => offsets::delete(&self.offsets, group, delete),
        };
        let (changes, answer) = match decided {
            Ok((changes, answer)) => (changes, Ok(Answer::Offsets(answer))),
            Err(fault) => (Vec::new(), Err(fault)),
        };
        Decision { changes, answers: vec![(ticket, answer)] }
    }

    /// A classic member that commits is alive.
    fn heard_of(&self, commit: &Commit, now: Now) -> Option<Change> {
        let group = self.classic(&commit.group)?;
        let (timer, deadline) = classic::session(self.scope(&commit.group, now), group, &commit.who.member_id)?;
        Some(Change::Timer(Timer::Classic(commit.group.clone(), timer), Some(deadline)))
    }

    /// What follows for the offsets of a group that ends: they end with it.
    pub(super) fn end_offsets(&self, group: &str) -> Vec<Change> {
        offsets::tombstones(&self.offsets, group)
    }

    /// Looks for offsets that are too old, from the group `from` on, and for groups that nothing is left of.
    pub(super) fn offsets_due(&self, from: Option<Arc<str>>, now: Now) -> Decision<Groups> {
        let mut changes = vec![Change::Timer(Timer::Offsets(from.clone()), None)];
        let mut next = None;
        let (groups_max, offsets_max) = LOOK_MAX;
        let first: Arc<str> = from.unwrap_or_default();
        for (at, (id, group)) in self.groups.range(first..).enumerate() {
            if at == groups_max || changes.len() > offsets_max {
                next = Some(id.clone());
                break;
            }
            let expired = offsets::expire(&self.settings.offsets, &self.offsets, (id, group), now.wall);
            changes.extend(expired.changes);
            if expired.is_all && group.is_empty() {
                changes.extend(self.end(id, group));
            }
        }
        let again = if next.is_some() { LOOK_PAUSE } else { self.settings.offsets.check_interval };
        changes.push(Change::Timer(Timer::Offsets(next), Some(now.monotonic + again)));
        Decision { changes, answers: Vec::new() }
    }

    /// Takes back offsets of topics that are gone.
    pub(super) fn topics_due(&self) -> Decision<Groups> {
        let mut changes = vec![Change::Timer(Timer::Topics, None)];
        if self.image.topic(OFFSETS_TOPIC).is_some() {
            changes.extend(offsets::outdated(&self.offsets, &self.image));
        }
        Decision { changes, answers: Vec::new() }
    }

    /// Looks at the topics soon, unless that is planned already.
    pub(super) fn plan_topics(&self, now: Now) -> Option<Change> {
        let deadline = now.monotonic + TOPICS_AFTER;
        (!self.timers.is_set(&Timer::Topics)).then_some(Change::Timer(Timer::Topics, Some(deadline)))
    }

    /// The looks begin.
    pub(super) fn begin_offsets(&self, now: Now) -> Vec<Change> {
        let first: Monotonic = now.monotonic + self.settings.offsets.check_interval;
        vec![Change::Timer(Timer::Offsets(None), Some(first))]
    }

    /// A record about an offset. One that commits for a group that is not there makes one that has offsets only.
    pub(super) fn replay_offset(
        &mut self,
        key: &OffsetCommitKey<'_>,
        value: Option<&OffsetCommitValue<'_>>,
        origin: Origin,
    ) {
        let id: Arc<str> = match self.groups.get_key_value(&*key.group) {
            Some((id, _)) => id.clone(),
            None => {
                let id: Arc<str> = key.group.as_ref().into();
                if value.is_some() {
                    self.groups.insert(id.clone(), Group::default());
                }
                id
            }
        };
        self.offsets.replay(&id, key, value, origin);
    }

    /// What follows when a group without members ends: its records are taken back, not its offsets.
    pub(super) fn end(&self, id: &Arc<str>, group: &Group) -> Vec<Change> {
        match group {
            Group::Classic(group) => self.classic_outcome(id, classic::end(id, group)).changes,
            Group::Consumer(group) => group.end(id),
        }
    }

    /// Ends a group that has no members, and its offsets.
    pub(super) fn delete(&self, id: &Arc<str>, ticket: Ticket) -> Decision<Groups> {
        let answer = match self.groups.get(id) {
            None => Err(Fault::GroupNotFound(id.clone())),
            Some(group) if !group.is_empty() => Err(Fault::NonEmptyGroup(id.clone())),
            Some(group) => {
                let mut changes = self.end_offsets(id);
                changes.extend(self.end(id, group));
                return Decision { changes, answers: vec![(ticket, Ok(Answer::Done))] };
            }
        };
        Decision::answer(ticket, answer)
    }
}
