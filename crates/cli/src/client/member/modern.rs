//! The protocol of KIP-848: one heartbeat says what the member reads and learns what it is to read.

use super::{Answer, Effect, Identity, Partitions, Request};
use ottla_wire::error::ErrorCode;
use std::time::Duration;

/// Epoch of a member that joins.
const JOINING: i32 = 0;

/// A member of a group of the type `consumer`.
#[derive(Debug)]
pub(super) struct Modern {
    member: String,
    epoch: i32,
    owned: Partitions,
    beat_at: Duration,
    /// Whether the coordinator has yet to be told what this member reads.
    tell_owned: bool,
    /// Whether the coordinator has yet to be told the subscription.
    tell_topics: bool,
}

impl Modern {
    /// A member of the given id that has yet to join.
    pub(super) fn new(member: String) -> Modern {
        let owned = Partitions::new();
        Modern { member, epoch: JOINING, owned, beat_at: Duration::ZERO, tell_owned: true, tell_topics: true }
    }

    /// What to ask now; None while there is nothing to do.
    pub(super) fn next(&self, now: Duration) -> Option<Request> {
        let due = now >= self.beat_at || self.tell_owned || self.tell_topics;
        due.then(|| Request::ModernBeat {
            epoch: self.epoch,
            owned: self.tell_owned.then(|| self.owned.clone()),
            subscribe: self.tell_topics,
        })
    }

    /// Takes an answer in; an error that no joining again mends is returned.
    pub(super) fn step(&mut self, now: Duration, answer: Answer, effects: &mut Vec<Effect>) -> Result<(), ErrorCode> {
        match answer {
            Answer::ModernBeaten { epoch, interval, assignment } => {
                (self.epoch, self.beat_at) = (epoch, now + interval);
                (self.tell_owned, self.tell_topics) = (false, false);
                if let Some(assignment) = assignment {
                    self.assigned(assignment, effects);
                }
                Ok(())
            }
            Answer::Refused { error: ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_MEMBER_EPOCH, .. } => {
                self.lose(effects);
                Ok(())
            }
            Answer::Refused { error, .. } if error.retriable() => Ok(()),
            Answer::Refused { error, .. } => Err(error),
            Answer::Joined { .. } | Answer::Synced(_) | Answer::Beaten => Ok(()),
        }
    }

    /// Tells the coordinator the subscription again.
    pub(super) fn resubscribe(&mut self) {
        self.tell_topics = true;
    }

    /// Who this member is.
    pub(super) fn identity(&self) -> Identity {
        Identity { member: self.member.clone(), generation: self.epoch }
    }

    /// Changes over to a new assignment; the coordinator gives what is revoked to others once it is told.
    fn assigned(&mut self, assignment: Partitions, effects: &mut Vec<Effect>) {
        let revoked: Partitions = self.owned.difference(&assignment).cloned().collect();
        if !revoked.is_empty() {
            effects.push(Effect::Revoke(revoked));
        }
        self.tell_owned = assignment != self.owned;
        self.owned = assignment.clone();
        effects.push(Effect::Assign(assignment));
    }

    fn lose(&mut self, effects: &mut Vec<Effect>) {
        self.epoch = JOINING;
        (self.tell_owned, self.tell_topics) = (true, true);
        if !self.owned.is_empty() {
            effects.push(Effect::Lose(std::mem::take(&mut self.owned)));
        }
    }
}
