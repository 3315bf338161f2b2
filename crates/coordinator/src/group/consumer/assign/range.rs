//! The range assignor: each topic is cut into as many ranges as it has subscribers, in the order of the members.

use super::{Spec, Subscriber};
use crate::group::consumer::state::Partitions;
use ottla_wire::Uuid;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a topic is being cut.
struct Cut {
    partitions: usize,
    quota: usize,
    /// Members that still get one more than the quota.
    extra: usize,
    next: usize,
}

/// Static members come first, by instance id, so that a restart changes nothing.
fn order(one: &Subscriber, other: &Subscriber) -> Ordering {
    match (&one.instance, &other.instance) {
        (Some(one), Some(other)) => one.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.id.cmp(&other.id),
    }
}

/// Ranges of each topic for those who subscribe to it.
pub(super) fn assign(spec: &Spec) -> Vec<Arc<Partitions>> {
    let mut subscribers: BTreeMap<Uuid, usize> = BTreeMap::new();
    for topic in spec.members.iter().flat_map(|member| member.topics.iter()) {
        *subscribers.entry(*topic).or_default() += 1;
    }
    let mut cuts: BTreeMap<Uuid, Cut> = subscribers
        .into_iter()
        .map(|(topic, members)| {
            let partitions = spec.partitions.get(&topic).copied().unwrap_or(0);
            (topic, Cut { partitions, quota: partitions / members, extra: partitions % members, next: 0 })
        })
        .collect();
    let mut sorted: Vec<usize> = (0..spec.members.len()).collect();
    sorted.sort_by(|one, other| order(&spec.members[*one], &spec.members[*other]));
    let mut targets = vec![Arc::default(); spec.members.len()];
    for at in sorted {
        let mut target = Partitions::default();
        for topic in spec.members[at].topics.iter() {
            let Some(cut) = cuts.get_mut(topic) else { continue };
            let start = cut.next;
            cut.next = (start + cut.quota + usize::from(cut.extra > 0)).min(cut.partitions);
            cut.extra = cut.extra.saturating_sub(1);
            target.add(*topic, (start..cut.next).map(|partition| partition as i32));
        }
        targets[at] = Arc::new(target);
    }
    targets
}
