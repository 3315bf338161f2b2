//! Without a leader and behind one: finding it, fetching from it, cutting the log where it parts from the leader's.

use super::State;
use super::event::{Answer, Body, Breach, CallId, Effect, Found, Refusal, Request, RequestToken};
use super::ids::{Endpoint, OffsetAndEpoch, ReplicaKey};
use super::role::Role;
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};

/// What a leader says of itself in BeginQuorumEpoch and EndQuorumEpoch.
pub(super) struct LeaderClaim {
    pub(super) leader: BrokerId,
    pub(super) epoch: LeaderEpoch,
    pub(super) endpoints: Vec<Endpoint>,
}

impl State {
    pub(super) fn become_follower(
        &mut self,
        epoch: LeaderEpoch,
        leader: BrokerId,
        now: Monotonic,
        out: &mut Vec<Effect>,
    ) {
        // A vote binds for its epoch.
        let voted = if epoch == self.epoch { self.election().voted } else { None };
        self.fail_waiting(out);
        if self.is_reachable(leader) {
            let role = self.follower(leader, voted, now);
            self.enter(epoch, role, out);
        } else {
            let role = self.unattached(Some(leader), voted, now);
            self.enter(epoch, role, out);
        }
    }

    /// Goes by what a peer says of epoch and leader. False if that cannot be.
    pub(super) fn heed(
        &mut self,
        now: Monotonic,
        epoch: LeaderEpoch,
        leader: Option<BrokerId>,
        out: &mut Vec<Effect>,
    ) -> bool {
        if let Some(claimed) = leader.filter(|claimed| !self.is_consistent(epoch, *claimed)) {
            out.push(Effect::Fatal(Breach::TwoLeaders { epoch, known: self.leader(), claimed }));
            return false;
        }
        match leader {
            Some(leader) if epoch > self.epoch => self.become_follower(epoch, leader, now, out),
            None if epoch > self.epoch => self.become_unattached(epoch, None, now, out),
            Some(leader) if self.lacks(leader) => self.become_follower(epoch, leader, now, out),
            Some(_) | None => {}
        }
        true
    }

    fn is_consistent(&self, epoch: LeaderEpoch, claimed: BrokerId) -> bool {
        if claimed == self.me.id {
            return epoch == self.epoch && matches!(self.role, Role::Leader(_) | Role::Resigned(_));
        }
        epoch != self.epoch || self.leader().is_none_or(|known| known == claimed)
    }

    /// Whether the leader of the epoch is news, or is reachable only now.
    fn lacks(&self, leader: BrokerId) -> bool {
        match &self.role {
            Role::Unattached(role) => role.leader.is_none() || self.is_reachable(leader),
            Role::Prospective(role) => role.leader.is_none(),
            Role::Candidate(_) => true,
            Role::Follower(_) | Role::Leader(_) | Role::Resigned(_) => false,
        }
    }

    fn learn(&mut self, leader: BrokerId, endpoints: &[Endpoint]) {
        if !endpoints.is_empty() && leader != self.me.id && self.endpoints(leader) != endpoints {
            self.told.insert(leader, endpoints.to_vec());
        }
    }

    pub(super) fn on_begin_epoch(
        &mut self,
        now: Monotonic,
        token: RequestToken,
        (claim, voter): (&LeaderClaim, Option<ReplicaKey>),
        out: &mut Vec<Effect>,
    ) {
        let mut refusal = self.peer_refusal(claim.leader, claim.epoch);
        if refusal.is_none() {
            self.learn(claim.leader, &claim.endpoints);
            if !self.heed(now, claim.epoch, Some(claim.leader), out) {
                return;
            }
            refusal = self.other_voter(voter);
        }
        let answer = self.answer(refusal, Body::BeginEpoch);
        out.push(Effect::Answer { token, answer });
    }

    pub(super) fn on_end_epoch(
        &mut self,
        now: Monotonic,
        token: RequestToken,
        (claim, successors): (&LeaderClaim, &[ReplicaKey]),
        out: &mut Vec<Effect>,
    ) {
        let refusal = self.peer_refusal(claim.leader, claim.epoch);
        if refusal.is_none() {
            self.learn(claim.leader, &claim.endpoints);
            if !self.heed(now, claim.epoch, Some(claim.leader), out) {
                return;
            }
            let me = self.me;
            let position = successors.iter().position(|key| key.admits(&me)).unwrap_or(successors.len());
            let backoff = match successors.len() {
                0 => std::time::Duration::ZERO,
                many => self.timing.successor_backoff(position, many),
            };
            if let Some(role) = self.follower_role().filter(|role| role.leader == claim.leader) {
                role.fetch = now + backoff;
            }
        }
        let answer = self.answer(refusal, Body::EndEpoch);
        out.push(Effect::Answer { token, answer });
    }

    pub(super) fn poll_unattached(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let Role::Unattached(role) = &self.role else { return };
        let due = role.election.is_some_and(|at| at <= now);
        if due && self.is_voter() && !self.stopping {
            self.become_prospective(now, out);
        } else {
            self.ask_anybody(now, out);
        }
    }

    pub(super) fn poll_follower(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let Role::Follower(role) = &self.role else { return };
        let (leader, appending) = (role.leader, role.appending);
        if self.stopping || appending {
            return;
        }
        if role.fetch <= now && self.is_voter() {
            self.become_prospective(now, out);
        } else if self.peers.is_overdue(leader, now) {
            self.peers.reset_one(leader);
            self.ask_anybody(now, out);
        } else if self.peers.is_resting(leader, now) {
            self.ask_anybody(now, out);
        } else if !self.peers.any_busy(now) && self.is_flushed(out) {
            let request = self.next_fetch();
            self.send(now, leader, request, out);
        }
    }

    /// Whether a fetch may be sent: the leader takes its place for durable. If not, a flush is asked for. Records of a
    /// former leadership and recovered ones may not be on the device.
    fn is_flushed(&mut self, out: &mut Vec<Effect>) -> bool {
        let flushed = self.flushed >= self.log.end;
        if !flushed && !self.flushing {
            self.flushing = true;
            out.push(Effect::Flush);
        }
        flushed
    }

    /// Fetches from a voter or bootstrap server, one after the other, only to learn who leads.
    fn ask_anybody(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        if self.peers.any_busy(now) {
            return;
        }
        let mut candidates: Vec<BrokerId> = self.other_voters().chain(self.bootstrap.iter().copied()).collect();
        let after = candidates.iter().position(|id| Some(*id) == self.last_asked).map_or(0, |at| at + 1);
        let after = after.min(candidates.len());
        candidates.rotate_left(after);
        if let Some(to) = candidates.into_iter().find(|id| self.peers.is_free(*id, now))
            && self.is_flushed(out)
        {
            self.last_asked = Some(to);
            let request = self.fetch_request();
            self.send(now, to, request, out);
        }
    }

    fn next_fetch(&self) -> Request {
        match &self.role {
            Role::Follower(role) => match role.snapshot {
                Some((snapshot, position)) => {
                    Request::FetchSnapshot { replica: self.me, epoch: self.epoch, snapshot, position }
                }
                None => self.fetch_request(),
            },
            Role::Unattached(_) | Role::Prospective(_) | Role::Candidate(_) | Role::Leader(_) | Role::Resigned(_) => {
                self.fetch_request()
            }
        }
    }

    fn fetch_request(&self) -> Request {
        Request::Fetch {
            replica: self.me,
            epoch: self.epoch,
            from: self.log.last(),
            high_watermark: self.committed,
            max_wait: self.timing.fetch_wait,
        }
    }

    pub(super) fn on_response(&mut self, now: Monotonic, call: CallId, answer: Answer, out: &mut Vec<Effect>) {
        let Some(from) = self.peers.answered(call) else { return };
        if matches!(answer.body, Body::Vote { .. }) && self.on_vote_unsupported(now, &answer, out) {
            return;
        }
        if let Some(leader) = answer.leader {
            self.learn(leader, &answer.endpoints);
        }
        if !self.is_current(now, from, &answer, out) {
            return;
        }
        match (answer.refusal, answer.body) {
            (None, Body::Vote { granted }) => self.on_vote_answer(now, from, granted, out),
            (None, Body::BeginEpoch) => {}
            (None, Body::EndEpoch) => self.on_resignation_known(from),
            (None, Body::Fetch { high_watermark, found }) => {
                self.on_fetched(now, call, (high_watermark, found), out);
            }
            (refusal, body @ Body::FetchSnapshot { .. }) => self.on_snapshot_piece(now, call, (refusal, body), out),
            (Some(_), Body::Vote { .. } | Body::BeginEpoch | Body::EndEpoch | Body::Fetch { .. }) => {
                self.peers.rest(from, now + self.timing.retry_backoff);
            }
        }
    }

    /// Sorts out answers of other epochs and failures that all requests share. True if the rest counts.
    fn is_current(&mut self, now: Monotonic, from: BrokerId, answer: &Answer, out: &mut Vec<Effect>) -> bool {
        let Answer { refusal, epoch, leader, .. } = answer;
        if *epoch < self.epoch || *refusal == Some(Refusal::UnknownEpoch) {
            return false;
        }
        if *epoch > self.epoch || matches!(refusal, Some(Refusal::FencedEpoch | Refusal::NotLeader)) {
            let before = self.epoch;
            self.heed(now, *epoch, *leader, out);
            if before == self.epoch && matches!(refusal, Some(Refusal::NotLeader)) {
                // Nothing learnt: do not ask again at once.
                self.peers.rest(from, now + self.timing.retry_backoff);
            }
            return false;
        }
        if leader.is_some() && self.leader().is_none() {
            return self.heed(now, *epoch, *leader, out) && refusal.is_none();
        }
        match refusal {
            Some(Refusal::NotAvailable) => {
                self.peers.rest(from, now + self.timing.retry_backoff);
                false
            }
            Some(Refusal::InvalidVoterKey) => {
                self.peers.rest(from, now + self.timing.retry_backoff);
                false
            }
            Some(Refusal::InvalidRequest) => {
                out.push(Effect::Fatal(Breach::CalledInvalid { by: from }));
                false
            }
            Some(_) | None => true,
        }
    }

    fn on_fetched(
        &mut self,
        now: Monotonic,
        call: CallId,
        (high_watermark, found): (Option<Offset>, Found),
        out: &mut Vec<Effect>,
    ) {
        let fetch = now + self.timing.fetch;
        let end = self.log.end;
        let Some(role) = self.follower_role() else { return };
        role.fetch = fetch;
        role.fetched = true;
        role.high_watermark = role.high_watermark.max(high_watermark);
        match found {
            Found::Records { from } if from == end => {
                role.appending = true;
                out.push(Effect::AppendFetched { call });
            }
            Found::Records { .. } => {}
            Found::Diverging(at) => self.cut(at, out),
            Found::Snapshot(snapshot) => self.want_snapshot(snapshot),
        }
    }

    fn cut(&mut self, diverging: OffsetAndEpoch, out: &mut Vec<Effect>) {
        let to = self.log.cut_for(diverging);
        if let Some(committed) = self.committed.filter(|committed| to < *committed) {
            out.push(Effect::Fatal(Breach::TruncationBelowCommitted { to, committed }));
            return;
        }
        self.log.truncate(to);
        self.flushed = self.flushed.min(to);
        self.voters.truncate(to);
        out.push(Effect::Truncate { to });
    }

    fn want_snapshot(&mut self, snapshot: OffsetAndEpoch) {
        let held = self.log.snapshots.contains(&snapshot) || self.committed.is_some_and(|end| snapshot.offset < end);
        if let Some(role) = self.follower_role().filter(|_| !held && snapshot.offset.0 > 0) {
            role.snapshot = Some((snapshot, 0));
        }
    }

    fn on_snapshot_piece(
        &mut self,
        now: Monotonic,
        call: CallId,
        (refusal, body): (Option<Refusal>, Body),
        out: &mut Vec<Effect>,
    ) {
        let fetch = now + self.timing.fetch;
        let Body::FetchSnapshot { snapshot, position, length, size } = body else { return };
        let Some(role) = self.follower_role() else { return };
        role.fetch = fetch;
        role.fetched = true;
        if refusal.is_some() || role.snapshot != Some((snapshot, position)) {
            // The leader has deleted it, or speaks of another: start over with a fetch.
            role.snapshot = None;
            return;
        }
        out.push(Effect::StoreSnapshotPiece { call, snapshot, position });
        role.snapshot = Some((snapshot, position + length));
        if position + length >= size {
            role.snapshot = None;
            self.adopt(snapshot, out);
        }
    }

    fn adopt(&mut self, snapshot: OffsetAndEpoch, out: &mut Vec<Effect>) {
        self.log.restart_at(snapshot);
        self.flushed = snapshot.offset;
        self.voters.clear();
        out.push(Effect::AdoptSnapshot { snapshot });
        self.commit(snapshot.offset, out);
    }

    /// Fetched records are durable: the next fetch tells the leader so.
    pub(super) fn on_appended(&mut self, end: Offset, epochs: &[(LeaderEpoch, Offset)], out: &mut Vec<Effect>) {
        if end < self.log.end {
            out.push(Effect::Fatal(Breach::LogWentBack { said: end, known: self.log.end }));
            return;
        }
        for (epoch, start) in epochs {
            self.log.begin_epoch(*epoch, *start);
        }
        self.log.end = end;
        self.flushed = end;
        let Some(role) = self.follower_role() else { return };
        role.appending = false;
        if let Some(high_watermark) = role.high_watermark {
            self.commit(high_watermark.min(end), out);
        }
    }

    /// All before `end` is committed; what was stays.
    pub(super) fn commit(&mut self, end: Offset, out: &mut Vec<Effect>) {
        if self.committed.is_none_or(|committed| committed < end) {
            self.committed = Some(end);
            out.push(Effect::Commit { end });
        }
    }
}
