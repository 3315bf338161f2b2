//! A member of a classic group on a connection of its own.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ottla_messages::api::ApiKey;
use ottla_messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use ottla_messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ottla_messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use ottla_messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use ottla_wire::{ApiVersion, Cursor, Encoder};

use super::READY_WITHIN;
use crate::failure::{Result, accept};
use crate::protocol::{Client, frame, topics};

const JOIN: ApiVersion = ApiVersion(3);
const SYNC: ApiVersion = ApiVersion(2);
const HEARTBEAT: ApiVersion = ApiVersion(2);
const LEAVE: ApiVersion = ApiVersion(2);
const REBALANCE_MS: i32 = 60_000;

pub(super) struct Member {
    client: Client,
    group: String,
    id: String,
    generation: i32,
    /// Ids of the members, in the leader only.
    members: Vec<String>,
    subscription: Vec<u8>,
    session: Duration,
}

impl Member {
    pub(super) fn new(address: SocketAddr, group: &str, topic: &str, session: Duration) -> Result<Member> {
        let mut subscription = Encoder::new();
        subscription.i16(0);
        subscription.i32(1);
        subscription.string(false, topic)?;
        subscription.i32(-1);
        Ok(Member {
            client: Client::connect(address)?,
            group: group.to_owned(),
            id: String::new(),
            generation: -1,
            members: Vec::new(),
            subscription: subscription.into_parts().0,
            session,
        })
    }

    /// Sends JoinGroup; the answer comes when all have joined.
    pub(super) fn send_join(&mut self) -> Result<()> {
        let message = JoinGroupRequest {
            group_id: Cow::Borrowed(&self.group),
            session_timeout_ms: self.session.as_millis() as i32,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: Cow::Borrowed(&self.id),
            protocol_type: Cow::Borrowed("consumer"),
            protocols: vec![JoinGroupRequestProtocol {
                name: Cow::Borrowed("range"),
                metadata: Cow::Borrowed(&self.subscription),
            }],
            ..Default::default()
        };
        let mut frame = frame::request(ApiKey::JoinGroup, JOIN, |out| message.encode(out, JOIN))?;
        self.client.send(&mut frame)
    }

    /// Waits for the answer to JoinGroup; asks again where the coordinator is not ready.
    pub(super) fn receive_join(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        let bytes = loop {
            let bytes = self.client.receive(false)?;
            let code = JoinGroupResponse::decode(&mut Cursor::new(&bytes), JOIN)?.error_code;
            match accept(|| format!("joining {}", self.group), code) {
                Ok(()) => break bytes,
                Err(error) => topics::retry(error, deadline)?,
            }
            self.send_join()?;
        };
        let answer = JoinGroupResponse::decode(&mut Cursor::new(&bytes), JOIN)?;
        self.id = answer.member_id.into_owned();
        self.generation = answer.generation_id;
        self.members = answer.members.into_iter().map(|member| member.member_id.into_owned()).collect();
        Ok(())
    }

    /// Sends SyncGroup; the leader gives every member an assignment of so many partitions of `topic`.
    pub(super) fn send_sync(&mut self, topic: &str, partitions: i32) -> Result<()> {
        let mut next = 0;
        let mut assignments = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let mut out = Encoder::new();
            out.i16(0);
            out.i32(1);
            out.string(false, topic)?;
            out.i32(partitions);
            (next..next + partitions).for_each(|partition| out.i32(partition));
            out.i32(-1);
            next += partitions;
            assignments.push(SyncGroupRequestAssignment {
                member_id: Cow::Borrowed(member),
                assignment: Cow::Owned(out.into_parts().0),
            });
        }
        let message = SyncGroupRequest {
            group_id: Cow::Borrowed(&self.group),
            generation_id: self.generation,
            member_id: Cow::Borrowed(&self.id),
            assignments,
            ..Default::default()
        };
        let mut frame = frame::request(ApiKey::SyncGroup, SYNC, |out| message.encode(out, SYNC))?;
        self.client.send(&mut frame)
    }

    /// Waits for the answer to SyncGroup.
    pub(super) fn receive_sync(&mut self) -> Result<()> {
        let answer = self.client.receive(false)?;
        let answer = SyncGroupResponse::decode(&mut Cursor::new(&answer), SYNC)?;
        accept(|| format!("syncing {}", self.group), answer.error_code)
    }

    /// One heartbeat; the code of its answer.
    pub(super) fn heartbeat(&mut self) -> Result<i16> {
        let message = HeartbeatRequest {
            group_id: Cow::Borrowed(&self.group),
            generation_id: self.generation,
            member_id: Cow::Borrowed(&self.id),
            ..Default::default()
        };
        let answer = self.client.call(ApiKey::Heartbeat, HEARTBEAT, |out| message.encode(out, HEARTBEAT))?;
        Ok(HeartbeatResponse::decode(&mut Cursor::new(&answer), HEARTBEAT)?.error_code)
    }

    /// Leaves the group.
    pub(super) fn leave(&mut self) -> Result<()> {
        let message = LeaveGroupRequest {
            group_id: Cow::Borrowed(&self.group),
            member_id: Cow::Borrowed(&self.id),
            ..Default::default()
        };
        let answer = self.client.call(ApiKey::LeaveGroup, LEAVE, |out| message.encode(out, LEAVE))?;
        let answer = LeaveGroupResponse::decode(&mut Cursor::new(&answer), LEAVE)?;
        accept(|| format!("leaving {}", self.group), answer.error_code)
    }
}

/// One whole rebalance of members that all take part: joins, then syncs with so many partitions each. The leader joins first:
/// a follower that joins a stable group anew is answered at once.
pub(super) fn rebalance(members: &mut [Member], topic: &str, partitions: i32) -> Result<()> {
    let leader = members.iter().position(|member| !member.members.is_empty());
    members.swap(0, leader.unwrap_or(0));
    let (first, others) = members.split_at_mut(1);
    first.iter_mut().try_for_each(Member::send_join)?;
    if let (Some(_), Some(other)) = (leader, others.first_mut()) {
        while other.heartbeat()? == 0 {}
    }
    others.iter_mut().try_for_each(Member::send_join)?;
    members.iter_mut().try_for_each(Member::receive_join)?;
    members.iter_mut().try_for_each(|member| member.send_sync(topic, partitions))?;
    members.iter_mut().try_for_each(Member::receive_sync)
}
