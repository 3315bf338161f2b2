//! A KIP-848 group as its records say, and what this leader alone remembers of it.

pub(super) mod member;
pub(super) mod partitions;
mod record;
mod replay;
mod topics;

pub use member::ClassicMember;
pub(super) use member::{JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH};
pub use member::{Member, MemberState};
pub use partitions::{Owned, Partitions};
pub(super) use record::Writer;
pub use replay::{Standing, group_of};
pub(super) use topics::metadata_hash;

use super::Soft;
use crate::group::Change;
use ottla_host::Monotonic;
use ottla_wire::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who subscribes to a topic. Not both are zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Subscribers {
    /// Members that name it.
    pub by_name: usize,
    /// Patterns that match it.
    pub by_pattern: usize,
}

/// The topics that a pattern matches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Resolved {
    /// Their names.
    pub topics: BTreeSet<Arc<str>>,
    /// Version of the cluster's metadata that was looked through.
    pub version: i64,
    /// When, in milliseconds since the epoch.
    pub timestamp: i64,
}

/// How a member keeps in touch; known to this leader alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Session {
    /// When its session ends.
    pub ends: Monotonic,
    /// When the timer of its session rings, at the latest when it ends.
    pub rings: Monotonic,
    /// When a classic member has to have joined.
    pub joins: Option<Monotonic>,
}

/// A KIP-848 group. Its counts agree with its members and patterns; `check` says so.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerGroup {
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    pub(super) members: BTreeMap<Arc<str>, Arc<Member>>,
    /// Member id by instance id.
    pub(super) statics: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) target: BTreeMap<Arc<str>, Arc<Partitions>>,
    /// -1 once taken back.
    pub(super) target_epoch: i32,
    /// Milliseconds since the epoch; 0 for none.
    pub(super) target_at: i64,
    pub(super) topics: BTreeMap<Arc<str>, Subscribers>,
    /// Number of members that subscribe by each pattern.
    pub(super) patterns: BTreeMap<Arc<str>, usize>,
    pub(super) resolved: BTreeMap<Arc<str>, Resolved>,
    /// Number of members that prefer each assignor.
    assignors: BTreeMap<Arc<str>, usize>,
    pub(super) classic_members: usize,
    /// Number of classic members that have each protocol.
    pub(super) classic_protocols: BTreeMap<Arc<str>, usize>,
    /// Epoch of the member that has, or may still have, each partition.
    held: BTreeMap<Uuid, BTreeMap<i32, i32>>,
    /// Whether the log holds a record of topics as older releases wrote them.
    pub(super) has_topics_record: bool,
    /// Epoch in which the topics were last looked at; None when they have changed since.
    pub(super) looked_at: Option<i32>,
    /// Whether topics may have come since the patterns were resolved.
    pub(super) is_dated: bool,
    /// Until when the patterns are being resolved.
    pub(super) resolving: Monotonic,
    pub(super) sessions: BTreeMap<Arc<str>, Session>,
}

impl Default for ConsumerGroup {
    fn default() -> ConsumerGroup {
        ConsumerGroup {
            epoch: 1,
            metadata_hash: 0,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            target: BTreeMap::new(),
            target_epoch: 1,
            target_at: 0,
            topics: BTreeMap::new(),
            patterns: BTreeMap::new(),
            resolved: BTreeMap::new(),
            assignors: BTreeMap::new(),
            classic_members: 0,
            classic_protocols: BTreeMap::new(),
            held: BTreeMap::new(),
            has_topics_record: false,
            looked_at: None,
            is_dated: true,
            resolving: Monotonic(0),
            sessions: BTreeMap::new(),
        }
    }
}

impl ConsumerGroup {
    /// A group without members whose target is that of its epoch.
    pub(super) fn in_epoch(epoch: i32) -> ConsumerGroup {
        ConsumerGroup { epoch, target_epoch: epoch, ..ConsumerGroup::default() }
    }

    /// The state as Kafka names it.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().any(|member| !member.is_reconciled_to(self.target_epoch)) {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    /// Whether its target is that of its epoch, and its topics have been looked at.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.target_epoch == self.epoch && self.looked_at.is_some_and(|looked_at| looked_at <= self.epoch)
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Its members by id.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<Arc<str>, Arc<Member>> {
        &self.members
    }

    /// Whether a member subscribes to the topic, by name or by a pattern.
    #[must_use]
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// The member that holds an instance id.
    #[must_use]
    pub fn static_member(&self, instance: &str) -> Option<&Arc<Member>> {
        self.members.get(self.statics.get(instance)?)
    }

    /// The member epoch with which a partition is held; None for a free one.
    #[must_use]
    pub fn holder_epoch(&self, topic: &Uuid, partition: i32) -> Option<i32> {
        self.held.get(topic)?.get(&partition).copied()
    }

    /// Whether somebody else still holds a partition that the member shall have.
    #[must_use]
    pub fn waits_for_others(&self, member: &Member) -> bool {
        let Some(target) = self.target.get(&member.id) else { return false };
        member.state == MemberState::Unreleased
            && target.iter().any(|(topic, list)| {
                let is_missing = |partition: &i32| !member.assigned.contains(topic, *partition);
                list.iter().any(|at| is_missing(at) && self.holder_epoch(topic, *at).is_some())
            })
    }

    /// Number of members that subscribe by the pattern.
    pub(super) fn subscribers_of(&self, pattern: &str) -> usize {
        self.patterns.get(pattern).copied().unwrap_or(0)
    }

    /// The assignor that most members prefer once `before` has become `after`; None when nobody prefers one.
    pub(super) fn preferred_assignor(&self, before: Option<&Member>, after: Option<&Member>) -> Option<Arc<str>> {
        let mut counts = self.assignors.clone();
        count_down(&mut counts, before.and_then(|member| member.assignor.as_ref()));
        count_up(&mut counts, after.and_then(|member| member.assignor.as_ref()));
        counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(name, _)| name)
    }

    /// Puts a member in, in place of one with its id.
    pub(super) fn put_member(&mut self, member: Member) {
        let member = Arc::new(member);
        let before = self.members.insert(Arc::clone(&member.id), Arc::clone(&member));
        self.count_out(before.as_deref());
        for name in member.names.iter() {
            self.topics.entry(Arc::clone(name)).or_default().by_name += 1;
        }
        count_up(&mut self.patterns, member.pattern());
        count_up(&mut self.assignors, member.assignor.as_ref());
        if let Some(instance) = &member.instance {
            self.statics.insert(Arc::clone(instance), Arc::clone(&member.id));
        }
        if let Some(classic) = &member.classic {
            self.classic_members += 1;
            classic.protocols.iter().for_each(|(name, _)| count_up(&mut self.classic_protocols, Some(name)));
        }
        self.hold(&member.assigned, member.epoch);
        self.hold(&member.revoking, member.epoch);
    }

    /// Takes a member out.
    pub(super) fn remove_member(&mut self, id: &str) {
        let before = self.members.remove(id);
        self.count_out(before.as_deref());
        self.sessions.remove(id);
    }

    fn count_out(&mut self, before: Option<&Member>) {
        let Some(before) = before else { return };
        for name in before.names.iter() {
            change_subscribers(&mut self.topics, name, |count| count.by_name = count.by_name.saturating_sub(1));
        }
        count_down(&mut self.patterns, before.pattern());
        count_down(&mut self.assignors, before.assignor.as_ref());
        if let Some(instance) = &before.instance {
            // The instance id may have gone over to another member.
            if self.statics.get(instance) == Some(&before.id) {
                self.statics.remove(instance);
            }
        }
        if let Some(classic) = &before.classic {
            self.classic_members -= 1;
            classic.protocols.iter().for_each(|(name, _)| count_down(&mut self.classic_protocols, Some(name)));
        }
        self.release(&before.assigned, before.epoch);
        self.release(&before.revoking, before.epoch);
    }

    /// A partition that a member of a later epoch holds stays with it: records may be read again after it.
    fn hold(&mut self, owned: &Owned, epoch: i32) {
        for (topic, list) in owned.iter() {
            let held = self.held.entry(*topic).or_default();
            for (partition, _) in list {
                let holder = held.entry(*partition).or_insert(epoch);
                *holder = epoch.max(*holder);
            }
        }
    }

    fn release(&mut self, owned: &Owned, epoch: i32) {
        for (topic, list) in owned.iter() {
            let Some(held) = self.held.get_mut(topic) else { continue };
            for (partition, _) in list {
                if held.get(partition) == Some(&epoch) {
                    held.remove(partition);
                }
            }
            if held.is_empty() {
                self.held.remove(topic);
            }
        }
    }

    /// Stores which topics a pattern matches, or forgets it.
    pub(super) fn put_resolved(&mut self, pattern: &str, resolved: Option<Resolved>) {
        if let Some(before) = self.resolved.remove(pattern) {
            for topic in &before.topics {
                change_subscribers(&mut self.topics, topic, |count| {
                    count.by_pattern = count.by_pattern.saturating_sub(1);
                });
            }
        }
        let Some(resolved) = resolved else { return };
        for topic in &resolved.topics {
            self.topics.entry(Arc::clone(topic)).or_default().by_pattern += 1;
        }
        self.resolved.insert(pattern.into(), resolved);
    }

    /// Applies what this leader alone knows.
    pub fn note(&mut self, soft: Soft) {
        match soft {
            Soft::Session { member, ends, rings } => {
                let session = self.sessions.entry(member).or_default();
                session.ends = ends;
                session.rings = rings.unwrap_or(session.rings);
            }
            Soft::JoinBy(member, deadline) => self.sessions.entry(member).or_default().joins = deadline,
            Soft::LookedAt(epoch) => self.looked_at = Some(epoch),
            Soft::Resolving(until) => {
                self.resolving = until;
                self.is_dated = false;
            }
            Soft::Resolved => self.resolving = Monotonic(0),
        }
    }

    /// Whether a member subscribes by a pattern.
    #[must_use]
    pub fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Takes the group back.
    #[must_use]
    pub fn end(&self, group: &Arc<str>) -> Vec<Change> {
        let mut writer = Writer::new(Arc::clone(group));
        writer.no_group(self, None);
        writer.changes
    }

    /// Learns that topics have changed or gone, or that there are new ones.
    pub fn on_topics(&mut self, is_changed: impl Fn(&str) -> bool, has_new: bool) {
        if self.looked_at.is_some() && self.topics.keys().any(|topic| is_changed(topic)) {
            self.looked_at = None;
        }
        self.is_dated |= has_new;
    }

    /// The group without what this leader alone knows.
    #[cfg(test)]
    pub(in crate::group) fn written(&self) -> ConsumerGroup {
        ConsumerGroup {
            looked_at: None,
            is_dated: true,
            resolving: Monotonic(0),
            sessions: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// Whether the counts agree with the members and the patterns.
    pub fn check(&self) {
        let mut fresh = ConsumerGroup { held: BTreeMap::new(), ..ConsumerGroup::default() };
        self.members.values().for_each(|member| fresh.put_member(Member::clone(member)));
        self.resolved.iter().for_each(|(pattern, resolved)| fresh.put_resolved(pattern, Some(resolved.clone())));
        assert_eq!(self.topics, fresh.topics, "subscribers are counted");
        assert_eq!(self.patterns, fresh.patterns, "patterns are counted");
        assert_eq!(self.assignors, fresh.assignors, "assignors are counted");
        assert_eq!(self.classic_members, fresh.classic_members, "classic members are counted");
        assert_eq!(self.classic_protocols, fresh.classic_protocols, "classic protocols are counted");
        assert_eq!(self.held, fresh.held, "held partitions are those of members");
    }
}

/// Counts a topic's subscribers anew, and forgets a topic that has none.
pub(super) fn change_subscribers(
    topics: &mut BTreeMap<Arc<str>, Subscribers>,
    topic: &str,
    change: impl FnOnce(&mut Subscribers),
) {
    let Some(count) = topics.get_mut(topic) else { return };
    change(count);
    if *count == Subscribers::default() {
        topics.remove(topic);
    }
}

/// One more.
pub(super) fn count_up(counts: &mut BTreeMap<Arc<str>, usize>, name: Option<&Arc<str>>) {
    if let Some(name) = name {
        *counts.entry(Arc::clone(name)).or_default() += 1;
    }
}

/// One less; none is no entry.
pub(super) fn count_down(counts: &mut BTreeMap<Arc<str>, usize>, name: Option<&Arc<str>>) {
    let Some(name) = name else { return };
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}
