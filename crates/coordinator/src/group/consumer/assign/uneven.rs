//! The uniform assignor for members that subscribe to different topics: what is left over goes to the least loaded, then
//! partitions move from the most to the least loaded subscribers of each topic until no move helps.

use super::Spec;
use crate::group::consumer::state::Partitions;
use ottla_wire::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Passes over the topics at most: the last moves are small.
const PASSES_MAX: usize = 16;

/// Shares differ as little as the subscriptions allow, within the passes.
pub(super) fn assign(spec: &Spec) -> Vec<Arc<Partitions>> {
    let mut board = Board::of(spec);
    let topics = board.by_weight(spec);
    for topic in &topics {
        board.give_free(topic);
    }
    let mut unchanged = 0;
    for topic in topics.iter().cycle().take(PASSES_MAX * topics.len()) {
        unchanged = if board.balance(topic) { 0 } else { unchanged + 1 };
        if unchanged == topics.len() {
            break;
        }
    }
    board.targets(spec)
}

/// Who has what while partitions move.
struct Board {
    /// Members that subscribe to each topic.
    subscribers: BTreeMap<Uuid, Vec<usize>>,
    /// Owner of each partition of each topic.
    owners: BTreeMap<Uuid, Vec<Option<usize>>>,
    /// Number of partitions of each member.
    loads: Vec<usize>,
}

impl Board {
    /// Members keep what they have of the topics that they subscribe to.
    fn of(spec: &Spec) -> Board {
        let mut board = Board {
            subscribers: BTreeMap::new(),
            owners: spec.partitions.iter().map(|(topic, count)| (*topic, vec![None; *count])).collect(),
            loads: vec![0; spec.members.len()],
        };
        for (at, member) in spec.members.iter().enumerate() {
            for topic in member.topics.iter() {
                board.subscribers.entry(*topic).or_default().push(at);
                let Some(owners) = board.owners.get_mut(topic) else { continue };
                for partition in member.target.of(topic) {
                    let owner = usize::try_from(*partition).ok().and_then(|partition| owners.get_mut(partition));
                    if let Some(owner @ None) = owner {
                        *owner = Some(at);
                        board.loads[at] += 1;
                    }
                }
            }
        }
        board
    }

    /// Topics with many partitions for each subscriber come first, then those with fewer subscribers.
    fn by_weight(&self, spec: &Spec) -> Vec<Uuid> {
        let count = |topic: &Uuid| spec.partitions.get(topic).copied().unwrap_or(0);
        let members = |topic: &Uuid| self.subscribers.get(topic).map_or(0, Vec::len);
        let mut topics: Vec<Uuid> = self.subscribers.keys().copied().collect();
        topics.sort_by(|one, other| {
            // a / b against c / d, without division.
            let (mine, theirs) = (count(one) * members(other), count(other) * members(one));
            theirs.cmp(&mine).then(members(one).cmp(&members(other))).then(one.cmp(other))
        });
        topics
    }

    /// The subscribers of a topic by load.
    fn ranking(&self, topic: &Uuid) -> BTreeSet<(usize, usize)> {
        self.subscribers.get(topic).into_iter().flatten().map(|member| (self.loads[*member], *member)).collect()
    }

    /// Gives each partition that nobody has to the least loaded subscriber.
    fn give_free(&mut self, topic: &Uuid) {
        let mut ranking = self.ranking(topic);
        let Some(owners) = self.owners.get_mut(topic) else { return };
        for owner in owners.iter_mut().filter(|owner| owner.is_none()) {
            let Some((load, member)) = ranking.pop_first() else { return };
            *owner = Some(member);
            self.loads[member] = load + 1;
            ranking.insert((load + 1, member));
        }
    }

    /// Moves partitions of a topic from the most to the least loaded; says whether one has moved.
    fn balance(&mut self, topic: &Uuid) -> bool {
        let mut ranking = self.ranking(topic);
        let spread = |ranking: &BTreeSet<(usize, usize)>| {
            ranking.last().map_or(0, |(load, _)| *load) - ranking.first().map_or(0, |(load, _)| *load)
        };
        if spread(&ranking) <= 1 {
            return false;
        }
        let Some(owners) = self.owners.get_mut(topic) else { return false };
        let mut stock: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in owners.iter().enumerate() {
            if let Some(owner) = owner {
                stock.entry(*owner).or_default().push(partition);
            }
        }
        let mut donors: BTreeSet<(usize, usize)> = stock.keys().map(|member| (self.loads[*member], *member)).collect();
        let mut has_moved = false;
        while let (Some((most, donor)), Some(&(least, taker))) = (donors.pop_last(), ranking.first()) {
            if most <= least + 1 {
                break;
            }
            let Some(partition) = stock.get_mut(&donor).and_then(Vec::pop) else { continue };
            owners[partition] = Some(taker);
            has_moved = true;
            for (member, before, after) in [(donor, most, most - 1), (taker, least, least + 1)] {
                ranking.remove(&(before, member));
                ranking.insert((after, member));
                self.loads[member] = after;
            }
            donors.insert((most - 1, donor));
            if donors.remove(&(least, taker)) {
                donors.insert((least + 1, taker));
            }
        }
        has_moved
    }

    fn targets(&self, spec: &Spec) -> Vec<Arc<Partitions>> {
        let mut targets = vec![BTreeMap::<Uuid, Vec<i32>>::new(); spec.members.len()];
        for (topic, owners) in &self.owners {
            for (partition, owner) in owners.iter().enumerate() {
                if let Some(owner) = owner {
                    targets[*owner].entry(*topic).or_default().push(partition as i32);
                }
            }
        }
        let same = |(target, member): (BTreeMap<Uuid, Vec<i32>>, &super::Subscriber)| {
            let target: Partitions = target.into_iter().collect();
            if target == *member.target { Arc::clone(&member.target) } else { Arc::new(target) }
        };
        targets.into_iter().zip(&spec.members).map(same).collect()
    }
}
