//! Which brokers a new partition goes to: round robin over racks and, inside a rack, over brokers, serving ones first.
//!
//! The first replica is always on a serving broker. Start points come from chance, so that topics begin at different
//! brokers; after as many partitions as there are serving brokers all is shuffled, so that the pattern does not repeat.

use std::collections::BTreeMap;

use ottla_host::Chance;
use ottla_wire::ids::BrokerId;

use crate::image::{Broker, Image};

const CONCERN: &str = "replica placement";

/// One ring of brokers.
#[derive(Default)]
struct Ring {
    brokers: Vec<BrokerId>,
    taken: usize,
    offset: usize,
    round: usize,
}

impl Ring {
    fn next(&mut self, round: usize) -> Option<BrokerId> {
        if self.brokers.is_empty() {
            return None;
        }
        if self.round != round {
            self.round = round;
            self.taken = 0;
            self.offset = (self.offset + 1) % self.brokers.len();
        }
        if self.taken >= self.brokers.len() {
            return None;
        }
        let broker = self.brokers[(self.taken + self.offset) % self.brokers.len()];
        self.taken += 1;
        Some(broker)
    }
}

#[derive(Default)]
struct Rack {
    serving: Ring,
    fenced: Ring,
}

/// Places partitions one after another.
pub(super) struct Placer<'a> {
    racks: Vec<Rack>,
    chance: &'a dyn Chance,
    serving: usize,
    total: usize,
    round: usize,
    first: usize,
}

impl<'a> Placer<'a> {
    pub(super) fn new(image: &Image, chance: &'a dyn Chance) -> Placer<'a> {
        let mut racks: BTreeMap<Option<String>, Rack> = BTreeMap::new();
        let mut placer = Placer { racks: Vec::new(), chance, serving: 0, total: 0, round: 0, first: 0 };
        for broker in image.brokers().filter(|broker| takes_replicas(broker)) {
            let rack = racks.entry(broker.rack.clone()).or_default();
            placer.total += 1;
            if broker.fenced {
                rack.fenced.brokers.push(broker.id);
            } else {
                rack.serving.brokers.push(broker.id);
                placer.serving += 1;
            }
        }
        placer.racks = racks.into_values().collect();
        for at in 0..placer.racks.len() {
            placer.racks[at].serving.offset = placer.below(placer.racks[at].serving.brokers.len());
            placer.racks[at].fenced.offset = placer.below(placer.racks[at].fenced.brokers.len());
        }
        placer.first = placer.below(placer.racks.len());
        placer
    }

    fn below(&self, bound: usize) -> usize {
        self.chance.below(CONCERN, bound as u64) as usize
    }

    /// Whether `replicas` can be placed at all.
    pub(super) fn check(&self, replicas: i16) -> Result<(), String> {
        if replicas <= 0 {
            return Err(format!("Invalid replication factor {replicas}: the replication factor must be positive."));
        }
        if self.serving == 0 {
            return Err("All brokers are currently fenced, or have all their log directories cordoned.".to_owned());
        }
        if usize::from(replicas.unsigned_abs()) > self.total {
            return Err(format!(
                "The target replication factor of {replicas} cannot be reached because only {} broker(s) are registered \
                 or some brokers have all their log directories cordoned.",
                self.total
            ));
        }
        Ok(())
    }

    /// Brokers of the next partition, the preferred leader first; `replicas` passed [`Placer::check`].
    pub(super) fn place(&mut self, replicas: i16) -> Vec<BrokerId> {
        if self.round == self.serving && self.serving > 1 {
            self.shuffle();
            self.round = 0;
        }
        let (count, racks) = (usize::from(replicas.unsigned_abs()), self.racks.len());
        let start = self.first % racks;
        let mut chosen = Vec::with_capacity(count);
        let mut led = start;
        for step in 0..racks {
            led = (start + step) % racks;
            if let Some(broker) = self.racks[led].serving.next(self.round) {
                chosen.push(broker);
                break;
            }
        }
        // The leader's rack is passed over once, then every rack gives one broker after another.
        let (mut at, mut skip, mut idle) = (start, true, 0);
        while chosen.len() < count && idle <= 2 * racks {
            idle += 1;
            if skip && at == led {
                skip = false;
            } else {
                let rack = &mut self.racks[at];
                let next = rack.serving.next(self.round).or_else(|| rack.fenced.next(self.round));
                if let Some(broker) = next {
                    chosen.push(broker);
                    idle = 0;
                }
            }
            at = (at + 1) % racks;
        }
        self.round += 1;
        self.first = start + 1;
        chosen
    }

    fn shuffle(&mut self) {
        for at in 0..self.racks.len() {
            let (mut serving, mut fenced) = (
                std::mem::take(&mut self.racks[at].serving.brokers),
                std::mem::take(&mut self.racks[at].fenced.brokers),
            );
            self.shuffle_list(&mut serving);
            self.shuffle_list(&mut fenced);
            self.racks[at].serving.brokers = serving;
            self.racks[at].fenced.brokers = fenced;
        }
        let mut racks = std::mem::take(&mut self.racks);
        self.shuffle_list(&mut racks);
        self.racks = racks;
    }

    fn shuffle_list<T>(&self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// A broker on its way out takes none, nor one whose directories are all held back.
fn takes_replicas(broker: &Broker) -> bool {
    let cordoned = broker.cordoned.as_deref().unwrap_or_default();
    let all_cordoned = !broker.directories.is_empty() && broker.directories.iter().all(|one| cordoned.contains(one));
    !broker.in_controlled_shutdown && !all_cordoned
}
