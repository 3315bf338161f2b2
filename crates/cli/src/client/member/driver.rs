//! The membership: asks the coordinator what the machine wants to know, and does with the positions what the machine says.

use super::classic::Classic;
use super::modern::Modern;
use super::requests::Asked;
use super::{Answer, Effect, Identity, Partitions, Request, Settings, TopicIds};
use crate::client::cluster::{Cluster, Node};
use crate::client::groups::{self, Committed, Trouble, WithMember};
use crate::client::offsets::TopicPartition;
use crate::failure::Failure;
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two tries (Kafka's `retry.backoff.ms`).
const RETRY: Duration = Duration::from_millis(100);
/// Tries of a commit before it is given up.
const COMMITS: usize = 20;

/// Whether to go on waiting.
pub(crate) type Go<'a> = &'a mut dyn FnMut() -> bool;

/// Who reads the partitions that the membership brings.
pub(crate) trait Owner {
    /// How far each partition was read.
    fn positions(&self) -> BTreeMap<TopicPartition, Committed>;
    /// Reads these no more.
    fn give_up(&mut self, partitions: &Partitions);
    /// Reads these, from the group's offset where it has one.
    fn take(
        &mut self,
        cluster: &mut Cluster,
        partitions: BTreeMap<TopicPartition, Option<Committed>>,
    ) -> Result<(), Failure>;
}

#[derive(Debug)]
enum Machine {
    Classic(Classic),
    Modern(Modern),
}

/// A membership in a group.
pub(crate) struct Membership {
    settings: Settings,
    machine: Machine,
    since: Instant,
    topics: Vec<String>,
    ids: TopicIds,
    coordinator: Option<Node>,
    /// What is committed already, so that nothing is committed twice.
    committed: BTreeMap<TopicPartition, Committed>,
    /// Whether positions are committed by themselves when partitions go.
    commits: bool,
}

impl Membership {
    /// A member of the group in `settings` that reads `topics` and has yet to join. `id` is a fresh name for it; `commits` is
    /// `enable.auto.commit`.
    pub(crate) fn new(settings: Settings, topics: Vec<String>, id: String, commits: bool) -> Membership {
        let machine = if settings.modern {
            Machine::Modern(Modern::new(id))
        } else {
            Machine::Classic(Classic::new(settings.heartbeat_interval))
        };
        Membership {
            settings,
            machine,
            since: Instant::now(),
            topics,
            ids: TopicIds::new(),
            coordinator: None,
            committed: BTreeMap::new(),
            commits,
        }
    }

    /// Does what is due: joins, beats, changes over to a new assignment. Returns early when `go_on` says no.
    pub(crate) fn tick(&mut self, cluster: &mut Cluster, owner: &mut dyn Owner, go_on: Go<'_>) -> Result<(), Trouble> {
        while let Some(request) = self.next() {
            if !go_on() {
                return Ok(());
            }
            let Some(answer) = self.ask(cluster, &request, go_on)? else { return Ok(()) };
            let later = matches!(&answer, Answer::Refused { error, .. } if error.retriable());
            self.step(cluster, owner, answer)?;
            if later {
                self.coordinator = None;
                std::thread::sleep(RETRY);
            }
        }
        Ok(())
    }

    /// Reads other topics from now on.
    pub(crate) fn subscribe(
        &mut self,
        cluster: &mut Cluster,
        owner: &mut dyn Owner,
        topics: Vec<String>,
    ) -> Result<(), Trouble> {
        self.topics = topics;
        let mut effects = Vec::new();
        match &mut self.machine {
            Machine::Classic(classic) => classic.rejoin(&mut effects),
            Machine::Modern(modern) => modern.resubscribe(),
        }
        self.apply(cluster, owner, effects)
    }

    /// Commits how far was read, where that is news.
    pub(crate) fn commit(
        &mut self,
        cluster: &mut Cluster,
        positions: &BTreeMap<TopicPartition, Committed>,
    ) -> Result<(), Trouble> {
        let news = positions.iter().filter(|(place, position)| self.committed.get(*place) != Some(*position));
        let news: BTreeMap<TopicPartition, Committed> =
            news.map(|(place, position)| (place.clone(), *position)).collect();
        if news.is_empty() {
            return Ok(());
        }
        let identity = self.identity();
        let member = WithMember {
            member: &identity.member,
            generation: identity.generation,
            instance: self.settings.instance.clone(),
        };
        let group = self.settings.group.clone();
        self.again(cluster, COMMITS, |link| groups::commit_as(link, &group, &member, &news))?;
        self.committed.extend(news);
        Ok(())
    }

    /// Leaves the group, so that others need not wait for the session to end.
    pub(crate) fn leave(&mut self, cluster: &mut Cluster) -> Result<(), Trouble> {
        let Some(node) = self.coordinator.clone() else { return Ok(()) };
        let identity = self.identity();
        let asked = Asked { settings: &self.settings, topics: &self.topics, ids: &self.ids, member: &identity.member };
        asked.leave(cluster.at(&node.address)?)
    }

    fn next(&self) -> Option<Request> {
        let now = self.since.elapsed();
        match &self.machine {
            Machine::Classic(classic) => classic.next(now),
            Machine::Modern(modern) => modern.next(now),
        }
    }

    fn identity(&self) -> Identity {
        match &self.machine {
            Machine::Classic(classic) => classic.identity(),
            Machine::Modern(modern) => modern.identity(),
        }
    }

    /// Asks the coordinator; a connection that breaks is an answer like "look elsewhere".
    fn ask(&mut self, cluster: &mut Cluster, request: &Request, go_on: Go<'_>) -> Result<Option<Answer>, Trouble> {
        let elsewhere = || Answer::Refused { error: ErrorCode::COORDINATOR_NOT_AVAILABLE, member: String::new() };
        let node = match self.coordinator(cluster) {
            Ok(node) => node,
            Err(trouble) if trouble.passes() => return Ok(Some(elsewhere())),
            Err(trouble) => return Err(trouble),
        };
        if self.settings.modern {
            self.learn_ids(cluster)?;
        }
        let identity = self.identity();
        let asked = Asked { settings: &self.settings, topics: &self.topics, ids: &self.ids, member: &identity.member };
        let answered = cluster.at(&node.address).and_then(|link| asked.ask(link, request, go_on));
        match answered {
            Ok(Some(answer)) => Ok(Some(answer)),
            Ok(None) => {
                cluster.forget(&node.address);
                Ok(None)
            }
            Err(failure) if failure.is_passing() => {
                cluster.forget(&node.address);
                Ok(Some(elsewhere()))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn coordinator(&mut self, cluster: &mut Cluster) -> Result<Node, Trouble> {
        if let Some(node) = &self.coordinator {
            return Ok(node.clone());
        }
        let node = groups::find(cluster.any()?, &self.settings.group)?;
        self.coordinator = Some(node.clone());
        Ok(node)
    }

    /// Asks who has which id, unless all topics are known. The coordinator speaks of topics by id.
    fn learn_ids(&mut self, cluster: &mut Cluster) -> Result<(), Trouble> {
        if self.topics.iter().all(|topic| self.ids.contains_key(topic)) {
            return Ok(());
        }
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        match cluster.describe(Some(&topics)) {
            Ok(described) => {
                let known = described.into_iter().filter(|topic| !topic.error.is_error());
                self.ids.extend(known.map(|topic| (topic.name, topic.id)));
                Ok(())
            }
            Err(failure) if failure.is_passing() => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    fn step(&mut self, cluster: &mut Cluster, owner: &mut dyn Owner, answer: Answer) -> Result<(), Trouble> {
        let now = self.since.elapsed();
        let mut effects = Vec::new();
        let stepped = match &mut self.machine {
            Machine::Classic(classic) => {
                let partitions = partitions(cluster, &answer)?;
                classic.step(now, answer, &partitions, &mut effects)
            }
            Machine::Modern(modern) => modern.step(now, answer, &mut effects),
        };
        self.apply(cluster, owner, effects)?;
        stepped.map_err(|error| Trouble::refused(error, None))
    }

    fn apply(&mut self, cluster: &mut Cluster, owner: &mut dyn Owner, effects: Vec<Effect>) -> Result<(), Trouble> {
        for effect in effects {
            match effect {
                Effect::Revoke(partitions) => {
                    if self.commits {
                        let mut read = owner.positions();
                        read.retain(|place, _| partitions.contains(place));
                        if let Err(trouble) = self.commit(cluster, &read) {
                            eprintln!("could not commit while partitions go to others: {trouble}");
                        }
                    }
                    owner.give_up(&partitions);
                    self.committed.retain(|place, _| !partitions.contains(place));
                }
                Effect::Lose(partitions) => {
                    owner.give_up(&partitions);
                    self.committed.retain(|place, _| !partitions.contains(place));
                }
                Effect::Assign(partitions) => self.assign(cluster, owner, &partitions)?,
            }
        }
        Ok(())
    }

    /// Brings the owner the partitions that it does not read yet.
    fn assign(&mut self, cluster: &mut Cluster, owner: &mut dyn Owner, partitions: &Partitions) -> Result<(), Trouble> {
        let known = owner.positions();
        let news: Partitions = partitions.iter().filter(|place| !known.contains_key(place)).cloned().collect();
        if news.is_empty() {
            return Ok(());
        }
        let identity = self.identity();
        let member = self.settings.modern.then_some((identity.member.as_str(), identity.generation));
        let (group, stable) = (self.settings.group.clone(), self.settings.stable);
        let committed =
            self.again(cluster, usize::MAX, |link| groups::committed_as(link, &group, member, &news, stable))?;
        self.committed.extend(committed.clone());
        let taken = news.into_iter().map(|place| {
            let offset = committed.get(&place).copied();
            (place, offset)
        });
        owner.take(cluster, taken.collect()).map_err(Trouble::from)
    }

    /// Asks the coordinator up to `tries` times, while the answer is "later" or "elsewhere" or the connection breaks.
    fn again<T>(
        &mut self,
        cluster: &mut Cluster,
        tries: usize,
        mut request: impl FnMut(&mut crate::client::link::Link) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut left = tries;
        loop {
            left -= 1;
            let node = self.coordinator(cluster);
            let answer = node.and_then(|node| {
                let answer = cluster.at(&node.address).map_err(Trouble::from).and_then(&mut request);
                if answer.is_err() {
                    cluster.forget(&node.address);
                }
                answer
            });
            match answer {
                Err(trouble) if trouble.passes() && left > 0 => {
                    self.coordinator = None;
                    std::thread::sleep(RETRY);
                }
                answer => return answer,
            }
        }
    }
}

/// How many partitions the topics of all members have, when this member is to share them out.
fn partitions(cluster: &mut Cluster, answer: &Answer) -> Result<BTreeMap<String, Vec<i32>>, Trouble> {
    let Answer::Joined { members: Some(members), .. } = answer else { return Ok(BTreeMap::new()) };
    let topics: std::collections::BTreeSet<&str> =
        members.iter().flat_map(|member| &member.topics).map(String::as_str).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let described = cluster.describe(Some(&topics))?.into_iter().filter(|topic| !topic.partitions.is_empty());
    Ok(described.map(|topic| (topic.name, topic.partitions.into_keys().collect())).collect())
}
