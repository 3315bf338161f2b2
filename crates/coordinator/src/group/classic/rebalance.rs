//! The rebalance: members join again, choose a protocol, and get a new generation.

use super::Timer;
use super::command::Answer;
use super::draft::Draft;
use super::group::{Initial, State};
use super::member::{Member, nothing};
use crate::group::fault::Fault;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

impl Draft<'_> {
    /// Begins a rebalance, or ends the one under way if nobody is missing.
    pub(super) fn prepare_or_complete(&mut self, reason: impl Display) {
        match self.head.state {
            State::Empty | State::Completing | State::Stable => self.prepare_rebalance(reason),
            State::Preparing(_) => self.complete_if_joined(),
        }
    }

    /// Has all members join again.
    pub fn prepare_rebalance(&mut self, reason: impl Display) {
        tracing::info!(group = %self.scope.group, generation = self.head.generation, %reason, "rebalance begins");
        if self.head.state == State::Completing {
            self.take_back_assignments();
        }
        self.end_timer(Timer::Sync);
        if self.head.state == State::Empty {
            self.wait_for_more();
            return;
        }
        self.become_state(State::Preparing(None));
        if self.head.has_all_joined() {
            self.complete_join();
        } else {
            self.set_timer(Timer::Join, self.rebalance_timeout());
        }
    }

    /// The first members of a group wait for others to come, lest each one costs a rebalance.
    fn wait_for_more(&mut self) {
        let delay = self.scope.settings.initial_rebalance_delay;
        let remaining = self.rebalance_timeout().saturating_sub(delay);
        self.become_state(State::Preparing(Some(Initial { delay, remaining, has_grown: false })));
        self.set_timer(Timer::Join, delay);
    }

    /// Who waits for an assignment has to join again instead.
    fn take_back_assignments(&mut self) {
        for member in self.sorted_members() {
            if member.syncing.is_none() && member.assignment.is_empty() {
                continue;
            }
            if let Some(ticket) = member.syncing {
                self.refuse(ticket, Fault::RebalanceInProgress);
                self.extend_session(&member);
            }
            self.put(Member { syncing: None, assignment: nothing(), ..(*member).clone() });
        }
    }

    /// Ends the rebalance under way if nobody is missing; the first one of a group waits for its time.
    pub(super) fn complete_if_joined(&mut self) {
        if self.head.state == State::Preparing(None) && self.head.has_all_joined() {
            self.complete_join();
        }
    }

    /// Ends the joining: dynamic members that are missing are out, static ones stay.
    pub(super) fn complete_join(&mut self) {
        self.end_timer(Timer::Join);
        for member in self.sorted_members() {
            if !member.is_joining() && !member.is_static() {
                self.remove(&member.id);
            }
        }
        if self.head.tally.members > 0 && !self.elect_joined() {
            // Only silent static members are left: their sessions decide.
            self.set_timer(Timer::Join, self.rebalance_timeout());
            return;
        }
        self.head.generation = self.head.generation.wrapping_add(1);
        if self.head.tally.members == 0 {
            self.become_empty();
        } else {
            self.become_completing();
        }
    }

    /// Whether the leader is one that has joined, after another was elected if need be.
    fn elect_joined(&mut self) -> bool {
        let leader = self.head.leader.as_ref().and_then(|id| self.member(id));
        if leader.is_some_and(|leader| leader.is_joining()) {
            return true;
        }
        let elected = self.members().filter(|member| member.is_joining()).map(|member| &member.id).min().cloned();
        let is_elected = elected.is_some();
        if is_elected {
            self.head.leader = elected;
        }
        is_elected
    }

    fn become_empty(&mut self) {
        self.head.protocol = None;
        self.refresh_subscribed();
        self.become_state(State::Empty);
        self.write();
    }

    fn become_completing(&mut self) {
        self.head.protocol = self.select_protocol();
        self.refresh_subscribed();
        self.become_state(State::Completing);
        for member in self.sorted_members() {
            self.extend_session(&member);
            if let Some(ticket) = member.joining {
                let answer = self.joined(&member.id, self.is_leader(&member.id));
                self.answer(ticket, Ok(Answer::Joined(answer)));
            }
            if member.is_joining() || member.is_new {
                self.put(Member { joining: None, is_new: false, ..(*member).clone() });
            }
        }
        self.set_timer(Timer::Sync, self.rebalance_timeout());
    }

    /// The protocol that most members prefer among those that all have.
    pub(super) fn select_protocol(&self) -> Option<Arc<str>> {
        let all = self.head.tally.members;
        let supported = &self.head.tally.supported;
        let is_candidate = |name: &str| supported.get(name).is_some_and(|count| *count == all);
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members() {
            if let Some(protocol) = member.protocols.iter().find(|protocol| is_candidate(&protocol.name)) {
                *votes.entry(&protocol.name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.clone())
    }
}
