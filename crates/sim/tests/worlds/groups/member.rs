//! What members of both protocols have in common: the way to the coordinator, what they own, what they have handled.

use super::checker::Checker;
use super::hub::Hub;
use ottla_coordinator::group::classic::Identity;
use ottla_coordinator::group::offsets::{self, Commit, CommitPartition, CommitTopic, Fetch, FetchTopic};
use ottla_coordinator::group::{Answer, Command, Fault};
use ottla_sim::{Random, Sim};
use ottla_wire::Uuid;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(super) const GROUP: &str = "readers";
pub(super) const TOPIC: &str = "orders";
pub(super) const TOPIC_ID: Uuid = Uuid([7; 16]);
pub(super) const SESSION_MS: i32 = 6_000;
pub(super) const REBALANCE_MS: i32 = 9_000;
/// Time after which a client takes an answer for lost, where the answer does not wait for others.
const PATIENCE: Duration = Duration::from_secs(3);

/// The broker as it is now; None while it is down.
pub(super) type Current = Arc<Mutex<Option<Arc<Hub>>>>;

/// One member.
pub(super) struct Member {
    pub(super) sim: Sim,
    pub(super) current: Current,
    pub(super) checker: Arc<Mutex<Checker>>,
    pub(super) number: u32,
    pub(super) random: Random,
    /// Nothing goes wrong any more: members that live stay.
    pub(super) calm: Arc<AtomicBool>,
    /// How often it has vanished.
    pub(super) life: u32,
    /// Leases taken so far: one each time that it gets a partition.
    leases: u32,
    /// By partition: the lease, and the next offset.
    pub(super) owned: BTreeMap<i32, (u32, i64)>,
}

/// Why a member goes on otherwise.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Trouble {
    /// No answer, or none that tells anything: it asks again.
    Again,
    /// The coordinator refuses.
    Refused(Fault),
}

/// What happens to a member now and then.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Works,
    /// It hears nothing for a while, and goes on as if nothing had happened.
    Sleeps,
    /// It is gone without a word; another one comes.
    Vanishes,
    /// It says good-bye; it comes back.
    Leaves,
}

impl Member {
    pub(super) fn new(sim: &Sim, current: &Current, checker: &Arc<Mutex<Checker>>, number: u32) -> Member {
        Member {
            sim: sim.clone(),
            current: Arc::clone(current),
            checker: Arc::clone(checker),
            number,
            random: sim.random(&format!("member {number}")),
            calm: Arc::default(),
            life: 0,
            leases: 0,
            owned: BTreeMap::new(),
        }
    }

    pub(super) async fn pause(&mut self, most_ms: u64) {
        let time = Duration::from_millis(1 + self.random.below(most_ms));
        self.sim.sleep(time).await;
    }

    pub(super) fn fate(&mut self) -> Fate {
        if self.calm.load(Ordering::Relaxed) {
            return Fate::Works;
        }
        match self.random.below(60) {
            0 => Fate::Sleeps,
            1 => Fate::Vanishes,
            2 => Fate::Leaves,
            _ => Fate::Works,
        }
    }

    /// Asks, and waits at most `patience`; an answer may be lost on its way.
    pub(super) async fn ask(&mut self, command: Command, patience: Duration) -> Result<Answer, Trouble> {
        let hub = self.current.lock().clone();
        let Some(hub) = hub else {
            self.pause(200).await;
            return Err(Trouble::Again);
        };
        let shard = hub.shard.clone();
        drop(hub);
        let sim = self.sim.clone();
        let answer = tokio::select! {
            biased;
            answer = shard.ask(command) => answer,
            () = sim.sleep(patience) => return Err(Trouble::Again),
        };
        let is_lost = !self.calm.load(Ordering::Relaxed) && self.random.chance(20_000);
        match answer {
            _ if is_lost => Err(Trouble::Again),
            Ok(answer) => Ok(answer),
            Err(Fault::Refused(_)) => {
                self.pause(200).await;
                Err(Trouble::Again)
            }
            Err(fault) => Err(Trouble::Refused(fault)),
        }
    }

    /// Owns these partitions from here on; those that are new begin where the group has committed.
    pub(super) async fn own(&mut self, wanted: &BTreeSet<i32>) -> Result<(), Trouble> {
        let gone: Vec<i32> = self.owned.keys().filter(|partition| !wanted.contains(partition)).copied().collect();
        self.disown(&gone);
        let fresh: Vec<i32> = wanted.iter().filter(|partition| !self.owned.contains_key(partition)).copied().collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let floors: Vec<i64> = {
            let checker = self.checker.lock();
            fresh.iter().map(|partition| checker.floor(*partition)).collect()
        };
        let topics = vec![FetchTopic { name: TOPIC.into(), id: TOPIC_ID, partitions: fresh.clone() }];
        let fetch = Fetch { group: GROUP.into(), member: None, epoch: -1, topics: Some(topics), require_stable: true };
        let command = Command::Offsets(offsets::Command::Fetch(Box::new(fetch)));
        let Answer::Offsets(offsets::Answer::Fetched(topics)) = self.ask(command, PATIENCE).await? else {
            panic!("a fetch is answered by offsets");
        };
        for (fetched, floor) in topics[0].partitions.iter().zip(floors) {
            self.checker.lock().fetched(fetched.index, fetched.offset, floor);
            self.leases += 1;
            self.owned.insert(fetched.index, (self.leases, fetched.offset.max(0)));
            self.checker.lock().owned.insert((self.number, fetched.index), ());
        }
        Ok(())
    }

    pub(super) fn disown(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.owned.remove(partition);
            self.checker.lock().owned.remove(&(self.number, *partition));
        }
    }

    pub(super) fn disown_all(&mut self) {
        let all: Vec<i32> = self.owned.keys().copied().collect();
        self.disown(&all);
    }

    /// Handles some records.
    pub(super) fn handle(&mut self) {
        for (_, next) in self.owned.values_mut() {
            *next += self.random.below(5) as i64;
        }
    }

    /// Commits what was handled.
    pub(super) async fn commit(&mut self, member_id: &Arc<str>, epoch: i32) -> Result<(), Trouble> {
        let partition = |(index, (lease, next)): (&i32, &(u32, i64))| CommitPartition {
            index: *index,
            offset: *next,
            leader_epoch: -1,
            metadata: format!("{}/{}/{lease}", self.number, self.life),
        };
        let partitions: Vec<CommitPartition> = self.owned.iter().map(partition).collect();
        if partitions.is_empty() {
            return Ok(());
        }
        let commit = Commit {
            group: GROUP.into(),
            who: Identity { member_id: Arc::clone(member_id), instance_id: None },
            epoch,
            knows_epochs: true,
            retention_ms: None,
            topics: vec![CommitTopic { name: TOPIC.into(), id: TOPIC_ID, partitions: partitions.clone() }],
        };
        let outcome = self.ask(Command::Offsets(offsets::Command::Commit(Box::new(commit))), PATIENCE).await;
        let mut checker = self.checker.lock();
        match outcome {
            Ok(_) => {
                checker.acknowledgements += 1;
                partitions.iter().for_each(|one| checker.told(one.index, one.offset));
                Ok(())
            }
            Err(trouble) => {
                checker.failures += 1;
                Err(trouble)
            }
        }
    }
}
