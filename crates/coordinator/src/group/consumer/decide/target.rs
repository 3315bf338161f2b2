//! What the members of a group shall have: computed anew once the group's epoch is ahead of it.

use super::heartbeat::Turn;
use super::{Out, World};
use crate::group::consumer::assign::{Assignor, Spec, Subscriber};
use crate::group::consumer::settings;
use crate::group::consumer::state::{ConsumerGroup, Member, Partitions, count_down, count_up};
use crate::group::consumer::state::{Subscribers, change_subscribers};
use ottla_metadata::Image;
use ottla_wire::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The target that a member follows.
pub(super) struct Followed {
    pub(super) epoch: i32,
    pub(super) target: Arc<Partitions>,
}

/// The topics that a member subscribes to, as far as they exist.
pub(in crate::group::consumer) fn subscribed_ids(
    group: &ConsumerGroup,
    member: &Member,
    image: &Image,
) -> BTreeSet<Uuid> {
    let matched = member.pattern().and_then(|pattern| group.resolved.get(pattern));
    let matched = matched.into_iter().flat_map(|resolved| &resolved.topics);
    member.names.iter().chain(matched).filter_map(|name| image.topic(name)).map(|topic| topic.id).collect()
}

/// Computes the target of `epoch`, unless there is one or it is too soon for another.
pub(super) fn follow(turn: &Turn<'_>, epoch: i32, out: &mut Out) -> Followed {
    let group = turn.group;
    if group.target_epoch >= epoch || !is_due(turn.world, group, out.writer.group()) {
        return Followed { epoch: group.target_epoch, target: last(group, &turn.after) };
    }
    let default = turn.world.settings.consumer.assignors.first().map_or("", String::as_str);
    let preferred = group.preferred_assignor(Some(turn.before), Some(&turn.after));
    let assignor = Assignor::of_name(preferred.as_deref().unwrap_or(default)).unwrap_or(Assignor::Uniform);
    let spec = turn.spec();
    let targets = assignor.assign(&spec);
    let mut mine = Arc::default();
    for (member, target) in spec.members.iter().zip(targets) {
        let before = group.target.get(&member.id);
        if before.is_none_or(|before| !Arc::ptr_eq(before, &target) && **before != *target) {
            out.writer.target(&member.id, &target);
        }
        if member.id == turn.after.id {
            mine = target;
        }
    }
    out.writer.target_epoch(epoch, turn.world.now.wall.0);
    Followed { epoch, target: mine }
}

/// Targets of a group are computed no oftener than its assignment interval says, so that many joins cost one. A target
/// of a time to come was computed before the clock was set back: nobody knows how long ago.
fn is_due(world: World<'_>, group: &ConsumerGroup, id: &Arc<str>) -> bool {
    let (interval, now) = (settings::assignment_interval_ms(world, id), world.now.wall.0);
    group.target_at == 0 || interval == 0 || now < group.target_at || now >= group.target_at.saturating_add(interval)
}

/// What the member, or the static member that it replaces, shall have so far.
pub(super) fn last(group: &ConsumerGroup, member: &Member) -> Arc<Partitions> {
    let holder = match &member.instance {
        None => Some(&member.id),
        Some(instance) => group.statics.get(instance),
    };
    holder.and_then(|id| group.target.get(id)).cloned().unwrap_or_default()
}

impl Turn<'_> {
    /// The id of the member that this one replaces.
    fn replaced(&self) -> Option<&Arc<str>> {
        let instance = self.after.instance.as_ref()?;
        self.group.statics.get(instance).filter(|id| **id != self.after.id)
    }

    /// Subscribers of each topic once the member's news count.
    pub(super) fn topics(&self) -> BTreeMap<Arc<str>, Subscribers> {
        let mut topics = self.group.topics.clone();
        if self.after.names != self.before.names {
            for name in self.before.names.iter() {
                change_subscribers(&mut topics, name, |count| count.by_name = count.by_name.saturating_sub(1));
            }
            for name in self.after.names.iter() {
                topics.entry(Arc::clone(name)).or_default().by_name += 1;
            }
        }
        let Some(gone) = self.before.pattern().filter(|pattern| **pattern != self.after.pattern) else {
            return topics;
        };
        if self.group.subscribers_of(gone) == 1 {
            for name in self.group.resolved.get(gone).into_iter().flat_map(|resolved| &resolved.topics) {
                change_subscribers(&mut topics, name, |count| {
                    count.by_pattern = count.by_pattern.saturating_sub(1);
                });
            }
        }
        topics
    }

    /// Members that subscribe by each pattern once the member's news count.
    pub(super) fn patterns(&self) -> BTreeMap<Arc<str>, usize> {
        let mut patterns = self.group.patterns.clone();
        if self.before.pattern != self.after.pattern {
            count_down(&mut patterns, self.before.pattern());
            count_up(&mut patterns, self.after.pattern());
        }
        patterns
    }

    fn is_homogeneous(&self, members: usize) -> bool {
        let topics = self.topics();
        match self.patterns().values().next() {
            None => topics.values().all(|count| count.by_name == members),
            Some(count) if *count == members => {
                topics.values().all(|count| count.by_pattern == 1 && count.by_name == 0)
            }
            Some(_) => false,
        }
    }

    fn spec(&self) -> Spec {
        let replaced = self.replaced();
        let others =
            self.group.members.values().filter(|member| member.id != self.after.id && Some(&member.id) != replaced);
        let mut members: Vec<&Arc<Member>> = others.chain([&self.after]).collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        let is_homogeneous = self.is_homogeneous(members.len());
        let mut shared: Option<Arc<BTreeSet<Uuid>>> = None;
        let mut topics_of = |member: &Member| match &shared {
            Some(topics) if is_homogeneous => Arc::clone(topics),
            _ => {
                let topics = Arc::new(subscribed_ids(self.group, member, self.world.image));
                shared = Some(Arc::clone(&topics));
                topics
            }
        };
        let members: Vec<Subscriber> = members
            .into_iter()
            .map(|member| Subscriber {
                id: Arc::clone(&member.id),
                instance: member.instance.clone(),
                topics: topics_of(member),
                target: if member.id == self.after.id {
                    last(self.group, member)
                } else {
                    self.group.target.get(&member.id).cloned().unwrap_or_default()
                },
            })
            .collect();
        let ids: BTreeSet<Uuid> = members.iter().flat_map(|member| member.topics.iter().copied()).collect();
        let count = |id: Uuid| Some((id, self.world.image.topic_by_id(&id)?.partitions.len()));
        Spec { partitions: ids.into_iter().filter_map(count).collect(), members, is_homogeneous }
    }
}
