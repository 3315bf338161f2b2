//! Members that join, follow, lose answers, leave and die at random, on topics that grow: no partition has two owners at
//! any time, every group settles with each partition owned, and what was written tells another leader the same.

use super::scene::Scene;
use crate::group::command::Client;
use crate::group::consumer::{ConsumerGroup, Heartbeat, Partitions};
use crate::group::{self, GroupSettings};
use ottla_wire::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const TOPICS: [&str; 3] = ["foo", "bar", "baz"];
const SEEDS: u64 = 150;
const STEPS: usize = 120;
const GROUP: &str = "g";

/// Numbers from a seed (splitmix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A consumer as it sees itself.
#[derive(Clone, Debug)]
struct Consumer {
    id: Arc<str>,
    instance: Option<Arc<str>>,
    names: Vec<Arc<str>>,
    pattern: Option<Arc<str>>,
    assignor: Option<Arc<str>>,
    epoch: i32,
    owned: BTreeSet<(Uuid, i32)>,
    wanted: BTreeSet<(Uuid, i32)>,
    /// Whether it says all in its next heartbeat, as after an answer that did not come.
    says_all: bool,
}

impl Consumer {
    /// What it has it may leave out, unless it says all.
    fn heartbeat(&self, is_quiet: bool) -> Heartbeat {
        let says_all = self.says_all || self.epoch == 0;
        let mut owned: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &self.owned {
            owned.entry(*topic).or_default().push(*partition);
        }
        Heartbeat {
            group: GROUP.into(),
            member: Arc::clone(&self.id),
            epoch: self.epoch,
            instance: self.instance.clone(),
            rebalance_ms: says_all.then_some(20_000),
            names: (says_all && self.pattern.is_none()).then(|| self.names.clone()),
            pattern: self.pattern.clone().filter(|_| says_all),
            assignor: self.assignor.clone().filter(|_| says_all),
            owned: (says_all || !is_quiet).then(|| owned.into_iter().collect()),
            client: Client { id: "c".into(), host: "/h".into() },
            ..Heartbeat::default()
        }
    }

    fn drop_all(&mut self) {
        self.owned.clear();
        self.wanted.clear();
        self.epoch = 0;
    }

    /// Gives up what it shall not have; takes the rest once nothing is to be given up.
    fn follow(&mut self) {
        if self.owned.is_subset(&self.wanted) {
            self.owned = self.wanted.clone();
        } else {
            self.owned = self.owned.intersection(&self.wanted).copied().collect();
        }
    }
}

fn pairs(partitions: &Partitions) -> BTreeSet<(Uuid, i32)> {
    partitions.iter().flat_map(|(topic, list)| list.iter().map(|at| (*topic, *at))).collect()
}

/// Groups as another leader would know them.
type Written = Vec<(Arc<str>, ConsumerGroup)>;

struct Walk {
    scene: Scene,
    dice: Dice,
    consumers: Vec<Consumer>,
    away: Vec<Consumer>,
    sizes: [i32; 3],
    born: usize,
    /// What was written up to a length of the log.
    snapshots: Vec<(usize, Written)>,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut settings = GroupSettings::default();
        let mut dice = Dice(seed);
        settings.consumer.assignment_interval = Duration::from_millis([0, 1000, 4000][dice.below(3)]);
        let mut walk = Walk {
            scene: Scene::new(settings),
            dice,
            consumers: Vec::new(),
            away: Vec::new(),
            sizes: [0; 3],
            born: 0,
            snapshots: Vec::new(),
        };
        walk.grow();
        walk
    }

    fn grow(&mut self) {
        let at = self.dice.below(3);
        self.sizes[at] += 1 + self.dice.below(5) as i32;
        self.scene.topic(TOPICS[at], self.sizes[at], 0);
    }

    fn join(&mut self) {
        self.born += 1;
        let id: Arc<str> = format!("m{}", self.born).into();
        let all: Vec<Arc<str>> = TOPICS.iter().map(|name| Arc::from(*name)).collect();
        let names = if self.dice.chance(60) { all } else { vec![all[self.dice.below(3)].clone()] };
        self.consumers.push(Consumer {
            instance: self.dice.chance(30).then(|| format!("i{}", self.born).into()),
            pattern: self.dice.chance(15).then(|| "ba[rz]".into()),
            assignor: self.dice.chance(20).then(|| ["range", "uniform"][self.dice.below(2)].into()),
            id,
            names,
            epoch: 0,
            owned: BTreeSet::new(),
            wanted: BTreeSet::new(),
            says_all: true,
        });
        self.beat(self.consumers.len() - 1, false);
    }

    fn beat(&mut self, at: usize, is_lost: bool) {
        let is_quiet = self.dice.chance(30);
        let heartbeat = self.consumers[at].heartbeat(is_quiet);
        let (_, answer) = self.scene.beat(heartbeat);
        self.look();
        let consumer = &mut self.consumers[at];
        if is_lost {
            consumer.says_all = true;
            return;
        }
        match answer {
            Ok(beat) => {
                consumer.says_all = false;
                consumer.epoch = beat.epoch;
                if let Some(partitions) = &beat.assignment {
                    consumer.wanted = pairs(partitions);
                    consumer.owned.retain(|partition| consumer.wanted.contains(partition));
                }
            }
            Err(_) => consumer.drop_all(),
        }
    }

    fn step(&mut self) {
        let roll = self.dice.below(100);
        if self.consumers.is_empty() || (roll < 8 && self.consumers.len() < 7) {
            return self.join();
        }
        let at = self.dice.below(self.consumers.len());
        match roll {
            8..60 => {
                let is_lost = self.dice.chance(15);
                self.beat(at, is_lost);
            }
            60..75 => self.consumers[at].follow(),
            75..85 => {
                let ms = 500 + self.dice.below(3000) as u64;
                self.wait(Duration::from_millis(ms));
            }
            85..89 => self.leave(at),
            // It dies, and its partitions are read by nobody.
            89..91 => drop(self.consumers.remove(at)),
            91..94 => self.go_away(at),
            94..96 => self.come_back(),
            96..98 => self.grow(),
            98 => {
                // Others than those that still beat are gone.
                self.beat_all();
                self.wait(Duration::from_millis(30_000));
                self.beat_all();
                self.wait(Duration::from_millis(30_000));
                self.beat_all();
            }
            _ => self.scene.fail_over(),
        }
    }

    fn wait(&mut self, time: Duration) {
        self.scene.wait(time);
        self.look();
    }

    fn leave(&mut self, at: usize) {
        let mut consumer = self.consumers.remove(at);
        consumer.epoch = -1;
        let _ = self.scene.beat(consumer.heartbeat(true));
        self.look();
    }

    fn go_away(&mut self, at: usize) {
        if self.consumers[at].instance.is_none() {
            return;
        }
        let mut consumer = self.consumers.remove(at);
        let mut heartbeat = consumer.heartbeat(true);
        heartbeat.epoch = -2;
        let _ = self.scene.beat(heartbeat);
        consumer.drop_all();
        self.away.push(consumer);
    }

    fn come_back(&mut self) {
        let Some(mut consumer) = self.away.pop() else { return };
        self.born += 1;
        consumer.id = format!("m{}", self.born).into();
        consumer.says_all = true;
        self.consumers.push(consumer);
        self.beat(self.consumers.len() - 1, false);
    }

    fn beat_all(&mut self) {
        for at in 0..self.consumers.len() {
            self.beat(at, false);
        }
    }

    /// Nobody owns what another owns, and what is written can be read.
    fn look(&mut self) {
        let mut owners: BTreeMap<(Uuid, i32), &Arc<str>> = BTreeMap::new();
        for consumer in &self.consumers {
            for partition in &consumer.owned {
                let other = owners.insert(*partition, &consumer.id);
                assert_eq!(other, None, "{partition:?} has two owners, one is {}", consumer.id);
            }
        }
        if self.dice.chance(3) {
            self.snapshots.push((self.scene.log.len(), self.scene.groups.written()));
        }
    }

    /// Everybody beats until nothing changes: each partition is owned, and shares are even where the topics are the same.
    fn settle(&mut self) {
        for _ in 0..12 {
            for at in 0..self.consumers.len() {
                self.consumers[at].follow();
                self.consumers[at].follow();
                self.beat(at, false);
            }
            self.wait(Duration::from_millis(6000));
        }
        for at in 0..self.consumers.len() {
            self.consumers[at].follow();
        }
        self.look();
        let owned: BTreeSet<(Uuid, i32)> = self.consumers.iter().flat_map(|one| one.owned.iter().copied()).collect();
        let mut due = BTreeSet::new();
        for (at, name) in TOPICS.iter().enumerate().filter(|(at, _)| self.sizes[*at] > 0) {
            let reads = |one: &Consumer| match &one.pattern {
                Some(_) => name.starts_with("ba"),
                None => one.names.iter().any(|other| **other == **name),
            };
            if self.consumers.iter().any(reads) {
                due.extend((0..self.sizes[at]).map(|partition| (super::scene::topic_id(name, 0), partition)));
            }
        }
        assert_eq!(owned, due, "each partition that somebody subscribes to is owned");
        let same =
            self.consumers.windows(2).all(|two| two[0].names == two[1].names && two[0].pattern == two[1].pattern);
        let is_uniform = self.consumers.iter().all(|one| one.assignor.as_deref() != Some("range"));
        if same && is_uniform {
            let sizes: Vec<usize> = self.consumers.iter().map(|one| one.owned.len()).collect();
            let spread = sizes.iter().max().unwrap_or(&0) - sizes.iter().min().unwrap_or(&0);
            assert!(spread <= 1, "{sizes:?} is even");
        }
    }

    fn check_log(&self) {
        self.scene.check_loading();
        for (length, written) in &self.snapshots {
            assert_eq!(self.scene.loaded(*length).written(), *written, "the log up to {length} says the same");
        }
    }
}

#[test]
fn no_partition_has_two_owners_and_groups_settle() {
    for seed in 0..SEEDS {
        let walked = std::panic::catch_unwind(|| {
            let mut walk = Walk::new(seed);
            for _ in 0..STEPS {
                walk.step();
            }
            // Who is dead or away is taken out.
            for _ in 0..3 {
                walk.wait(Duration::from_millis(20_000));
                walk.beat_all();
            }
            walk.settle();
            walk.check_log();
        });
        assert!(walked.is_ok(), "seed {seed}");
    }
}

#[test]
fn a_plain_heartbeat_writes_nothing() {
    let mut walk = Walk::new(1);
    walk.join();
    walk.settle();
    let length = walk.scene.log.len();
    walk.beat(0, false);
    assert_eq!(walk.scene.log.len(), length);
    let came = walk.scene.ask(group::Command::DescribeConsumer(vec![GROUP.into()]));
    assert!(came.records.is_empty());
}
