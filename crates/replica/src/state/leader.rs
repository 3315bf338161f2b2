//! A leader: how far each follower is, who is in sync, what that commits.

use super::{Assignment, Effect};
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::collections::{BTreeMap, BTreeSet};

/// How far a follower is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Progress {
    /// It holds everything before.
    end: Offset,
    /// When it last held everything that the leader had.
    caught_up_at: Monotonic,
    /// When it last fetched, and the leader's end then.
    fetched_at: Monotonic,
    end_at_fetch: Offset,
}

/// What only a leader knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leader {
    me: BrokerId,
    epoch: LeaderEpoch,
    /// Own end when the term began; a follower is not in sync before it has reached it.
    epoch_start: Offset,
    /// What counts of the own log: its end, or its journalled end in durable mode.
    end: Offset,
    followers: BTreeMap<BrokerId, Progress>,
    isr: BTreeSet<BrokerId>,
    /// What the controller was asked to take as `isr`. Until it answers, both sets hold back the watermark.
    proposed: Option<BTreeSet<BrokerId>>,
}

impl Leader {
    pub(super) fn new(me: BrokerId, assignment: &Assignment, end: Offset, now: Monotonic) -> Leader {
        let unknown = Progress { end: Offset(-1), caught_up_at: now, fetched_at: now, end_at_fetch: end };
        let others = assignment.replicas.iter().filter(|replica| **replica != me);
        let mut isr = assignment.isr.clone();
        isr.insert(me);
        Leader {
            me,
            epoch: assignment.leader_epoch,
            epoch_start: end,
            end,
            followers: others.map(|follower| (*follower, unknown)).collect(),
            isr,
            proposed: None,
        }
    }

    /// Its term.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Own log end when the term began.
    #[must_use]
    pub fn epoch_start(&self) -> Offset {
        self.epoch_start
    }

    /// What counts of the own log.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Replicas in sync, as the controller knows them.
    #[must_use]
    pub fn isr(&self) -> &BTreeSet<BrokerId> {
        &self.isr
    }

    /// Whether acks=all can be promised (`min.insync.replicas`, at most the number of replicas).
    #[must_use]
    pub fn has_enough(&self, min_insync: usize) -> bool {
        self.isr.len() >= min_insync.min(self.followers.len() + 1)
    }

    /// Offset before which every replica that is or may be in sync holds everything.
    #[must_use]
    pub fn committed(&self) -> Offset {
        let counts =
            |id: &BrokerId| self.isr.contains(id) || self.proposed.as_ref().is_some_and(|set| set.contains(id));
        let ends = self.followers.iter().filter(|(id, _)| counts(id)).map(|(_, progress)| progress.end);
        ends.fold(self.end, Offset::min)
    }

    pub(super) fn counted(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// The same term with another set of replicas or of those in sync.
    pub(super) fn adopt(&mut self, assignment: &Assignment, now: Monotonic) {
        self.isr.clone_from(&assignment.isr);
        self.isr.insert(self.me);
        self.proposed = None;
        self.followers.retain(|follower, _| assignment.replicas.contains(follower));
        let unknown = Progress { end: Offset(-1), caught_up_at: now, fetched_at: now, end_at_fetch: self.end };
        for replica in assignment.replicas.iter().filter(|replica| **replica != self.me) {
            self.followers.entry(*replica).or_insert(unknown);
        }
    }

    pub(super) fn fetched(&mut self, now: Monotonic, follower: BrokerId, offset: Offset, out: &mut Vec<Effect>) {
        let leader_end = self.end;
        let Some(progress) = self.followers.get_mut(&follower) else { return };
        // It had reached by now what was the end at its fetch before: it was caught up then.
        if offset >= leader_end {
            progress.caught_up_at = now;
        } else if offset >= progress.end_at_fetch {
            progress.caught_up_at = progress.caught_up_at.max(progress.fetched_at);
        }
        progress.end = offset;
        progress.fetched_at = now;
        progress.end_at_fetch = leader_end;
        let joins = offset >= self.committed().max(self.epoch_start) && !self.isr.contains(&follower);
        if joins && self.proposed.is_none() {
            let mut wider = self.isr.clone();
            wider.insert(follower);
            self.propose(wider, out);
        }
    }

    pub(super) fn tick(&mut self, now: Monotonic, lag_max: u64, out: &mut Vec<Effect>) {
        if self.proposed.is_some() {
            return;
        }
        let end = self.end;
        let lags = |progress: &Progress| progress.end < end && now.0.saturating_sub(progress.caught_up_at.0) > lag_max;
        let mut narrower = self.isr.clone();
        narrower.retain(|id| self.followers.get(id).is_none_or(|progress| !lags(progress)));
        if narrower != self.isr {
            self.propose(narrower, out);
        }
    }

    pub(super) fn isr_refused(&mut self) {
        self.proposed = None;
    }

    fn propose(&mut self, isr: BTreeSet<BrokerId>, out: &mut Vec<Effect>) {
        out.push(Effect::ProposeIsr(isr.clone()));
        self.proposed = Some(isr);
    }
}
