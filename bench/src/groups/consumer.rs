//! A member of a KIP-848 group on a connection of its own.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Instant;

use ottla_messages::api::ApiKey;
use ottla_messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, RequestTopicPartitions,
};
use ottla_wire::{ApiVersion, Cursor, Uuid};

use super::READY_WITHIN;
use crate::failure::{Result, accept};
use crate::protocol::{Client, topics};

const HEARTBEAT: ApiVersion = ApiVersion(1);
const REBALANCE_MS: i32 = 60_000;

pub(super) struct Member {
    client: Client,
    group: String,
    id: String,
    topic: String,
    epoch: i32,
    /// What it owns, and whether the coordinator has to hear of it.
    owned: Vec<(Uuid, Vec<i32>)>,
    changed: bool,
}

impl Member {
    /// A member that has not joined; `number` makes its id.
    pub(super) fn new(address: SocketAddr, group: &str, topic: &str, number: u64) -> Result<Member> {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        id[8..].copy_from_slice(&u64::from(std::process::id()).to_be_bytes());
        Ok(Member {
            client: Client::connect(address)?,
            group: group.to_owned(),
            id: Uuid(id).to_string(),
            topic: topic.to_owned(),
            epoch: 0,
            owned: Vec::new(),
            changed: false,
        })
    }

    /// One heartbeat, joining with the first; takes every assignment at once. The code of the answer.
    pub(super) fn heartbeat(&mut self) -> Result<i16> {
        let joins = self.epoch == 0;
        let owned = (joins || self.changed).then(|| {
            let owned = self.owned.iter();
            owned.map(|(id, of)| RequestTopicPartitions { topic_id: *id, partitions: of.clone() }).collect()
        });
        self.exchange(self.epoch, joins, owned)
    }

    /// Leaves the group.
    pub(super) fn leave(&mut self) -> Result<()> {
        let code = self.exchange(-1, false, None)?;
        accept(|| format!("leaving {}", self.group), code)
    }

    fn exchange(&mut self, epoch: i32, joins: bool, owned: Option<Vec<RequestTopicPartitions>>) -> Result<i16> {
        let message = ConsumerGroupHeartbeatRequest {
            group_id: Cow::Borrowed(&self.group),
            member_id: Cow::Borrowed(&self.id),
            member_epoch: epoch,
            rebalance_timeout_ms: if joins { REBALANCE_MS } else { -1 },
            subscribed_topic_names: joins.then(|| vec![Cow::Borrowed(&*self.topic)]),
            topic_partitions: owned,
            ..Default::default()
        };
        let answer =
            self.client.call(ApiKey::ConsumerGroupHeartbeat, HEARTBEAT, |out| message.encode(out, HEARTBEAT))?;
        let answer = ConsumerGroupHeartbeatResponse::decode(&mut Cursor::new(&answer), HEARTBEAT)?;
        if answer.error_code != 0 {
            return Ok(answer.error_code);
        }
        self.epoch = answer.member_epoch;
        self.changed = answer.assignment.is_some();
        if let Some(assignment) = answer.assignment {
            let topics = assignment.topic_partitions.into_iter();
            self.owned = topics.map(|topic| (topic.topic_id, topic.partitions)).collect();
        }
        Ok(0)
    }

    /// Number of partitions that it owns.
    pub(super) fn owned(&self) -> usize {
        self.owned.iter().map(|(_, partitions)| partitions.len()).sum()
    }

    /// The epoch that it has reached.
    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether it has something to tell.
    pub(super) fn is_settled(&self) -> bool {
        !self.changed
    }
}

/// Heartbeats of all members until all own `partitions` together and are at one epoch; number of heartbeats.
pub(super) fn settle(members: &mut [Member], partitions: usize) -> Result<usize> {
    let mut beats = 0;
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        for member in members.iter_mut() {
            let code = member.heartbeat()?;
            accept(|| format!("a heartbeat in {}", member.group), code)
                .or_else(|error| topics::retry(error, deadline))?;
        }
        beats += members.len();
        let epoch = members.first().map_or(0, Member::epoch);
        let owned: usize = members.iter().map(Member::owned).sum();
        if owned == partitions && members.iter().all(|member| member.epoch() == epoch && member.is_settled()) {
            return Ok(beats);
        }
    }
}
