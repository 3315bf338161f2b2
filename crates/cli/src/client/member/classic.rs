//! The classic protocol: join, learn or make the assignment, beat; on a rebalance join again.
//!
//! With eager assignors a member gives up all that it reads before it joins again. With cooperative ones it reads on, gives up
//! what the new assignment no longer has, and joins once more, so that another gets it.

use super::assignors::{Assignment, Assignor, Topics};
use super::{Answer, Effect, Identity, Loss, Partitions, Request};
use ottla_wire::error::ErrorCode;
use std::time::Duration;

/// Generation of a member that is in none.
const NO_GENERATION: i32 = -1;

/// A member of a classic group.
#[derive(Debug)]
pub(super) struct Classic {
    interval: Duration,
    cooperative: bool,
    member: String,
    generation: i32,
    /// What the effects so far let the owner read.
    owned: Partitions,
    /// The last assignment and its generation, which the sticky assignor goes by.
    last: (Partitions, i32),
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Joins now.
    Out,
    Syncing {
        protocol: String,
        assignments: Assignment,
    },
    In {
        beat_at: Duration,
    },
    /// In the generation still, until the owner has given up what it has to: joins then.
    GivingUp {
        beat_at: Duration,
    },
    /// In no generation, and the owner has yet to learn of it: joins then.
    Lost,
}

impl Classic {
    /// A member that has yet to join by one of `assignors` and will beat every `interval`.
    pub(super) fn new(interval: Duration, assignors: &[Assignor]) -> Classic {
        Classic {
            interval,
            cooperative: assignors.iter().all(|assignor| assignor.is_cooperative()),
            member: String::new(),
            generation: NO_GENERATION,
            owned: Partitions::new(),
            last: (Partitions::new(), NO_GENERATION),
            phase: Phase::Out,
        }
    }

    /// When there is something to ask; None while the owner has something to do first.
    pub(super) fn due(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Out | Phase::Syncing { .. } => Some(Duration::ZERO),
            Phase::In { beat_at } | Phase::GivingUp { beat_at } => Some(*beat_at),
            Phase::Lost => None,
        }
    }

    /// What to ask when it is due.
    pub(super) fn request(&self) -> Request {
        let (member, generation) = (self.member.clone(), self.generation);
        match &self.phase {
            Phase::Out => Request::Join { member, generation, owned: self.owned.clone(), last: self.last.clone() },
            Phase::Syncing { protocol, assignments } => {
                Request::Sync { member, generation, protocol: protocol.clone(), assignments: assignments.clone() }
            }
            Phase::In { .. } | Phase::GivingUp { .. } | Phase::Lost => Request::Beat { member, generation },
        }
    }

    /// Takes an answer in. `topics` has the partitions to share out when this member leads. An error that no joining again mends is
    /// returned.
    pub(super) fn step(
        &mut self,
        now: Duration,
        answer: Answer,
        topics: &Topics,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ErrorCode> {
        match answer {
            Answer::Joined { member, generation, protocol, members } => {
                (self.member, self.generation) = (member, generation);
                let assignor = Assignor::named(&protocol);
                let assignments = members.zip(assignor).map(|(members, assignor)| assignor.assign(&members, topics));
                self.phase = Phase::Syncing { protocol, assignments: assignments.unwrap_or_default() };
            }
            Answer::Synced(assigned) => self.synced(now, assigned, effects),
            Answer::Beaten | Answer::ModernBeaten { .. } => self.beaten(now),
            Answer::Refused { error, member } => return self.refused(error, member, effects),
        }
        Ok(())
    }

    /// The owner has done all that the effects so far say.
    pub(super) fn applied(&mut self) {
        match self.phase {
            Phase::GivingUp { .. } | Phase::Lost => self.phase = Phase::Out,
            Phase::Out | Phase::Syncing { .. } | Phase::In { .. } => {}
        }
    }

    /// Joins again because what is read has changed: by `reads` what is still wanted.
    pub(super) fn resubscribe(&mut self, reads: impl Fn(&str) -> bool, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::In { beat_at } => self.rejoin(beat_at, reads, effects),
            Phase::Syncing { .. } => self.phase = Phase::Out,
            Phase::Out | Phase::GivingUp { .. } | Phase::Lost => {}
        }
    }

    /// Is out of the group, having left it: the owner does not poll.
    pub(super) fn left(&mut self, effects: &mut Vec<Effect>) {
        self.member.clear();
        self.lose(Loss::Late, effects);
    }

    /// Whether the coordinator counts on this member.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::In { .. } | Phase::GivingUp { .. })
    }

    /// Who this member is.
    pub(super) fn identity(&self) -> Identity {
        Identity { member: self.member.clone(), generation: self.generation }
    }

    fn synced(&mut self, now: Duration, assigned: Partitions, effects: &mut Vec<Effect>) {
        let beat_at = now + self.interval;
        let revoked: Partitions = self.owned.difference(&assigned).cloned().collect();
        self.phase = if revoked.is_empty() { Phase::In { beat_at } } else { Phase::GivingUp { beat_at } };
        if !revoked.is_empty() {
            effects.push(Effect::Revoke(revoked));
        }
        self.owned = assigned.clone();
        self.last = (assigned.clone(), self.generation);
        effects.push(Effect::Assign(assigned));
    }

    fn beaten(&mut self, now: Duration) {
        match &mut self.phase {
            Phase::In { beat_at } | Phase::GivingUp { beat_at } => *beat_at = now + self.interval,
            Phase::Out | Phase::Syncing { .. } | Phase::Lost => {}
        }
    }

    fn refused(&mut self, error: ErrorCode, member: String, effects: &mut Vec<Effect>) -> Result<(), ErrorCode> {
        match error {
            ErrorCode::MEMBER_ID_REQUIRED => self.member = member,
            ErrorCode::REBALANCE_IN_PROGRESS => match self.phase {
                Phase::In { beat_at } => self.rejoin(beat_at, |_| true, effects),
                Phase::Syncing { .. } => self.phase = Phase::Out,
                Phase::Out | Phase::GivingUp { .. } | Phase::Lost => {}
            },
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.member.clear();
                self.lose(Loss::Gone, effects);
            }
            ErrorCode::ILLEGAL_GENERATION => self.lose(Loss::Gone, effects),
            // The same is asked again, of the coordinator that is found then.
            error if error.retriable() => {}
            error => return Err(error),
        }
        Ok(())
    }

    /// Gives up what the protocol or the subscription asks for, then joins again.
    fn rejoin(&mut self, beat_at: Duration, reads: impl Fn(&str) -> bool, effects: &mut Vec<Effect>) {
        let keeps = self.cooperative;
        let (kept, revoked): (Partitions, Partitions) =
            std::mem::take(&mut self.owned).into_iter().partition(|place| keeps && reads(&place.topic));
        self.owned = kept;
        self.phase = if revoked.is_empty() { Phase::Out } else { Phase::GivingUp { beat_at } };
        if !revoked.is_empty() {
            effects.push(Effect::Revoke(revoked));
        }
    }

    fn lose(&mut self, loss: Loss, effects: &mut Vec<Effect>) {
        self.generation = NO_GENERATION;
        self.owned.clear();
        self.phase = Phase::Lost;
        effects.push(Effect::Lose(loss));
    }
}
