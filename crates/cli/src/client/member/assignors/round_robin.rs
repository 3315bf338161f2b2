//! The round-robin assignor: all partitions of all topics in a row, one for each member in turn that reads the topic.

use super::{Assignment, Subscriber, Topics, nothing, sorted, subscribed};

/// Each member's partitions.
pub(super) fn assign(members: &[Subscriber], topics: &Topics) -> Assignment {
    let sorted = sorted(members);
    let mut assigned = nothing(members);
    let mut turn = 0;
    for place in subscribed(members, topics) {
        let in_turn = (0..sorted.len()).map(|step| (turn + step) % sorted.len());
        let Some(at) = in_turn.into_iter().find(|at| sorted[*at].topics.contains(&place.topic)) else { continue };
        assigned.entry(sorted[at].member.clone()).or_default().insert(place);
        turn = at + 1;
    }
    assigned
}
