//! The thread of a membership: asks the coordinator what the machine wants to know, whatever the owner is busy with.
//!
//! It has connections of its own, so that no fetch and no slow screen delays a heartbeat. When the owner has not polled for
//! `max.poll.interval.ms`, it leaves the group; it joins again once the owner polls.

use super::assignors::Topics;
use super::classic::Classic;
use super::coordinator::{Coordinator, RETRY};
use super::desk::Desk;
use super::modern::Modern;
use super::requests::Asked;
use super::{Answer, Effect, Identity, Request, Settings, TopicIds};
use crate::client::cluster::Cluster;
use crate::client::groups::Trouble;
use crate::failure::Failure;
use ottla_wire::error::ErrorCode;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an answer may take that the coordinator does not hold back (Kafka's `request.timeout.ms`).
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// How much longer than a rebalance the answer to a join may take.
const JOINED_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Machine {
    Classic(Classic),
    Modern(Modern),
}

/// What the thread has.
pub(super) struct Worker {
    settings: Settings,
    topics: Vec<String>,
    machine: Machine,
    since: Instant,
    ids: TopicIds,
    cluster: Cluster,
    coordinator: Coordinator,
    desk: Arc<Desk>,
}

impl Worker {
    /// A member of the group in `settings` that has yet to join; `id` is a fresh name for it.
    pub(super) fn new(
        settings: Settings,
        topics: Vec<String>,
        id: String,
        cluster: Cluster,
        desk: Arc<Desk>,
    ) -> Worker {
        let machine = if settings.modern {
            Machine::Modern(Modern::new(id))
        } else {
            Machine::Classic(Classic::new(settings.heartbeat_interval, &settings.assignors))
        };
        let coordinator = Coordinator::new(&settings.group);
        let (since, ids) = (Instant::now(), TopicIds::new());
        Worker { settings, topics, machine, since, ids, cluster, coordinator, desk }
    }

    /// Takes part until the owner stops it or the coordinator wants this member no more; leaves the group then.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        match self.take_part() {
            Ok(()) => self.leave(),
            Err(trouble) => {
                self.desk.end(trouble);
                // Why it is over has been told; that it could not leave is no news then.
                drop(self.leave());
                Ok(())
            }
        }
    }

    fn take_part(&mut self) -> Result<(), Trouble> {
        loop {
            let orders = self.desk.orders();
            if orders.stopping {
                return Ok(());
            }
            if orders.applied {
                self.applied();
            }
            if let Some(topics) = orders.topics {
                self.subscribe(topics);
            }
            let patience = self.settings.poll_interval.saturating_sub(orders.idle);
            if self.is_member() && patience.is_zero() {
                self.give_way();
            }
            let now = self.since.elapsed();
            match self.due() {
                Some(due) if due <= now => self.turn()?,
                Some(due) if self.is_member() => self.desk.rest(patience.min(due - now)),
                Some(due) => self.desk.rest(due - now),
                None => self.desk.rest(ANSWERED_WITHIN),
            }
        }
    }

    /// Asks what is due and takes the answer in.
    fn turn(&mut self) -> Result<(), Trouble> {
        let request = self.request();
        let Some(answer) = self.ask(&request)? else { return Ok(()) };
        let later = matches!(&answer, Answer::Refused { error, .. } if error.retriable());
        let Some(topics) = self.partitions(&answer)? else { return Ok(()) };
        let now = self.since.elapsed();
        let mut effects = Vec::new();
        let stepped = match &mut self.machine {
            Machine::Classic(classic) => classic.step(now, answer, &topics, &mut effects),
            Machine::Modern(modern) => modern.step(now, answer, &mut effects),
        };
        self.tell(effects);
        stepped.map_err(|error| Trouble::refused(error, None))?;
        if later {
            self.coordinator.forget();
            self.desk.rest(RETRY);
        }
        Ok(())
    }

    /// The owner has not polled for too long: leaves, so that others get the partitions.
    fn give_way(&mut self) {
        // A coordinator that does not hear it ends the session by itself.
        drop(self.leave());
        let mut effects = Vec::new();
        match &mut self.machine {
            Machine::Classic(classic) => classic.left(&mut effects),
            Machine::Modern(modern) => modern.left(&mut effects),
        }
        self.tell(effects);
    }

    fn leave(&mut self) -> Result<(), Failure> {
        let Some(node) = self.coordinator.known() else { return Ok(()) };
        let identity = self.identity();
        let asked = Asked { settings: &self.settings, topics: &self.topics, ids: &self.ids, member: &identity.member };
        let since = Instant::now();
        asked.leave(self.cluster.at(&node.address)?, &mut || since.elapsed() < ANSWERED_WITHIN)
    }

    /// Asks the coordinator; a connection that breaks is an answer like "look elsewhere". None when the owner stops it.
    fn ask(&mut self, request: &Request) -> Result<Option<Answer>, Trouble> {
        let elsewhere = || Answer::Refused { error: ErrorCode::COORDINATOR_NOT_AVAILABLE, member: String::new() };
        let node = match self.coordinator.find(&mut self.cluster) {
            Ok(node) => node,
            Err(trouble) if trouble.passes() => return Ok(Some(elsewhere())),
            Err(trouble) => return Err(trouble),
        };
        if self.settings.modern {
            self.learn_ids()?;
        }
        let within = match request {
            Request::Join { .. } | Request::Sync { .. } => self.settings.poll_interval + JOINED_WITHIN,
            Request::Beat { .. } | Request::ModernBeat { .. } => ANSWERED_WITHIN,
        };
        let since = Instant::now();
        let desk = Arc::clone(&self.desk);
        let mut go_on = || !desk.is_stopping() && since.elapsed() < within;
        let identity = self.identity();
        let asked = Asked { settings: &self.settings, topics: &self.topics, ids: &self.ids, member: &identity.member };
        let answered = self.cluster.at(&node.address).and_then(|link| asked.ask(link, request, &mut go_on));
        match answered {
            Ok(Some(answer)) => Ok(Some(answer)),
            Ok(None) => {
                self.cluster.forget(&node.address);
                Ok((!self.desk.is_stopping()).then(elsewhere))
            }
            Err(failure) if failure.is_passing() => {
                self.cluster.forget(&node.address);
                Ok(Some(elsewhere()))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Asks who has which id, unless all topics are known. The coordinator speaks of topics by id.
    fn learn_ids(&mut self) -> Result<(), Trouble> {
        if self.topics.iter().all(|topic| self.ids.contains_key(topic)) {
            return Ok(());
        }
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        match self.cluster.describe(Some(&topics)) {
            Ok(described) => {
                let known = described.into_iter().filter(|topic| !topic.error.is_error());
                self.ids.extend(known.map(|topic| (topic.name, topic.id)));
                Ok(())
            }
            Err(failure) if failure.is_passing() => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The partitions of all members' topics, when this member is to share them out. None when the owner stops it.
    fn partitions(&mut self, answer: &Answer) -> Result<Option<Topics>, Trouble> {
        let Answer::Joined { members: Some(members), .. } = answer else { return Ok(Some(Topics::new())) };
        let topics: BTreeSet<&str> = members.iter().flat_map(|member| &member.topics).map(String::as_str).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        while !self.desk.is_stopping() {
            match self.cluster.describe(Some(&topics)) {
                Ok(described) => {
                    let known = described.into_iter().filter(|topic| !topic.partitions.is_empty());
                    let partitions = known.map(|topic| (topic.name, topic.partitions.into_keys().collect()));
                    return Ok(Some(partitions.collect()));
                }
                Err(failure) if failure.is_passing() => std::thread::sleep(RETRY),
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(None)
    }

    fn subscribe(&mut self, topics: Vec<String>) {
        self.topics = topics;
        let topics = &self.topics;
        let mut effects = Vec::new();
        match &mut self.machine {
            Machine::Classic(classic) => {
                classic.resubscribe(|topic| topics.iter().any(|read| read == topic), &mut effects);
            }
            Machine::Modern(modern) => modern.resubscribe(),
        }
        self.tell(effects);
    }

    fn tell(&self, effects: Vec<Effect>) {
        self.desk.tell(effects, self.identity());
    }

    fn applied(&mut self) {
        match &mut self.machine {
            Machine::Classic(classic) => classic.applied(),
            Machine::Modern(modern) => modern.applied(),
        }
    }

    fn due(&self) -> Option<Duration> {
        match &self.machine {
            Machine::Classic(classic) => classic.due(),
            Machine::Modern(modern) => modern.due(),
        }
    }

    fn request(&self) -> Request {
        match &self.machine {
            Machine::Classic(classic) => classic.request(),
            Machine::Modern(modern) => modern.request(),
        }
    }

    fn is_member(&self) -> bool {
        match &self.machine {
            Machine::Classic(classic) => classic.is_member(),
            Machine::Modern(modern) => modern.is_member(),
        }
    }

    fn identity(&self) -> Identity {
        match &self.machine {
            Machine::Classic(classic) => classic.identity(),
            Machine::Modern(modern) => modern.identity(),
        }
    }
}
