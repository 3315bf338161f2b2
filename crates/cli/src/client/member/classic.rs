//! The classic protocol: join, learn or make the assignment, beat; on a rebalance give all up and join again.

use super::range::{self, Subscriber};
use super::{Answer, Effect, Identity, Partitions, Request};
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::time::Duration;

/// Generation of a member that is in none.
const NO_GENERATION: i32 = -1;

/// A member of a classic group.
#[derive(Debug)]
pub(super) struct Classic {
    interval: Duration,
    member: String,
    generation: i32,
    owned: Partitions,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Out,
    Syncing { protocol: String, assignments: BTreeMap<String, Partitions> },
    In { beat_at: Duration },
}

impl Classic {
    /// A member that has yet to join and will beat every `interval`.
    pub(super) fn new(interval: Duration) -> Classic {
        let (member, owned) = (String::new(), Partitions::new());
        Classic { interval, member, generation: NO_GENERATION, owned, phase: Phase::Out }
    }

    /// What to ask now; None while there is nothing to do.
    pub(super) fn next(&self, now: Duration) -> Option<Request> {
        let (member, generation) = (self.member.clone(), self.generation);
        match &self.phase {
            Phase::Out => Some(Request::Join { member, owned: self.owned.clone(), generation }),
            Phase::Syncing { protocol, assignments } => {
                Some(Request::Sync { member, generation, protocol: protocol.clone(), assignments: assignments.clone() })
            }
            Phase::In { beat_at } => (now >= *beat_at).then_some(Request::Beat { member, generation }),
        }
    }

    /// Takes an answer in. `partitions` says how many partitions a topic has, for the assignment when this member leads.
    /// An error that no joining again mends is returned.
    pub(super) fn step(
        &mut self,
        now: Duration,
        answer: Answer,
        partitions: &BTreeMap<String, Vec<i32>>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ErrorCode> {
        match answer {
            Answer::Joined { member, generation, protocol, members } => {
                (self.member, self.generation) = (member, generation);
                let assignments = members.map(|members| range::assign(&members, partitions)).unwrap_or_default();
                self.phase = Phase::Syncing { protocol, assignments };
            }
            Answer::Synced(assigned) => {
                self.owned = assigned.clone();
                self.phase = Phase::In { beat_at: now + self.interval };
                effects.push(Effect::Assign(assigned));
            }
            Answer::Beaten | Answer::ModernBeaten { .. } => self.beaten(now),
            Answer::Refused { error, member } => return self.refused(now, error, member, effects),
        }
        Ok(())
    }

    /// Gives up what is read and joins again, as when the subscription has changed.
    pub(super) fn rejoin(&mut self, effects: &mut Vec<Effect>) {
        if !self.owned.is_empty() {
            effects.push(Effect::Revoke(std::mem::take(&mut self.owned)));
        }
        self.phase = Phase::Out;
    }

    /// Who this member is.
    pub(super) fn identity(&self) -> Identity {
        Identity { member: self.member.clone(), generation: self.generation }
    }

    fn beaten(&mut self, now: Duration) {
        if let Phase::In { beat_at } = &mut self.phase {
            *beat_at = now + self.interval;
        }
    }

    fn refused(
        &mut self,
        now: Duration,
        error: ErrorCode,
        member: String,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ErrorCode> {
        match error {
            ErrorCode::MEMBER_ID_REQUIRED => self.member = member,
            ErrorCode::REBALANCE_IN_PROGRESS => self.rejoin(effects),
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.member.clear();
                self.lose(effects);
            }
            ErrorCode::ILLEGAL_GENERATION => self.lose(effects),
            // The driver looks for the coordinator again and asks once more.
            error if error.retriable() => self.beaten(now),
            error => return Err(error),
        }
        Ok(())
    }

    fn lose(&mut self, effects: &mut Vec<Effect>) {
        self.generation = NO_GENERATION;
        self.phase = Phase::Out;
        if !self.owned.is_empty() {
            effects.push(Effect::Lose(std::mem::take(&mut self.owned)));
        }
    }
}

impl Subscriber {
    /// Whether the member reads a topic.
    pub(super) fn reads(&self, topic: &str) -> bool {
        self.topics.iter().any(|read| read == topic)
    }
}
