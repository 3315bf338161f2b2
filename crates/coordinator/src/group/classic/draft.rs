//! A group as it will be after a decision, beside the group that it is.

use super::Timer;
use super::command::{Answer, Identity};
use super::decide::{Outcome, Scope};
use super::group::{self, ClassicGroup, Delta, Head, Soft, State, subscribed};
use super::member::{Member, nothing};
use crate::group::fault::Fault;
use crate::group::record::Record;
use crate::machine::Ticket;
use ottla_messages::records::group::{GroupMetadataKey, GroupMetadataValue, MemberMetadata};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A group while it is decided what becomes of it. Costs what changes, not what there is.
pub struct Draft<'a> {
    pub(super) scope: Scope<'a>,
    base: &'a ClassicGroup,
    /// All but the members, as it will be.
    pub(super) head: Head,
    /// Members that are different; None for one that is gone.
    members: BTreeMap<Arc<str>, Option<Arc<Member>>>,
    /// Static members whose instance id is held by somebody else, or by nobody.
    instances: BTreeMap<Arc<str>, Option<Arc<str>>>,
    pending: BTreeMap<Arc<str>, bool>,
    outcome: Outcome,
}

impl<'a> Draft<'a> {
    /// Begins with a group as it is.
    #[must_use]
    pub fn new(scope: Scope<'a>, base: &'a ClassicGroup) -> Draft<'a> {
        Draft {
            scope,
            base,
            head: base.head.clone(),
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: BTreeMap::new(),
            outcome: Outcome::default(),
        }
    }

    /// Makes a stable group of consumers that were members of a group of another protocol (KIP-848); `assign` says what
    /// each has, by what it says to the protocol that they choose. `empty` is a group without members.
    #[must_use]
    pub fn assemble(
        scope: Scope<'a>,
        empty: &'a ClassicGroup,
        generation: i32,
        members: Vec<Member>,
        assign: impl Fn(&Member, &[u8]) -> Arc<[u8]>,
    ) -> Draft<'a> {
        let mut draft = Draft::new(scope, empty);
        draft.head.generation = generation;
        draft.head.protocol_type = Some(Arc::from(super::CONSUMER));
        draft.head.leader = members.iter().map(|member| &member.id).min().cloned();
        for member in members {
            draft.extend_session(&member);
            draft.put(Member { synced: generation, ..member });
        }
        draft.head.protocol = draft.select_protocol();
        let protocol = draft.head.protocol.clone().unwrap_or_default();
        for member in draft.sorted_members() {
            let metadata = member.metadata(&protocol).cloned().unwrap_or_else(nothing);
            draft.put(Member { assignment: assign(&member, &metadata), ..(*member).clone() });
        }
        draft.refresh_subscribed();
        draft.become_state(State::Stable);
        draft.write();
        draft
    }

    /// What follows.
    #[must_use]
    pub fn finish(self) -> Outcome {
        let Draft { base, head, members, pending, mut outcome, .. } = self;
        if !members.is_empty() || !pending.is_empty() || head != base.head {
            outcome.soft = Some(Soft(Box::new(Delta { head, members, pending })));
        }
        outcome
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: Result<Answer, Fault>) {
        self.outcome.answers.push((ticket, answer));
    }

    pub(super) fn refuse(&mut self, ticket: Ticket, fault: Fault) {
        self.answer(ticket, Err(fault));
    }

    pub(super) fn set_timer(&mut self, timer: Timer, after: Duration) {
        self.outcome.timers.push((timer, Some(self.scope.now.monotonic + after)));
    }

    pub(super) fn end_timer(&mut self, timer: Timer) {
        self.outcome.timers.push((timer, None));
    }

    pub(super) fn member(&self, id: &str) -> Option<&Arc<Member>> {
        match self.members.get(id) {
            Some(member) => member.as_ref(),
            None => self.base.members.get(id),
        }
    }

    /// The member that holds an instance id.
    pub(super) fn static_member(&self, instance: &str) -> Option<&Arc<str>> {
        match self.instances.get(instance) {
            Some(holder) => holder.as_ref(),
            None => self.base.instances.get(instance),
        }
    }

    pub(super) fn validate(&self, who: &Identity) -> Result<&Arc<Member>, Fault> {
        let holder = who.instance_id.as_ref().map(|instance| self.static_member(instance));
        group::validate(who, holder, self.member(&who.member_id))
    }

    /// The members in no particular order.
    pub(super) fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        let kept = self.base.members.iter().filter(|(id, _)| !self.members.contains_key(*id));
        kept.map(|(_, member)| member).chain(self.members.values().flatten())
    }

    /// The members by id.
    pub(super) fn sorted_members(&self) -> Vec<Arc<Member>> {
        let mut members: Vec<_> = self.members().cloned().collect();
        members.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        members
    }

    /// Puts a member in, in the place of one of the same id.
    pub(super) fn put(&mut self, member: Member) {
        let owes = self.head.owes(&member);
        match self.member(&member.id).cloned() {
            Some(before) => {
                let owed = self.head.owes(&before);
                self.head.tally.exchange((&before, owed), (&member, owes));
            }
            None => self.head.tally.add(&member, owes),
        }
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), Some(member.id.clone()));
        }
        self.members.insert(member.id.clone(), Some(Arc::new(member)));
    }

    /// Takes a member out.
    pub(super) fn take(&mut self, id: &Arc<str>) -> Option<Arc<Member>> {
        let member = self.member(id)?.clone();
        self.head.tally.subtract(&member, self.head.owes(&member));
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), None);
        }
        self.members.insert(id.clone(), None);
        Some(member)
    }

    /// Takes a member out for good: whoever waits for it is refused, and another leads in its place.
    pub(super) fn remove(&mut self, id: &Arc<str>) {
        self.end_timer(Timer::Session(id.clone()));
        let Some(member) = self.take(id) else { return };
        for ticket in member.joining.into_iter().chain(member.syncing) {
            self.refuse(ticket, Fault::UnknownMember(id.clone()));
        }
        if self.head.leader.as_ref() == Some(id) {
            self.head.leader = self.members().map(|member| &member.id).min().cloned();
        }
    }

    pub(super) fn is_pending(&self, id: &str) -> bool {
        self.pending.get(id).copied().unwrap_or_else(|| self.base.pending.contains(id))
    }

    pub(super) fn set_pending(&mut self, id: &Arc<str>, is_pending: bool) {
        if self.is_pending(id) != is_pending {
            let pending = &mut self.head.tally.pending;
            *pending = if is_pending { *pending + 1 } else { *pending - 1 };
            self.pending.insert(id.clone(), is_pending);
        }
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.head.leader.as_deref() == Some(id)
    }

    /// The session of a member begins anew.
    pub(super) fn extend_session(&mut self, member: &Member) {
        self.set_timer(Timer::Session(member.id.clone()), member.session());
    }

    /// Time that the slowest member asks for to join again.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        super::member::millis(self.members().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0))
    }

    pub(super) fn become_state(&mut self, state: State) {
        self.head.state = state;
        self.head.since = Some(self.scope.now.wall);
        self.head.tally.unsynced = match state {
            State::Empty | State::Preparing(_) => 0,
            State::Completing | State::Stable => self.members().filter(|member| self.head.owes(member)).count(),
        };
    }

    /// Looks up anew what the members subscribe to.
    pub(super) fn refresh_subscribed(&mut self) {
        self.head.subscribed = subscribed(&self.head, self.members());
    }

    /// Has the log know the group as it is now.
    pub(super) fn write(&mut self) {
        let protocol = self.head.protocol.clone();
        let members = self.sorted_members();
        let text = |text: &Arc<str>| text.to_string().into();
        let value = GroupMetadataValue {
            protocol_type: self.head.protocol_type.as_ref().map(text).unwrap_or_default(),
            generation: self.head.generation,
            protocol: protocol.as_ref().map(text),
            leader: self.head.leader.as_ref().map(text),
            current_state_timestamp: self.head.since.map_or(-1, |since| since.0),
            members: members.iter().map(|member| written(member, protocol.as_deref().unwrap_or_default())).collect(),
        };
        self.outcome.records.push(Record::Classic(key(self.scope.group), Some(value)));
    }
}

/// The key of a group's record.
pub(super) fn key(group: &str) -> GroupMetadataKey<'static> {
    GroupMetadataKey { group: group.to_owned().into() }
}

fn written(member: &Member, protocol: &str) -> MemberMetadata<'static> {
    let text = |text: &Arc<str>| text.to_string().into();
    MemberMetadata {
        member_id: text(&member.id),
        group_instance_id: member.instance_id.as_ref().map(text),
        client_id: text(&member.client.id),
        client_host: text(&member.client.host),
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: member.metadata(protocol).cloned().unwrap_or_else(nothing).to_vec().into(),
        assignment: member.assignment.to_vec().into(),
    }
}
