//! The uniform assignor for members that all subscribe to the same topics: each member keeps what it has up to its share,
//! and who has less gets what is left over.

use super::Spec;
use crate::group::consumer::state::Partitions;
use ottla_wire::Uuid;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Shares differ by one partition at most.
pub(super) fn assign(spec: &Spec) -> Vec<Arc<Partitions>> {
    let members = spec.members.len();
    if members == 0 || spec.partitions.is_empty() {
        return vec![Arc::default(); members];
    }
    let total: usize = spec.partitions.values().sum();
    let mut free = unassigned(spec);
    let mut shares = Shares { least: total / members, extra: total % members, members_left: members };
    let mut targets = Vec::with_capacity(members);
    let mut wanting = Vec::new();
    for (at, member) in spec.members.iter().enumerate() {
        let (room, kept) = shares.keep(spec, &member.target, &mut free);
        targets.push(kept);
        if room > 0 {
            wanting.push((at, room));
        }
    }
    for (at, room) in wanting {
        let target = Arc::make_mut(&mut targets[at]);
        let mut given: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in free.drain(..room.min(free.len())) {
            given.entry(topic).or_default().push(partition);
        }
        given.into_iter().for_each(|(topic, partitions)| target.add(topic, partitions));
    }
    debug_assert!(free.is_empty(), "the shares add up to all partitions");
    targets
}

/// Partitions that nobody shall have so far.
fn unassigned(spec: &Spec) -> VecDeque<(Uuid, i32)> {
    let mut is_taken: BTreeMap<Uuid, Vec<bool>> =
        spec.partitions.iter().map(|(topic, count)| (*topic, vec![false; *count])).collect();
    for (topic, partitions) in spec.members.iter().flat_map(|member| member.target.iter()) {
        let Some(taken) = is_taken.get_mut(topic) else { continue };
        for partition in partitions {
            if let Some(taken) = usize::try_from(*partition).ok().and_then(|at| taken.get_mut(at)) {
                *taken = true;
            }
        }
    }
    let free = |(topic, taken): (Uuid, Vec<bool>)| {
        taken.into_iter().enumerate().filter(|(_, taken)| !taken).map(move |(at, _)| (topic, at as i32))
    };
    is_taken.into_iter().flat_map(free).collect()
}

struct Shares {
    least: usize,
    /// Members that may still have one more than the least.
    extra: usize,
    members_left: usize,
}

impl Shares {
    /// What the next member keeps of what it has, and how much more it shall get; the rest becomes free.
    fn keep(
        &mut self,
        spec: &Spec,
        target: &Arc<Partitions>,
        free: &mut VecDeque<(Uuid, i32)>,
    ) -> (usize, Arc<Partitions>) {
        let mut may_have_extra = self.extra > 0;
        let mut room = self.least + usize::from(may_have_extra);
        let fits = target.len() <= room && target.iter().all(|(topic, _)| spec.partitions.contains_key(topic));
        let kept = if fits {
            room -= target.len();
            Arc::clone(target)
        } else {
            let mut kept = Partitions::default();
            for (topic, partitions) in target.iter().filter(|(topic, _)| spec.partitions.contains_key(topic)) {
                let (keep, drop) = partitions.split_at(room.min(partitions.len()));
                room -= keep.len();
                kept.add(*topic, keep.iter().copied());
                free.extend(drop.iter().map(|partition| (*topic, *partition)));
            }
            Arc::new(kept)
        };
        // One more than the least is for those who have it already, as long as enough others are left to take the rest.
        if room > 0 && may_have_extra && self.members_left > self.extra {
            room -= 1;
            may_have_extra = false;
        }
        self.extra -= usize::from(may_have_extra);
        self.members_left -= 1;
        (room, kept)
    }
}
