//! Leading: who has fetched how far, what a majority holds, and stepping down (KIP-595).

use super::State;
use super::event::{Answer, Body, Breach, Effect, Found, Refusal, Request, RequestToken};
use super::facts::Lookup;
use super::ids::{OffsetAndEpoch, ReplicaKey};
use super::role::{Leader, OBSERVER_SESSION, Progress, Resigned, Role, WAITING_FETCHES_MAX};
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A Fetch request's fields that a leader decides by.
#[derive(Clone, Copy)]
pub(super) struct FetchRequest {
    pub(super) replica: ReplicaKey,
    pub(super) epoch: LeaderEpoch,
    pub(super) from: OffsetAndEpoch,
    pub(super) high_watermark: Option<Offset>,
}

impl Leader {
    fn is_voter(&self, key: &ReplicaKey) -> bool {
        self.voters.get(&key.id).is_some_and(|progress| progress.key.admits(key))
    }

    fn progress(&mut self, key: ReplicaKey) -> &mut Progress {
        if self.is_voter(&key) {
            return self.voters.entry(key.id).or_insert_with(|| Progress::new(key));
        }
        self.observers.entry(key).or_insert_with(|| Progress::new(key))
    }

    /// The greatest offset that a majority of the voters holds durably.
    fn held_by_majority(&self) -> Option<Offset> {
        let mut ends: Vec<Option<Offset>> = self.voters.values().map(|progress| progress.end).collect();
        ends.sort_by_key(|end| Reverse(*end));
        ends.get(self.voters.len() / 2).copied().flatten()
    }

    /// Voters but the leader, the most complete log first.
    fn successors(&self, me: BrokerId) -> Vec<ReplicaKey> {
        let mut others: Vec<&Progress> = self.voters.values().filter(|progress| progress.key.id != me).collect();
        others.sort_by_key(|progress| (Reverse(progress.end), progress.key));
        others.into_iter().map(|progress| progress.key).collect()
    }
}

impl State {
    pub(super) fn become_leader(&mut self, now: Monotonic, granting: Vec<BrokerId>, out: &mut Vec<Effect>) {
        let epoch = self.epoch;
        let voters: BTreeMap<BrokerId, Progress> =
            self.voters.last().iter().map(|voter| (voter.key.id, Progress::new(voter.key))).collect();
        let ids = voters.keys().copied().collect();
        let role = Leader {
            epoch_start: self.log.end,
            voters,
            observers: BTreeMap::new(),
            // Unknown until a record of this epoch is committed, lest it go back for those who ask.
            high_watermark: None,
            check_quorum: now + self.timing.check_quorum(),
            fetched: BTreeSet::new(),
            begin_epoch: now,
            waiting: BTreeMap::new(),
            resigning: false,
        };
        self.log.begin_epoch(epoch, self.log.end);
        self.enter(epoch, Role::Leader(Box::new(role)), out);
        out.push(Effect::AppendEpochStart { epoch, voters: ids, granting });
    }

    pub(super) fn on_written(&mut self, now: Monotonic, end: Offset, out: &mut Vec<Effect>) {
        if end < self.log.end {
            out.push(Effect::Fatal(Breach::LogWentBack { said: end, known: self.log.end }));
            return;
        }
        self.log.end = end;
        self.wake_waiting(now, |from| from < end, out);
    }

    pub(super) fn on_flushed(&mut self, now: Monotonic, end: Offset, out: &mut Vec<Effect>) {
        let (me, known) = (self.me, self.log.end);
        // A truncation may have come between.
        self.flushed = self.flushed.max(end.min(known));
        self.flushing = false;
        let Some(role) = self.leader_role() else { return };
        let own = role.progress(me);
        if end > known || own.end.is_some_and(|before| end < before) {
            out.push(Effect::Fatal(Breach::LogWentBack { said: known.min(end), known: known.max(end) }));
            return;
        }
        own.end = Some(end);
        self.advance(now, out);
    }

    /// Raises the high watermark to what a majority holds, once that reaches into this epoch: a leader counts replicas
    /// only of records of its own epoch, the older ones are committed with them.
    fn advance(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let Some(role) = self.leader_role() else { return };
        let Some(held) = role.held_by_majority().filter(|held| *held > role.epoch_start) else { return };
        if role.high_watermark.is_some_and(|known| held <= known) {
            return;
        }
        role.high_watermark = Some(held);
        self.commit(held, out);
        self.publish(out);
        self.wake_waiting(now, |_| true, out);
    }

    pub(super) fn voters_changed(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let keys: Vec<ReplicaKey> = self.voters.last().iter().map(|voter| voter.key).collect();
        if let Some(role) = self.leader_role() {
            let mut before = std::mem::take(&mut role.voters);
            for key in keys {
                let fresh = || Progress::new(key);
                let voter = before.remove(&key.id).filter(|known| known.key.admits(&key));
                let mut progress = voter.or_else(|| role.observers.remove(&key)).unwrap_or_else(fresh);
                progress.key = key;
                role.voters.insert(key.id, progress);
            }
            role.observers.extend(before.into_values().map(|progress| (progress.key, progress)));
            role.fetched.retain(|id| role.voters.contains_key(id));
            self.advance(now, out);
        }
        let election = now + self.election_timeout();
        let voter = self.is_voter();
        if let Role::Unattached(role) = &mut self.role {
            role.election = voter.then(|| role.election.unwrap_or(election));
        }
    }

    /// Requests that only a leader of this very epoch answers.
    pub(super) fn leader_refusal(&self, epoch: LeaderEpoch) -> Option<Refusal> {
        if epoch < self.epoch {
            Some(Refusal::FencedEpoch)
        } else if epoch > self.epoch {
            Some(Refusal::UnknownEpoch)
        } else if !matches!(self.role, Role::Leader(_)) {
            Some(Refusal::NotLeader)
        } else if self.stopping {
            Some(Refusal::NotAvailable)
        } else {
            None
        }
    }

    pub(super) fn on_fetch(
        &mut self,
        now: Monotonic,
        token: RequestToken,
        (fetch, request): (FetchRequest, Request),
        out: &mut Vec<Effect>,
    ) {
        let answer = self.serve_fetch(now, fetch, out);
        let end = self.log.end;
        let max_wait = if let Request::Fetch { max_wait, .. } = &request { *max_wait } else { return };
        let idle = match &answer.body {
            Body::Fetch { found: Found::Records { from }, high_watermark } => {
                *from >= end && *high_watermark <= fetch.high_watermark
            }
            Body::Fetch { .. } | Body::Vote { .. } | Body::BeginEpoch | Body::EndEpoch | Body::FetchSnapshot { .. } => {
                false
            }
        };
        match self.leader_role() {
            Some(role)
                if idle
                    && answer.refusal.is_none()
                    && !max_wait.is_zero()
                    && role.waiting.len() < WAITING_FETCHES_MAX =>
            {
                role.waiting.insert(token, (now + max_wait, request));
            }
            Some(_) | None => out.push(Effect::Answer { token, answer }),
        }
    }

    /// What a replica gets now. Its place counts as held by it if the logs agree.
    fn serve_fetch(&mut self, now: Monotonic, fetch: FetchRequest, out: &mut Vec<Effect>) -> Answer {
        let from = fetch.from;
        let invalid =
            from.offset.0 < 0 || from.epoch.0 < 0 || from.epoch > fetch.epoch || fetch.replica.id == self.me.id;
        let refusal = if invalid { Some(Refusal::InvalidRequest) } else { self.leader_refusal(fetch.epoch) };
        let mut found = Found::Records { from: from.offset };
        if refusal.is_none() {
            match self.log.lookup(from) {
                Lookup::Valid => self.note_fetch(now, fetch, out),
                Lookup::Diverging(at) => found = Found::Diverging(at),
                Lookup::Snapshot(snapshot) => found = Found::Snapshot(snapshot),
            }
        }
        let high_watermark = self.leader_role().filter(|_| refusal.is_none()).and_then(|role| role.high_watermark);
        self.answer(refusal, Body::Fetch { high_watermark, found })
    }

    fn note_fetch(&mut self, now: Monotonic, fetch: FetchRequest, out: &mut Vec<Effect>) {
        let leader_end = self.log.end;
        if fetch.replica.id.0 < 0 {
            return;
        }
        let Some(role) = self.leader_role() else { return };
        role.progress(fetch.replica).fetched(now, fetch.from.offset, leader_end);
        let voter = role.is_voter(&fetch.replica);
        self.count_fetch(now, fetch.replica);
        if voter {
            self.advance(now, out);
        }
    }

    /// A majority of fetching voters puts the next look at the quorum off.
    fn count_fetch(&mut self, now: Monotonic, replica: ReplicaKey) {
        let me = self.me.id;
        let again = now + self.timing.check_quorum();
        let Some(role) = self.leader_role() else { return };
        if role.is_voter(&replica) {
            role.fetched.insert(replica.id);
        }
        let majority = role.voters.len() / 2 + 1 - usize::from(role.voters.contains_key(&me));
        if role.fetched.len() >= majority {
            role.fetched.clear();
            role.check_quorum = again;
        }
    }

    pub(super) fn on_fetch_snapshot(
        &mut self,
        now: Monotonic,
        token: RequestToken,
        (fetch, position): (FetchRequest, u64),
        out: &mut Vec<Effect>,
    ) {
        let snapshot = fetch.from;
        let mut refusal = self.leader_refusal(fetch.epoch);
        if refusal.is_none() {
            let held = self.log.snapshots.contains(&snapshot) && snapshot != OffsetAndEpoch::BOOTSTRAP;
            refusal = (!held).then_some(Refusal::SnapshotNotFound);
        }
        if refusal.is_none() {
            self.count_fetch(now, fetch.replica);
        }
        let answer = self.answer(refusal, Body::FetchSnapshot { snapshot, position, length: 0, size: 0 });
        out.push(Effect::Answer { token, answer });
    }

    /// Answers the waiting fetches for whose place `is_news` holds, and those that have waited long enough.
    fn wake_waiting(&mut self, now: Monotonic, is_news: impl Fn(Offset) -> bool, out: &mut Vec<Effect>) {
        let Some(role) = self.leader_role() else { return };
        let woken: Vec<(RequestToken, Request)> = role
            .waiting
            .extract_if(.., |_, (deadline, request)| {
                *deadline <= now || matches!(request, Request::Fetch { from, .. } if is_news(from.offset))
            })
            .map(|(token, (_, request))| (token, request))
            .collect();
        for (token, request) in woken {
            if let Request::Fetch { replica, epoch, from, high_watermark, .. } = request {
                let answer = self.serve_fetch(now, FetchRequest { replica, epoch, from, high_watermark }, out);
                out.push(Effect::Answer { token, answer });
            }
        }
    }

    /// Sends waiting fetches away: this replica leads no more.
    pub(super) fn fail_waiting(&mut self, out: &mut Vec<Effect>) {
        let Some(role) = self.leader_role() else { return };
        for (token, (_, request)) in std::mem::take(&mut role.waiting) {
            if let Request::Fetch { from, .. } = request {
                let body = Body::Fetch { high_watermark: None, found: Found::Records { from: from.offset } };
                let answer = self.answer(Some(Refusal::NotLeader), body);
                out.push(Effect::Answer { token, answer });
            }
        }
    }

    pub(super) fn ask_to_resign(&mut self) {
        if let Some(role) = self.leader_role() {
            role.resigning = true;
        }
    }

    pub(super) fn leader_deadline(&self, role: &Leader) -> Option<Monotonic> {
        if role.voters.len() == 1 && role.waiting.is_empty() {
            return None;
        }
        let waiting = role.waiting.values().map(|(deadline, _)| *deadline).min();
        let quorum = (role.voters.len() > 1).then_some(role.check_quorum.min(role.begin_epoch));
        [waiting, quorum].into_iter().flatten().min()
    }

    pub(super) fn poll_leader(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let stopping = self.stopping;
        let me = self.me.id;
        let Some(role) = self.leader_role() else { return };
        let alone = role.voters.len() > 1 && role.check_quorum <= now;
        if stopping || role.resigning || alone {
            let successors = role.successors(me);
            self.become_resigned(now, successors, out);
            return;
        }
        role.observers.retain(|_, progress| progress.last_fetch.is_some_and(|at| now.since(at) < OBSERVER_SESSION));
        self.announce(now, out);
        self.wake_waiting(now, |_| false, out);
    }

    /// Tells voters of the epoch that have not fetched for a while.
    fn announce(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let me = self.me.id;
        let every = self.timing.begin_epoch();
        let Some(role) = self.leader_role() else { return };
        if role.begin_epoch > now {
            return;
        }
        role.begin_epoch = now + every;
        let silent =
            |progress: &&Progress| progress.key.id != me && progress.last_fetch.is_none_or(|at| now.since(at) >= every);
        let silent: Vec<ReplicaKey> = role.voters.values().filter(silent).map(|progress| progress.key).collect();
        let endpoints = self.endpoints(me).to_vec();
        for voter in silent {
            if self.peers.is_free(voter.id, now) {
                let endpoints = endpoints.clone();
                let request = Request::BeginEpoch { leader: me, epoch: self.epoch, voter: Some(voter), endpoints };
                self.send(now, voter.id, request, out);
            }
        }
    }

    fn become_resigned(&mut self, now: Monotonic, successors: Vec<ReplicaKey>, out: &mut Vec<Effect>) {
        self.fail_waiting(out);
        let role = Resigned {
            unacknowledged: self.other_voters().collect(),
            successors,
            election: now + self.election_timeout(),
        };
        self.enter(self.epoch, Role::Resigned(role), out);
    }

    pub(super) fn on_resignation_known(&mut self, by: BrokerId) {
        if let Role::Resigned(role) = &mut self.role {
            role.unacknowledged.remove(&by);
        }
    }

    pub(super) fn poll_resigned(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let Role::Resigned(role) = &self.role else { return };
        if role.election <= now && !self.stopping {
            // A higher epoch: in this one others take this replica for the leader.
            self.become_unattached(LeaderEpoch(self.epoch.0 + 1), None, now, out);
            return;
        }
        let free: Vec<BrokerId> =
            role.unacknowledged.iter().copied().filter(|id| self.peers.is_free(*id, now)).collect();
        let successors = role.successors.clone();
        for id in free {
            let request = Request::EndEpoch {
                leader: self.me.id,
                epoch: self.epoch,
                successors: successors.clone(),
                endpoints: self.endpoints(self.me.id).to_vec(),
            };
            self.send(now, id, request, out);
        }
    }
}
