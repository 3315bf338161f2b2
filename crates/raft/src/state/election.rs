//! Votes: who gets ours, and how this replica comes to lead (KIP-595, KIP-996).

use super::State;
use super::event::{Answer, Body, Effect, Refusal, Request, RequestToken};
use super::ids::{OffsetAndEpoch, ReplicaKey};
use super::role::{Ballots, Candidate, Prospective, Role, Unattached};
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, LeaderEpoch};

/// A Vote request's fields.
pub(super) struct VoteRequest {
    pub(super) candidate: ReplicaKey,
    pub(super) epoch: LeaderEpoch,
    pub(super) voter: Option<ReplicaKey>,
    pub(super) last: OffsetAndEpoch,
    pub(super) pre_vote: bool,
}

impl State {
    pub(super) fn on_vote(&mut self, now: Monotonic, token: RequestToken, vote: &VoteRequest, out: &mut Vec<Effect>) {
        let refusal = self.vote_refusal(vote);
        if refusal.is_none() && vote.epoch > self.epoch {
            self.become_unattached(vote.epoch, None, now, out);
        }
        let refusal = refusal.or_else(|| self.other_voter(vote.voter));
        let granted = refusal.is_none() && self.would_grant(vote);
        if granted && !vote.pre_vote {
            self.grant(now, vote.candidate, out);
        }
        let answer = self.answer(refusal, Body::Vote { granted });
        out.push(Effect::Answer { token, answer });
    }

    fn vote_refusal(&self, vote: &VoteRequest) -> Option<Refusal> {
        // A candidate stands in a new epoch, so that its log cannot have reached it; in a pre-vote it may have.
        let illegal = if vote.pre_vote { vote.last.epoch > vote.epoch } else { vote.last.epoch >= vote.epoch };
        if illegal || vote.last.epoch.0 < 0 || vote.last.offset.0 < 0 {
            return Some(Refusal::InvalidRequest);
        }
        self.peer_refusal(vote.candidate.id, vote.epoch)
    }

    /// Checks what Vote, BeginQuorumEpoch and EndQuorumEpoch have in common.
    pub(super) fn peer_refusal(&self, peer: BrokerId, epoch: LeaderEpoch) -> Option<Refusal> {
        if epoch < self.epoch {
            Some(Refusal::FencedEpoch)
        } else if peer.0 < 0 {
            Some(Refusal::InvalidRequest)
        } else {
            None
        }
    }

    /// A request for another replica, perhaps this node before its disk was emptied.
    pub(super) fn other_voter(&self, voter: Option<ReplicaKey>) -> Option<Refusal> {
        voter.filter(|voter| !voter.admits(&self.me)).map(|_| Refusal::InvalidVoterKey)
    }

    fn would_grant(&self, vote: &VoteRequest) -> bool {
        let complete = vote.last >= self.log.last();
        match &self.role {
            Role::Unattached(Unattached { leader, voted, .. })
            | Role::Prospective(Prospective { leader, voted, .. }) => match (vote.pre_vote, voted) {
                (true, _) => complete,
                (false, Some(voted)) => voted.admits(&vote.candidate),
                (false, None) => leader.is_none() && complete,
            },
            // Who hears from a leader does not help to unseat it.
            Role::Follower(role) => vote.pre_vote && !role.fetched && complete,
            Role::Candidate(_) | Role::Resigned(_) => vote.pre_vote && complete,
            Role::Leader(_) => false,
        }
    }

    fn grant(&mut self, now: Monotonic, candidate: ReplicaKey, out: &mut Vec<Effect>) {
        let election = now + self.election_timeout();
        match &mut self.role {
            Role::Unattached(role) if role.voted.is_none() => {
                role.voted = Some(candidate);
                role.election = role.election.map(|_| election);
            }
            Role::Prospective(role) if role.voted.is_none() => {
                role.voted = Some(candidate);
                role.ballots = Ballots::with_own(self.me.id, self.voters.last());
                role.election = election;
            }
            Role::Unattached(_)
            | Role::Prospective(_)
            | Role::Candidate(_)
            | Role::Follower(_)
            | Role::Leader(_)
            | Role::Resigned(_) => {}
        }
        self.persist(out);
    }

    /// Goes without a leader, in `epoch` or in the same one after a lost pre-vote; a running election timer runs on.
    pub(super) fn become_unattached(
        &mut self,
        epoch: LeaderEpoch,
        leader: Option<BrokerId>,
        now: Monotonic,
        out: &mut Vec<Effect>,
    ) {
        let running = match &self.role {
            Role::Unattached(role) => role.election,
            Role::Candidate(role) => Some(role.election),
            Role::Prospective(role) => (!role.ballots.is_lost()).then_some(role.election),
            Role::Resigned(role) => Some(role.election),
            Role::Follower(_) | Role::Leader(_) => None,
        };
        let election = self.is_voter().then(|| running.unwrap_or(now + self.election_timeout()));
        let voted = if epoch == self.epoch { self.election().voted } else { None };
        self.fail_waiting(out);
        self.enter(epoch, Role::Unattached(Unattached { leader, voted, election }), out);
    }

    pub(super) fn become_prospective(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let role = Prospective::new(self, now);
        self.enter(self.epoch, Role::Prospective(role), out);
        self.settle_election(now, out);
    }

    pub(super) fn become_candidate(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let ballots = Ballots::with_own(self.me.id, self.voters.last());
        let election = now + self.election_timeout();
        self.enter(LeaderEpoch(self.epoch.0 + 1), Role::Candidate(Candidate { ballots, election }), out);
        self.settle_election(now, out);
    }

    /// Moves on once the answers decide: pre-vote → candidate → leader; a lost pre-vote ends it.
    pub(super) fn settle_election(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        match &self.role {
            Role::Prospective(role) if role.ballots.is_won() => self.become_candidate(now, out),
            Role::Prospective(role) if role.ballots.is_lost() => self.give_up(now, out),
            Role::Candidate(role) if role.ballots.is_won() => {
                let granting = role.ballots.granted.iter().copied().collect();
                self.become_leader(now, granting, out);
            }
            Role::Prospective(_)
            | Role::Candidate(_)
            | Role::Unattached(_)
            | Role::Follower(_)
            | Role::Leader(_)
            | Role::Resigned(_) => {}
        }
    }

    /// After a pre-vote without success: back to the leader if there was one, else on without.
    fn give_up(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        match self.leader() {
            Some(leader) if self.is_reachable(leader) => self.become_follower(self.epoch, leader, now, out),
            leader => self.become_unattached(self.epoch, leader, now, out),
        }
    }

    pub(super) fn poll_nominee(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        let (expired, prospective) = match &self.role {
            Role::Prospective(role) => (role.election <= now, true),
            Role::Candidate(role) => (role.election <= now, false),
            Role::Unattached(_) | Role::Follower(_) | Role::Leader(_) | Role::Resigned(_) => return,
        };
        match (expired && !self.stopping, prospective) {
            (true, true) => self.give_up(now, out),
            (true, false) => self.become_prospective(now, out),
            (false, pre_vote) => self.ask_for_votes(now, pre_vote, out),
        }
    }

    fn ask_for_votes(&mut self, now: Monotonic, pre_vote: bool, out: &mut Vec<Effect>) {
        let (Role::Prospective(Prospective { ballots, .. }) | Role::Candidate(Candidate { ballots, .. })) = &self.role
        else {
            return;
        };
        if ballots.is_lost() {
            return;
        }
        let open = |key: &ReplicaKey| key.id != self.me.id && !ballots.has(key.id) && self.peers.is_free(key.id, now);
        let voters: Vec<ReplicaKey> = self.voters.last().iter().map(|voter| voter.key).filter(open).collect();
        for voter in voters {
            let request = Request::Vote {
                candidate: self.me,
                epoch: self.epoch,
                voter: Some(voter),
                last: self.log.last(),
                pre_vote,
            };
            self.send(now, voter.id, request, out);
        }
    }

    pub(super) fn on_vote_answer(&mut self, now: Monotonic, from: BrokerId, granted: bool, out: &mut Vec<Effect>) {
        if self.voters.last().get(from).is_none() {
            return;
        }
        match &mut self.role {
            Role::Prospective(Prospective { ballots, .. }) | Role::Candidate(Candidate { ballots, .. }) => {
                ballots.record(from, granted);
            }
            Role::Unattached(_) | Role::Follower(_) | Role::Leader(_) | Role::Resigned(_) => {}
        }
        self.settle_election(now, out);
    }

    /// A peer without pre-votes gets a real one.
    pub(super) fn on_vote_unsupported(&mut self, now: Monotonic, answer: &Answer, out: &mut Vec<Effect>) -> bool {
        let unsupported = answer.refusal == Some(Refusal::UnsupportedVersion);
        if unsupported && matches!(self.role, Role::Prospective(_)) {
            self.become_candidate(now, out);
        }
        unsupported
    }
}
