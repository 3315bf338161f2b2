//! What all groups have committed, page by page: the shard answers others in between.

use super::{Group, Groups};
use crate::group::Answer;
use crate::group::command::{Survey, Surveyed};
use std::ops::Bound;
use std::sync::Arc;

/// Most groups of a page, and offsets after which no further group is taken.
const PAGE_MAX: (usize, usize) = (1000, 5000);

impl Groups {
    /// Groups with members or offsets, from the one behind `after` on.
    pub(super) fn survey(&self, after: Option<&Arc<str>>) -> Answer {
        let first = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
        let mut page = Survey::default();
        let (groups_max, offsets_max) = PAGE_MAX;
        let mut offsets_taken = 0;
        for (at, (id, group)) in self.groups.range((first, Bound::Unbounded)).enumerate() {
            if at == groups_max || offsets_taken >= offsets_max {
                page.is_last = false;
                return Answer::Surveyed(page);
            }
            let offsets = self.offsets.of_group(id);
            let offsets: Vec<_> =
                offsets.map(|(topic, partition, committed)| (topic.clone(), partition, committed.offset)).collect();
            offsets_taken += offsets.len();
            page.groups.push(Surveyed { group: id.clone(), members: members(group), offsets });
        }
        Answer::Surveyed(page)
    }
}

fn members(group: &Group) -> usize {
    match group {
        Group::Classic(group) => group.members().len(),
        Group::Consumer(group) => group.members().len(),
    }
}
