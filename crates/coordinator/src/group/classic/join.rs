//! JoinGroup.

use super::Timer;
use super::command::{Answer, Join, Joined};
use super::decide::{Outcome, Scope};
use super::draft::Draft;
use super::group::{ClassicGroup, State};
use super::member::{Member, Timeouts, millis};
use crate::group::fault::Fault;
use crate::machine::Ticket;
use std::sync::Arc;
use std::time::Duration;

/// Time after which a new member that still waits for its first answer is asked to come again.
const NEW_MEMBER_TIMEOUT: Duration = Duration::from_secs(300);

/// Whether a session timeout lies within what the broker allows; asked first, whatever the type of the group.
pub fn validate(scope: Scope<'_>, join: &Join) -> Result<(), Fault> {
    let range = scope.settings.classic_session;
    let is_allowed = join.session_timeout_ms >= 0 && {
        let timeout = millis(join.session_timeout_ms);
        range.min <= timeout && timeout <= range.max
    };
    if is_allowed { Ok(()) } else { Err(Fault::InvalidSessionTimeout(join.session_timeout_ms)) }
}

pub(super) fn join(scope: Scope<'_>, group: Option<&ClassicGroup>, join: Join, ticket: Ticket) -> Outcome {
    let Some(group) = group else {
        if !join.who.member_id.is_empty() {
            return Outcome::answer(ticket, Err(Fault::UnknownMember(join.who.member_id)));
        }
        let fresh = ClassicGroup::new(Some(scope.now.wall));
        let mut draft = Draft::new(scope, &fresh);
        // From here on the group exists, also for a leader that comes later.
        draft.write();
        return match draft.accept(&join, ticket) {
            Ok(()) => draft.finish(),
            Err(fault) => Outcome::answer(ticket, Err(fault)),
        };
    };
    let mut draft = Draft::new(scope, group);
    if let Err(fault) = draft.accept(&join, ticket) {
        draft.refuse(ticket, fault);
    }
    draft.finish()
}

impl Draft<'_> {
    fn accept(&mut self, join: &Join, ticket: Ticket) -> Result<(), Fault> {
        let id = &join.who.member_id;
        if !self.has_room(id) {
            if !id.is_empty() {
                self.remove(id);
                self.set_pending(id, false);
            }
            return Err(Fault::GroupMaxSize(self.scope.settings.classic_size_max));
        }
        if !self.head.supports(&join.protocol_type, &join.protocols) {
            return Err(Fault::InconsistentProtocol);
        }
        if id.is_empty() { self.accept_new(join, ticket) } else { self.accept_known(join, ticket) }
    }

    /// While members join, those that wait count, so that the last to come are those for whom there is no room.
    fn has_room(&self, id: &str) -> bool {
        let max = self.scope.settings.classic_size_max;
        let member = self.member(id);
        match self.head.state {
            State::Empty => true,
            State::Preparing(_) => {
                member.is_some_and(|member| member.joining.is_some()) || self.head.tally.joining < max
            }
            State::Completing | State::Stable => member.is_some() || self.head.tally.members < max,
        }
    }

    fn accept_new(&mut self, join: &Join, ticket: Ticket) -> Result<(), Fault> {
        let id = &join.fresh_id;
        if let Some(instance) = &join.who.instance_id {
            match self.static_member(instance).cloned() {
                Some(holder) => self.replace(&holder, join, ticket),
                None => self.add(id, join, ticket),
            }
            return Ok(());
        }
        if join.abilities.comes_again {
            self.set_pending(id, true);
            self.set_timer(Timer::Session(id.clone()), millis(join.session_timeout_ms));
            self.refuse(ticket, Fault::MemberIdRequired(id.clone()));
            return Ok(());
        }
        self.add(id, join, ticket);
        Ok(())
    }

    fn accept_known(&mut self, join: &Join, ticket: Ticket) -> Result<(), Fault> {
        let id = &join.who.member_id;
        if self.is_pending(id) {
            if join.who.instance_id.is_some() {
                return Err(Fault::InvalidRequest("who was given a member id to come again with is not static".into()));
            }
            self.set_pending(id, false);
            self.add(id, join, ticket);
            return Ok(());
        }
        let member = self.validate(&join.who)?.clone();
        let is_same = member.protocols == join.protocols;
        let (rebalances, why) = match self.head.state {
            State::Empty => return Err(Fault::UnknownMember(id.clone())),
            State::Preparing(_) => (true, "a member joins again"),
            // Its answer may have been lost: it gets it again.
            State::Completing => (!is_same, "a member has changed what it says"),
            // The leader may know of changes that no member's words show, such as new partitions.
            State::Stable if self.is_leader(id) => (true, "the leader joins again"),
            State::Stable => (!is_same, "a member has changed what it says"),
        };
        if !rebalances {
            let leads = self.head.state == State::Completing && self.is_leader(id);
            let answer = self.joined(id, leads);
            self.answer(ticket, Ok(Answer::Joined(answer)));
            return Ok(());
        }
        self.update(&member, join, ticket);
        self.prepare_or_complete(format_args!("{why} ({id}: {})", join.reason));
        Ok(())
    }

    fn add(&mut self, id: &Arc<str>, join: &Join, ticket: Ticket) {
        if let State::Preparing(Some(initial)) = &mut self.head.state {
            initial.has_grown = true;
        }
        if self.head.tally.members == 0 {
            self.head.protocol_type = Some(join.protocol_type.clone());
        }
        self.head.leader.get_or_insert_with(|| id.clone());
        let timeouts = Timeouts { session_ms: join.session_timeout_ms, rebalance_ms: join.rebalance_timeout_ms };
        let (client, instance) = (join.client.clone(), join.who.instance_id.clone());
        let member = Member::new(id.clone(), instance, client, timeouts, join.protocols.clone());
        let synced = self.head.generation;
        self.put(Member { joining: Some(ticket), is_new: true, synced, ..member });
        // It does not know its id yet, so it cannot send heartbeats.
        self.set_timer(Timer::Session(id.clone()), NEW_MEMBER_TIMEOUT);
        self.prepare_or_complete(format_args!("a member has come ({id}: {})", join.reason));
    }

    /// Takes over what a member says, and parks its JoinGroup.
    fn update(&mut self, member: &Member, join: &Join, ticket: Ticket) {
        if let Some(before) = member.joining {
            self.refuse(before, Fault::RebalanceInProgress);
        }
        self.put(Member {
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.clone(),
            joining: Some(ticket),
            ..member.clone()
        });
    }

    /// A static member comes back under a new id; who still uses the old one is fenced (KIP-345).
    fn replace(&mut self, old_id: &Arc<str>, join: &Join, ticket: Ticket) {
        let old_leader = self.head.leader.clone();
        let Some(old) = self.take(old_id) else { return };
        self.end_timer(Timer::Session(old_id.clone()));
        let instance = join.who.instance_id.clone().unwrap_or_default();
        for waiting in old.joining.into_iter().chain(old.syncing) {
            self.refuse(waiting, Fault::FencedInstance(instance.clone()));
        }
        let id = &join.fresh_id;
        if self.is_leader(old_id) {
            self.head.leader = Some(id.clone());
        }
        let new = Member { id: id.clone(), joining: None, syncing: None, is_new: false, ..(*old).clone() };
        self.update(&new, join, ticket);
        self.set_timer(Timer::Session(id.clone()), millis(join.session_timeout_ms));
        match self.head.state {
            State::Stable if self.select_protocol() == self.head.protocol => {
                self.keep_generation(id, old_leader, join.abilities.skips_assignment, ticket);
            }
            State::Stable | State::Completing => {
                self.prepare_rebalance(format_args!("a static member has come back ({id}: {})", join.reason));
            }
            State::Empty | State::Preparing(_) => self.complete_if_joined(),
        }
    }

    /// A static member is back and the assignment holds: only its new id has to be known.
    fn keep_generation(&mut self, id: &Arc<str>, old_leader: Option<Arc<str>>, skips: bool, ticket: Ticket) {
        let Some(member) = self.member(id).cloned() else { return };
        self.put(Member { joining: None, ..(*member).clone() });
        self.write();
        let leads = skips && self.is_leader(id);
        let mut answer = self.joined(id, leads);
        answer.skip_assignment = leads;
        if !skips {
            // It must not take itself for the leader: what it assigned would reach nobody.
            answer.leader = old_leader.unwrap_or_default();
        }
        self.answer(ticket, Ok(Answer::Joined(answer)));
    }

    /// Tells a member of the generation; the leader also of the others.
    pub(super) fn joined(&self, id: &Arc<str>, leads: bool) -> Joined {
        let protocol = self.head.protocol.clone();
        let name = protocol.as_deref().unwrap_or_default();
        let members = if leads { self.sorted_members() } else { Vec::new() };
        Joined {
            member_id: id.clone(),
            generation: self.head.generation,
            protocol_type: self.head.protocol_type.clone(),
            leader: self.head.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            members: members.iter().map(|member| member.told(name)).collect(),
            protocol,
        }
    }
}
