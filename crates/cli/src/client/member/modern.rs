//! The protocol of KIP-848: one heartbeat says what the member reads and learns what it is to read.

use super::{Answer, Effect, Identity, Loss, Partitions, Request};
use ottla_wire::error::ErrorCode;
use std::time::Duration;

/// Epoch of a member that joins.
const JOINING: i32 = 0;

/// A member of a group of the type `consumer`.
#[derive(Debug)]
pub(super) struct Modern {
    member: String,
    epoch: i32,
    /// What the effects so far let the owner read.
    owned: Partitions,
    beat_at: Duration,
    tell: Tell,
    /// Whether the coordinator has yet to be told the subscription.
    tell_topics: bool,
}

/// What the coordinator knows of `owned`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tell {
    /// All.
    Told,
    /// It is to be told once the owner has changed over: others get then what was given up.
    OnceApplied,
    /// It is to be told now.
    Now,
    /// It is to be told as soon as the owner knows that all is lost: the member joins then.
    OnceLost,
}

impl Modern {
    /// A member of the given id that has yet to join.
    pub(super) fn new(member: String) -> Modern {
        let (owned, beat_at) = (Partitions::new(), Duration::ZERO);
        Modern { member, epoch: JOINING, owned, beat_at, tell: Tell::Now, tell_topics: true }
    }

    /// When there is something to ask; None while the owner has something to do first.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.tell {
            Tell::OnceLost => None,
            Tell::Now => Some(Duration::ZERO),
            Tell::Told | Tell::OnceApplied if self.tell_topics => Some(Duration::ZERO),
            Tell::Told | Tell::OnceApplied => Some(self.beat_at),
        }
    }

    /// What to ask when it is due.
    pub(super) fn request(&self) -> Request {
        Request::ModernBeat {
            epoch: self.epoch,
            owned: (self.tell == Tell::Now).then(|| self.owned.clone()),
            subscribe: self.tell_topics,
        }
    }

    /// Takes an answer in; an error that no joining again mends is returned.
    pub(super) fn step(&mut self, now: Duration, answer: Answer, effects: &mut Vec<Effect>) -> Result<(), ErrorCode> {
        match answer {
            Answer::ModernBeaten { epoch, interval, assignment } => {
                (self.epoch, self.beat_at) = (epoch, now + interval);
                self.tell_topics = false;
                if self.tell == Tell::Now {
                    self.tell = Tell::Told;
                }
                if let Some(assignment) = assignment {
                    self.assigned(assignment, effects);
                }
                Ok(())
            }
            Answer::Refused { error: ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_MEMBER_EPOCH, .. } => {
                self.lose(Loss::Gone, effects);
                Ok(())
            }
            Answer::Refused { error, .. } if error.retriable() => Ok(()),
            Answer::Refused { error, .. } => Err(error),
            Answer::Joined { .. } | Answer::Synced(_) | Answer::Beaten => Ok(()),
        }
    }

    /// The owner has done all that the effects so far say.
    pub(super) fn applied(&mut self) {
        match self.tell {
            Tell::OnceApplied | Tell::OnceLost => self.tell = Tell::Now,
            Tell::Told | Tell::Now => {}
        }
    }

    /// Tells the coordinator the subscription again.
    pub(super) fn resubscribe(&mut self) {
        self.tell_topics = true;
    }

    /// Is out of the group, having left it: the owner does not poll.
    pub(super) fn left(&mut self, effects: &mut Vec<Effect>) {
        self.lose(Loss::Late, effects);
    }

    /// Whether the coordinator counts on this member.
    pub(super) fn is_member(&self) -> bool {
        self.epoch != JOINING
    }

    /// Who this member is.
    pub(super) fn identity(&self) -> Identity {
        Identity { member: self.member.clone(), generation: self.epoch }
    }

    /// Changes over to a new assignment.
    fn assigned(&mut self, assignment: Partitions, effects: &mut Vec<Effect>) {
        let revoked: Partitions = self.owned.difference(&assignment).cloned().collect();
        if !revoked.is_empty() {
            effects.push(Effect::Revoke(revoked));
        }
        if assignment != self.owned {
            self.tell = Tell::OnceApplied;
        }
        self.owned = assignment.clone();
        effects.push(Effect::Assign(assignment));
    }

    fn lose(&mut self, loss: Loss, effects: &mut Vec<Effect>) {
        self.epoch = JOINING;
        (self.tell, self.tell_topics) = (Tell::OnceLost, true);
        self.owned.clear();
        effects.push(Effect::Lose(loss));
    }
}
