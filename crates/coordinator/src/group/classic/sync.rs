//! SyncGroup: the leader brings the assignment, everybody takes theirs.

use super::Timer;
use super::command::{Answer, Sync, Synced};
use super::decide::{Outcome, Scope};
use super::draft::Draft;
use super::group::{ClassicGroup, State};
use super::member::{Member, nothing};
use crate::group::fault::Fault;
use crate::machine::Ticket;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn sync(scope: Scope<'_>, group: Option<&ClassicGroup>, sync: Sync, ticket: Ticket) -> Outcome {
    let found = group
        .filter(|group| !group.is_empty())
        .ok_or_else(|| Fault::UnknownMember(sync.who.member_id.clone()))
        .and_then(|group| validate(group, &sync).map(|member| (group, member)));
    let (group, member) = match found {
        Ok(found) => found,
        Err(fault) => return Outcome::answer(ticket, Err(fault)),
    };
    let mut draft = Draft::new(scope, group);
    match group.state() {
        State::Empty | State::Preparing(_) => draft.refuse(ticket, Fault::RebalanceInProgress),
        State::Completing => draft.keep_until_assigned(member, sync, ticket),
        State::Stable => {
            let answer = draft.synced(member);
            draft.answer(ticket, Ok(Answer::Synced(answer)));
            draft.pay(member);
        }
    }
    draft.finish()
}

fn validate<'a>(group: &'a ClassicGroup, sync: &Sync) -> Result<&'a Arc<Member>, Fault> {
    let member = group.validate_member(&sync.who)?;
    group.validate_generation(sync.generation)?;
    let differs = |asked: &Option<Arc<str>>, is: Option<&Arc<str>>| match (asked, is) {
        (Some(asked), Some(is)) => asked != is,
        (Some(_) | None, None) | (None, Some(_)) => false,
    };
    if differs(&sync.protocol_type, group.protocol_type()) || differs(&sync.protocol, group.protocol()) {
        return Err(Fault::InconsistentProtocol);
    }
    Ok(member)
}

impl Draft<'_> {
    fn keep_until_assigned(&mut self, member: &Member, sync: Sync, ticket: Ticket) {
        if let Some(before) = member.syncing {
            self.refuse(before, Fault::RebalanceInProgress);
        }
        self.put(Member { syncing: Some(ticket), ..member.clone() });
        if let Some(member) = self.member(&member.id).cloned() {
            self.pay(&member);
        }
        if self.is_leader(&member.id) {
            self.assign(sync.assignments);
        }
    }

    /// The assignment is written, and given to all who have asked for it.
    fn assign(&mut self, assignments: Vec<(Arc<str>, Arc<[u8]>)>) {
        let mut assignments: BTreeMap<_, _> = assignments.into_iter().collect();
        let members = self.sorted_members();
        for member in &members {
            let assignment = assignments.remove(&member.id).unwrap_or_else(nothing);
            self.put(Member { assignment, syncing: None, ..(**member).clone() });
        }
        // The record tells when the group has come to Completing, as Kafka's does.
        self.write();
        self.become_state(State::Stable);
        for member in members {
            let (Some(ticket), Some(now)) = (member.syncing, self.member(&member.id)) else { continue };
            let answer = self.synced(now);
            self.answer(ticket, Ok(Answer::Synced(answer)));
            self.extend_session(&member);
        }
    }

    fn synced(&self, member: &Member) -> Synced {
        Synced {
            protocol_type: self.head.protocol_type.clone(),
            protocol: self.head.protocol.clone(),
            assignment: member.assignment.clone(),
        }
    }

    /// Notes that a member has asked for its assignment.
    fn pay(&mut self, member: &Member) {
        if !self.head.owes(member) {
            return;
        }
        self.put(Member { synced: self.head.generation, ..member.clone() });
        if self.head.tally.unsynced == 0 {
            self.end_timer(Timer::Sync);
        }
    }
}
