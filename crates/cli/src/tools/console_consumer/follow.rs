//! Which topics are read: one by name or all that a regular expression matches; with a group or all partitions alone.

use super::fetch::Reader;
use super::options::Options;
use crate::client::cluster::Cluster;
use crate::client::groups::Trouble;
use crate::client::member::{Membership, Owner, has_moved};
use crate::client::offsets::TopicPartition;
use crate::failure::{Failure, While};
use crate::output;
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The topics of --topic or --include.
pub(super) enum Subscription {
    /// One topic; it is made if it does not exist and the broker makes topics by itself.
    Topic(String),
    /// All topics that match.
    Matching(Regex),
}

/// Keeps a reader supplied with partitions.
pub(super) struct Follow {
    subscription: Subscription,
    membership: Option<Membership>,
    commits: bool,
    commit_interval: Duration,
    metadata_age: Duration,
    /// Topics with the number of partitions that each had when it was last looked at.
    known: BTreeMap<String, usize>,
    looked: Instant,
    committed: Instant,
}

impl Subscription {
    /// All topics that a regular expression matches; a comma means "or".
    pub(super) fn matching(text: &str) -> Result<Subscription, Failure> {
        let pattern = Regex::new(&format!("^(?:{text})$"));
        Ok(Subscription::Matching(pattern.during(|| format!("read {text:?} as a regular expression"))?))
    }

    fn find(&self, cluster: &mut Cluster) -> Result<BTreeMap<String, Vec<i32>>, Failure> {
        let described = match self {
            Subscription::Topic(name) => {
                let topic = cluster.topic(name, true)?;
                return Ok(BTreeMap::from([(topic.name, topic.leaders.into_keys().collect())]));
            }
            Subscription::Matching(_) => cluster.describe(None)?,
        };
        let matches = |name: &str| match self {
            Subscription::Topic(only) => name == only,
            Subscription::Matching(pattern) => pattern.is_match(name),
        };
        // As Kafka's consumer: internal topics only by name.
        let found = described.into_iter().filter(|topic| !topic.internal && matches(&topic.name));
        Ok(found.map(|topic| (topic.name, topic.partitions.into_keys().collect())).collect())
    }
}

impl Follow {
    /// Looks for the topics; reads all their partitions at once when there is no group. `id` is a fresh name for the member.
    pub(super) fn start(
        cluster: &mut Cluster,
        reader: &mut Reader,
        subscription: Subscription,
        options: Options,
        id: String,
    ) -> Result<Follow, Failure> {
        let found = subscription.find(cluster)?;
        let names: Vec<String> = found.keys().cloned().collect();
        let commits = options.commits && options.group.is_some();
        let join = |settings| Membership::start(cluster, settings, names, id, commits);
        let membership = options.group.map(join).transpose()?;
        if membership.is_none() {
            reader.start(cluster, all(&found), options.reading.reset)?;
        }
        Ok(Follow {
            subscription,
            membership,
            commits,
            commit_interval: options.commit_interval,
            metadata_age: options.metadata_age,
            known: counts(&found),
            looked: Instant::now(),
            committed: Instant::now(),
        })
    }

    /// Does what is due: looks for new topics and partitions, does what the group has decided, commits.
    pub(super) fn poll(&mut self, cluster: &mut Cluster, reader: &mut Reader) -> Result<(), Trouble> {
        if self.looked.elapsed() >= self.metadata_age {
            self.look(cluster, reader)?;
        }
        let Some(membership) = &mut self.membership else { return Ok(()) };
        membership.poll(cluster, reader)?;
        if self.commits && self.committed.elapsed() >= self.commit_interval {
            self.committed = Instant::now();
            match membership.commit(cluster, &reader.positions()) {
                Ok(()) => {}
                // The next heartbeat says what there is to do.
                Err(trouble) if has_moved(&trouble) || trouble.passes() => {
                    output::note(format_args!("WARN could not commit: {trouble}"))
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    /// Waits while there is nothing to read, until the group has decided something for at most `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        match &self.membership {
            Some(membership) => membership.wait(longest),
            None => std::thread::sleep(longest),
        }
    }

    fn look(&mut self, cluster: &mut Cluster, reader: &mut Reader) -> Result<(), Trouble> {
        self.looked = Instant::now();
        let found = self.subscription.find(cluster)?;
        if counts(&found) == self.known {
            return Ok(());
        }
        self.known = counts(&found);
        match &mut self.membership {
            Some(membership) => membership.subscribe(found.into_keys().collect()),
            None => reader.take(cluster, all(&found))?,
        }
        Ok(())
    }

    /// Commits how far was read and leaves the group. What goes wrong here is told and ends nothing.
    pub(super) fn end(&mut self, cluster: &mut Cluster, reader: &Reader) {
        let Some(membership) = &mut self.membership else { return };
        let committed = if self.commits { membership.commit(cluster, &reader.positions()) } else { Ok(()) };
        if let Err(trouble) = committed {
            output::note(format_args!("WARN could not commit: {trouble}"));
        }
        if let Err(trouble) = membership.leave() {
            output::note(format_args!("WARN could not leave the group: {trouble}"));
        }
    }
}

fn counts(found: &BTreeMap<String, Vec<i32>>) -> BTreeMap<String, usize> {
    found.iter().map(|(topic, partitions)| (topic.clone(), partitions.len())).collect()
}

fn all(found: &BTreeMap<String, Vec<i32>>) -> BTreeMap<TopicPartition, Option<crate::client::groups::Committed>> {
    let partitions = found
        .iter()
        .flat_map(|(topic, partitions)| partitions.iter().map(|index| TopicPartition::new(topic.as_str(), *index)));
    let partitions: BTreeSet<TopicPartition> = partitions.collect();
    partitions.into_iter().map(|place| (place, None)).collect()
}
