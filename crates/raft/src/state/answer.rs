//! Requests of peers, each to the part that answers it.

use super::State;
use super::election::VoteRequest;
use super::event::{Effect, Request, RequestToken};
use super::follower::LeaderClaim;
use super::leader::FetchRequest;
use ottla_host::Monotonic;

impl State {
    pub(super) fn on_request(&mut self, now: Monotonic, token: RequestToken, request: Request, out: &mut Vec<Effect>) {
        match request {
            Request::Vote { candidate, epoch, voter, last, pre_vote } => {
                self.on_vote(now, token, &VoteRequest { candidate, epoch, voter, last, pre_vote }, out);
            }
            Request::BeginEpoch { leader, epoch, voter, endpoints } => {
                self.on_begin_epoch(now, token, (&LeaderClaim { leader, epoch, endpoints }, voter), out);
            }
            Request::EndEpoch { leader, epoch, successors, endpoints } => {
                self.on_end_epoch(now, token, (&LeaderClaim { leader, epoch, endpoints }, &successors), out);
            }
            Request::Fetch { replica, epoch, from, high_watermark, .. } => {
                let fetch = FetchRequest { replica, epoch, from, high_watermark };
                self.on_fetch(now, token, (fetch, request), out);
            }
            Request::FetchSnapshot { replica, epoch, snapshot, position } => {
                let fetch = FetchRequest { replica, epoch, from: snapshot, high_watermark: None };
                self.on_fetch_snapshot(now, token, (fetch, position), out);
            }
        }
    }
}
