//! KIP-848 groups among the groups of a partition.

use super::{Group, Groups};
use crate::group::classic;
use crate::group::consumer::{self, Asked, ConsumerGroup, Description, Standing, World};
use crate::group::{Answer, Change, Fault, Record};
use crate::machine::{Decision, Now, Ticket};
use ottla_metadata::Image;
use std::sync::Arc;

impl Groups {
    fn world(&self, now: Now) -> World<'_> {
        World { settings: &self.settings, image: &self.image, now }
    }

    fn consumer(&self, group: &str) -> Option<&ConsumerGroup> {
        match self.groups.get(group) {
            Some(Group::Consumer(group)) => Some(group),
            Some(Group::Classic(_)) | None => None,
        }
    }

    /// Whether it is a heartbeat that goes on as before, to a group that does so, too: most likely nothing is written for it.
    pub(super) fn is_light_consumer(&self, command: &consumer::Command) -> bool {
        match command {
            consumer::Command::Heartbeat(beat) => {
                beat.is_news_free() && self.consumer(&beat.group).is_some_and(ConsumerGroup::is_at_rest)
            }
            consumer::Command::Resolved(_) => false,
        }
    }

    /// ConsumerGroupHeartbeat and what it led to.
    pub(super) fn decide_consumer(&self, command: consumer::Command, ticket: Ticket, now: Now) -> Decision<Groups> {
        let world = self.world(now);
        let group_id = command.group().clone();
        let mut decision = Decision::default();
        let upgraded;
        let asked = match self.groups.get(&group_id) {
            Some(Group::Consumer(group)) => Asked::Consumer(group),
            None => Asked::Nothing,
            Some(Group::Classic(group)) if command.creates() && group.is_empty() => {
                decision = self.classic_outcome(&group_id, classic::end(&group_id, group));
                Asked::Nothing
            }
            Some(Group::Classic(group)) if command.creates() => match consumer::upgrade(world, &group_id, group) {
                Ok((made, changes)) => {
                    upgraded = made;
                    decision = self.classic_outcome(&group_id, classic::dissolve(&group_id, group));
                    decision.changes.extend(changes);
                    Asked::Consumer(&upgraded)
                }
                Err(fault) => return Decision::answer(ticket, Err(fault)),
            },
            Some(Group::Classic(_)) => Asked::Classic,
        };
        let (changes, answer) = consumer::decide(world, asked, command);
        if answer.is_err() {
            decision = Decision::default();
        }
        decision.changes.extend(changes);
        decision.answers.push((ticket, answer.map(Answer::Consumer)));
        decision
    }

    /// JoinGroup, SyncGroup, Heartbeat and LeaveGroup of classic members of a KIP-848 group.
    pub(super) fn decide_classic_member(
        &self,
        group: &ConsumerGroup,
        command: classic::Command,
        ticket: Ticket,
        now: Now,
    ) -> Decision<Groups> {
        let group_id = command.group().clone();
        let (changes, answer) = consumer::decide_classic(self.world(now), &group_id, group, command);
        Decision { changes, answers: vec![(ticket, answer.map(Answer::Classic))] }
    }

    /// A deadline of a KIP-848 group has come.
    pub(super) fn consumer_due(&self, group_id: &Arc<str>, timer: consumer::Timer, now: Now) -> Decision<Groups> {
        let changes = consumer::due(self.world(now), group_id, self.consumer(group_id), timer);
        Decision { changes, answers: Vec::new() }
    }

    /// The sessions of KIP-848 groups begin anew.
    pub(super) fn begin_consumer(&self, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        for (group_id, group) in &self.groups {
            if let Group::Consumer(group) = group {
                changes.extend(consumer::begin(self.world(now), group_id, group));
            }
        }
        changes
    }

    /// ConsumerGroupDescribe.
    pub(super) fn describe_consumer(&self, groups: &[Arc<str>]) -> Answer {
        let default = self.settings.consumer.assignors.first().map_or("", String::as_str);
        let describe = |group_id: &Arc<str>| match self.groups.get(group_id) {
            Some(Group::Consumer(group)) => group.describe(group_id, default),
            Some(Group::Classic(_)) => Description::refused(group_id, Fault::NotConsumerGroup(group_id.clone())),
            None => Description::refused(group_id, Fault::GroupNotFound(group_id.clone())),
        };
        Answer::DescribedConsumer(groups.iter().map(describe).collect())
    }

    /// A record of a KIP-848 group. One that states something begins a group, in place of a classic one that only has
    /// offsets; one that takes something back does not.
    pub(super) fn replay_consumer(&mut self, record: &Record<'_>) {
        let Some((group_id, states)) = consumer::group_of(record) else { return };
        if self.consumer(group_id).is_none() {
            if !states {
                return;
            }
            self.groups.insert(group_id.into(), Group::Consumer(Box::default()));
        }
        let Some(Group::Consumer(group)) = self.groups.get_mut(group_id) else { return };
        if group.replay(record) == Standing::Gone {
            self.groups.remove(group_id);
        }
    }

    /// What a leader alone knows of a KIP-848 group.
    pub(super) fn replay_consumer_soft(&mut self, group_id: &Arc<str>, soft: consumer::Soft) {
        if let Some(Group::Consumer(group)) = self.groups.get_mut(group_id) {
            group.note(soft);
        }
    }

    /// The cluster has changed: groups look at their topics again where those have.
    pub(super) fn replay_image(&mut self, image: Arc<Image>) {
        let before = std::mem::replace(&mut self.image, image);
        let is_changed = |topic: &str| match (before.topic(topic), self.image.topic(topic)) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after),
            (before, after) => before.is_some() || after.is_some(),
        };
        let mut has_new = None;
        for group in self.groups.values_mut() {
            let Group::Consumer(group) = group else { continue };
            let has_new = group.has_patterns()
                && *has_new.get_or_insert_with(|| {
                    self.image.topics().any(|topic| before.topic(&topic.name).is_none_or(|was| was.id != topic.id))
                });
            group.on_topics(is_changed, has_new);
        }
    }
}

#[cfg(test)]
impl Groups {
    /// The counts of each KIP-848 group agree with its members.
    pub(in crate::group) fn check_consumer(&self) {
        for group in self.groups.values() {
            if let Group::Consumer(group) = group {
                group.check();
            }
        }
    }

    /// A group that there is.
    pub(in crate::group) fn consumer_for_test(&self, group: &str) -> ConsumerGroup {
        self.consumer(group).unwrap().clone()
    }

    /// The KIP-848 groups without what this leader alone knows.
    pub(in crate::group) fn written(&self) -> Vec<(Arc<str>, ConsumerGroup)> {
        let consumers = self.groups.iter().filter_map(|(id, group)| match group {
            Group::Consumer(group) => Some((id.clone(), group.written())),
            Group::Classic(_) => None,
        });
        consumers.collect()
    }
}
