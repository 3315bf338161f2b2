//! Classic groups among the groups of a partition.

use super::{Group, Groups};
use crate::group::classic::{self, ClassicGroup, Scope};
use crate::group::command::Listing;
use crate::group::timers::Timer;
use crate::group::{Answer, Change, Fault};
use crate::machine::{Decision, Now, Ticket};
use ottla_messages::records::group::{GroupMetadataKey, GroupMetadataValue};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Groups {
    /// Whether it is a heartbeat of a classic group's member: nothing is written for it.
    pub(super) fn is_light_classic(&self, command: &classic::Command) -> bool {
        matches!(command, classic::Command::Heartbeat(beat) if self.classic(&beat.group).is_some())
    }

    /// JoinGroup, SyncGroup, Heartbeat, LeaveGroup.
    pub(super) fn decide_classic(&self, command: classic::Command, ticket: Ticket, now: Now) -> Decision<Groups> {
        let group_id = command.group().clone();
        if let classic::Command::Join(join) = &command
            && let Err(fault) = classic::validate_join(self.scope(&group_id, now), join)
        {
            return Decision::answer(ticket, Err(fault));
        }
        match self.groups.get(&group_id) {
            None => self.classic_outcome(&group_id, classic::decide(self.scope(&group_id, now), None, command, ticket)),
            Some(Group::Classic(group)) => {
                let scope = self.scope(&group_id, now);
                self.classic_outcome(&group_id, classic::decide(scope, Some(group), command, ticket))
            }
            Some(Group::Consumer(group)) if group.is_empty() => {
                let outcome = classic::decide(self.scope(&group_id, now), None, command, ticket);
                let ended = if outcome.soft.is_some() { group.end(&group_id) } else { Vec::new() };
                let mut decision = self.classic_outcome(&group_id, outcome);
                decision.changes.splice(0..0, ended);
                decision
            }
            Some(Group::Consumer(group)) => self.decide_classic_member(group, command, ticket, now),
        }
    }

    /// A deadline of a classic group has come.
    pub(super) fn classic_due(&self, group_id: &Arc<str>, timer: classic::Timer, now: Now) -> Decision<Groups> {
        let outcome = classic::due(self.scope(group_id, now), self.classic(group_id), timer);
        self.classic_outcome(group_id, outcome)
    }

    /// The sessions of classic groups begin anew.
    pub(super) fn begin_classic(&self, now: Now) -> Decision<Groups> {
        let mut all = Decision::default();
        for (group_id, group) in &self.groups {
            let Group::Classic(group) = group else { continue };
            let outcome = classic::begin(self.scope(group_id, now), group);
            let decision = self.classic_outcome(group_id, outcome);
            all.changes.extend(decision.changes);
            all.answers.extend(decision.answers);
        }
        all
    }

    /// DescribeGroups.
    pub(super) fn describe_classic(&self, groups: &[Arc<str>]) -> Answer {
        let describe = |group_id: &Arc<str>| match self.groups.get(group_id) {
            Some(Group::Classic(group)) => Ok(group.describe()),
            Some(Group::Consumer(_)) => Err(Fault::NotClassic(group_id.clone())),
            None => Err(Fault::GroupNotFound(group_id.clone())),
        };
        Answer::DescribedClassic(groups.iter().map(describe).collect())
    }

    /// ListGroups; `states` and `types` in lower case, empty for all.
    pub(super) fn list(&self, states: &BTreeSet<String>, types: &BTreeSet<String>) -> Answer {
        let wanted = |names: &BTreeSet<String>, name: &str| names.is_empty() || names.contains(&name.to_lowercase());
        let listings = self.groups.iter().map(|(group_id, group)| listing(group_id, group));
        Answer::Listed(listings.filter(|one| wanted(states, one.state) && wanted(types, one.kind)).collect())
    }

    /// A record of a classic group. The leader that wrote it knows more than the record says; what it knows is told by
    /// the changes beside it.
    pub(super) fn replay_classic(&mut self, key: &GroupMetadataKey<'_>, value: Option<&GroupMetadataValue<'_>>) {
        match value {
            None => {
                if self.classic(&key.group).is_some() {
                    self.groups.remove(&*key.group);
                }
            }
            Some(_) if self.classic(&key.group).is_some() => {}
            Some(value) => self.load_classic(key, value),
        }
    }

    /// A record of a classic group as the log has it.
    pub(super) fn load_classic(&mut self, key: &GroupMetadataKey<'_>, value: &GroupMetadataValue<'_>) {
        let group = Group::Classic(Box::new(ClassicGroup::load(value)));
        self.groups.insert(Arc::from(&*key.group), group);
    }

    /// What a leader alone knows of a classic group.
    pub(super) fn replay_classic_soft(&mut self, group_id: &Arc<str>, soft: classic::Soft) {
        if let Some(Group::Classic(group)) = self.groups.get_mut(group_id) {
            group.apply(soft);
        }
    }

    /// A classic group by its id.
    pub(in crate::group) fn classic(&self, group_id: &str) -> Option<&ClassicGroup> {
        match self.groups.get(group_id) {
            Some(Group::Classic(group)) => Some(group),
            Some(Group::Consumer(_)) | None => None,
        }
    }

    pub(super) fn scope<'a>(&'a self, group: &'a Arc<str>, now: Now) -> Scope<'a> {
        Scope { group, settings: &self.settings, now }
    }

    pub(super) fn classic_outcome(&self, group_id: &Arc<str>, outcome: classic::Outcome) -> Decision<Groups> {
        let classic::Outcome { records, soft, timers, answers } = outcome;
        let mut changes: Vec<Change> = records.into_iter().map(Change::Record).collect();
        changes.extend(soft.map(|soft| Change::Classic(group_id.clone(), soft)));
        for (timer, deadline) in timers {
            changes.push(Change::Timer(Timer::Classic(group_id.clone(), timer), deadline));
        }
        let answers = answers.into_iter().map(|(ticket, answer)| (ticket, answer.map(Answer::Classic))).collect();
        Decision { changes, answers }
    }
}

fn listing(group_id: &Arc<str>, group: &Group) -> Listing {
    let (protocol_type, state, kind) = match group {
        Group::Classic(group) => (group.protocol_type().cloned().unwrap_or_default(), group.state().name(), "Classic"),
        Group::Consumer(group) => (Arc::from(classic::CONSUMER), group.state(), "Consumer"),
    };
    Listing { group: group_id.clone(), protocol_type, state, kind }
}
