//! The owner's side of a membership: with each poll it changes over to what the group has decided, and it commits.

use super::coordinator::{Coordinator, RETRY};
use super::desk::Desk;
use super::worker::Worker;
use super::{Effect, Identity, Loss, Partitions, Settings};
use crate::client::cluster::Cluster;
use crate::client::groups::{self, Committed, Trouble, WithMember};
use crate::client::offsets::TopicPartition;
use crate::failure::{Failure, While};
use crate::output;
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Tries of a request about offsets before it is given up.
const TRIES: usize = 20;
/// Epoch of a member of KIP-848 that joins.
const JOINING: i32 = 0;

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

/// A membership in a group.
pub(crate) struct Membership {
    settings: Settings,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
    coordinator: Coordinator,
    /// What is committed already, so that nothing is committed twice.
    committed: BTreeMap<TopicPartition, Committed>,
    /// Whether positions are committed by themselves when partitions go.
    commits: bool,
}

impl Membership {
    /// Starts to join the group in `settings` as a reader of `topics`. `id` is a fresh name for the member; `commits` is
    /// `enable.auto.commit`.
    pub(crate) fn start(
        cluster: &Cluster,
        settings: Settings,
        topics: Vec<String>,
        id: String,
        commits: bool,
    ) -> Result<Membership, Failure> {
        let desk = Arc::new(Desk::new());
        let worker = Worker::new(settings.clone(), topics, id, cluster.beside(), Arc::clone(&desk));
        let thread = std::thread::Builder::new()
            .name("group member".to_owned())
            .spawn(move || worker.run())
            .during(|| "start the thread of a group member".to_owned())?;
        let coordinator = Coordinator::new(&settings.group);
        Ok(Membership { settings, desk, thread: Some(thread), coordinator, committed: BTreeMap::new(), commits })
    }

    /// Changes over to what the group has decided since the last poll.
    pub(crate) fn poll(&mut self, cluster: &mut Cluster, owner: &mut dyn Owner) -> Result<(), Trouble> {
        self.desk.poll()?;
        while let Some(begun) = self.desk.begin() {
            match self.apply(cluster, owner, &begun.effect) {
                Ok(()) => {}
                // The thread learns with a heartbeat what there is to do, or the coordinator is not ready.
                Err(trouble) if has_moved(&trouble) || (trouble.code().is_some() && trouble.passes()) => {
                    self.desk.put_back(begun);
                    std::thread::sleep(RETRY);
                    return Ok(());
                }
                Err(trouble) => {
                    self.desk.put_back(begun);
                    return Err(trouble);
                }
            }
        }
        Ok(())
    }

    /// Waits until the group has decided something, for at most `longest`.
    pub(crate) fn wait(&self, longest: Duration) {
        self.desk.wait(longest);
    }

    /// Reads other topics from now on.
    pub(crate) fn subscribe(&self, topics: Vec<String>) {
        self.desk.subscribe(topics);
    }

    /// Commits how far was read, where that is news. Nothing is committed outside of the group: others may be ahead.
    pub(crate) fn commit(
        &mut self,
        cluster: &mut Cluster,
        positions: &BTreeMap<TopicPartition, Committed>,
    ) -> Result<(), Trouble> {
        let news = positions.iter().filter(|(place, position)| self.committed.get(*place) != Some(*position));
        let news: BTreeMap<TopicPartition, Committed> =
            news.map(|(place, position)| (place.clone(), *position)).collect();
        for _ in 0..TRIES {
            let identity = self.desk.identity();
            let is_out = identity.generation < 0 || (self.settings.modern && identity.generation == JOINING);
            if news.is_empty() || is_out {
                return Ok(());
            }
            match self.commit_as(cluster, &identity, &news) {
                // The answer with the next epoch is on its way to the thread.
                Err(trouble) if trouble.code() == Some(ErrorCode::STALE_MEMBER_EPOCH) => std::thread::sleep(RETRY),
                Err(trouble) => return Err(trouble),
                Ok(()) => {
                    self.committed.extend(news);
                    return Ok(());
                }
            }
        }
        Err(Trouble::refused(ErrorCode::STALE_MEMBER_EPOCH, None))
    }

    fn commit_as(
        &mut self,
        cluster: &mut Cluster,
        identity: &Identity,
        news: &BTreeMap<TopicPartition, Committed>,
    ) -> Result<(), Trouble> {
        let member = WithMember {
            member: &identity.member,
            generation: identity.generation,
            instance: self.settings.instance.clone(),
        };
        let group = self.settings.group.as_str();
        self.coordinator.ask(cluster, TRIES, |link| groups::commit_as(link, group, &member, news))
    }

    /// Leaves the group, so that others need not wait for the session to end.
    pub(crate) fn leave(&mut self) -> Result<(), Failure> {
        self.desk.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(left)) => left,
            Some(Err(_)) => Err(Failure::new("the thread of the group member has panicked")),
            None => Ok(()),
        }
    }

    fn apply(&mut self, cluster: &mut Cluster, owner: &mut dyn Owner, effect: &Effect) -> Result<(), Trouble> {
        match effect {
            Effect::Revoke(partitions) => {
                if self.commits {
                    let mut read = owner.positions();
                    read.retain(|place, _| partitions.contains(place));
                    if let Err(trouble) = self.commit(cluster, &read) {
                        output::note(format_args!("WARN could not commit while partitions go to others: {trouble}"));
                    }
                }
                self.give_up(owner, partitions);
            }
            Effect::Lose(loss) => {
                let all: Partitions = owner.positions().into_keys().collect();
                self.give_up(owner, &all);
                self.warn(*loss);
            }
            Effect::Assign(partitions) => self.assign(cluster, owner, partitions)?,
        }
        Ok(())
    }

    fn give_up(&mut self, owner: &mut dyn Owner, partitions: &Partitions) {
        owner.give_up(partitions);
        self.committed.retain(|place, _| !partitions.contains(place));
    }

    /// Brings the owner the partitions that it does not read yet.
    fn assign(&mut self, cluster: &mut Cluster, owner: &mut dyn Owner, partitions: &Partitions) -> Result<(), Trouble> {
        let known = owner.positions();
        let news: Partitions = partitions.iter().filter(|place| !known.contains_key(place)).cloned().collect();
        if news.is_empty() {
            return Ok(());
        }
        let identity = self.desk.identity();
        let member = self.settings.modern.then_some((identity.member.as_str(), identity.generation));
        let (group, stable) = (self.settings.group.as_str(), self.settings.stable);
        let committed =
            self.coordinator.ask(cluster, TRIES, |link| groups::committed_as(link, group, member, &news, stable))?;
        self.committed.extend(committed.clone());
        let taken = news.into_iter().map(|place| {
            let offset = committed.get(&place).copied();
            (place, offset)
        });
        owner.take(cluster, taken.collect()).map_err(Trouble::from)
    }

    fn warn(&self, loss: Loss) {
        let group = &self.settings.group;
        match loss {
            Loss::Gone => output::note(format_args!(
                "WARN the coordinator has put this member out of group {group}: joining again."
            )),
            Loss::Late => output::note(format_args!(
                "WARN this member has left group {group}: it took longer than max.poll.interval.ms={} to print what it had \
                 read. Joining again; what was not committed is read once more.",
                self.settings.poll_interval.as_millis()
            )),
        }
    }
}

/// Whether a request was refused because the group has moved on.
pub(crate) fn has_moved(trouble: &Trouble) -> bool {
    let moved = [
        ErrorCode::REBALANCE_IN_PROGRESS,
        ErrorCode::ILLEGAL_GENERATION,
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::STALE_MEMBER_EPOCH,
        ErrorCode::FENCED_MEMBER_EPOCH,
    ];
    trouble.code().is_some_and(|code| moved.contains(&code))
}
