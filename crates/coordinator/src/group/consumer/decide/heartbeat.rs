//! ConsumerGroupHeartbeat: the member's news, then the group's target where that is behind, then the member's next step.

use super::patterns::Pattern;
use super::reconcile::{Said, Step};
use super::target::{Followed, subscribed_ids};
use super::{Asked, Out, World, leave, target};
use crate::group::consumer::request::{Answer, Beat, Heartbeat, Soft, Unresolved};
use crate::group::consumer::settings;
use crate::group::consumer::state::{
    ConsumerGroup, JOIN_EPOCH, LEAVE_EPOCH, Member, MemberState, STATIC_LEAVE_EPOCH, metadata_hash,
};
use crate::group::{Change, Fault};
use std::sync::Arc;

type Decided = Result<(Vec<Change>, Answer), Fault>;

pub(super) fn decide(world: World<'_>, asked: Asked<'_>, beat: &Heartbeat) -> Decided {
    beat.check_assignor(&world.settings.consumer.assignors)?;
    let mut out = Out::new(Arc::clone(&beat.group));
    if matches!(beat.epoch, LEAVE_EPOCH | STATIC_LEAVE_EPOCH) {
        let answer = leave::decide(world, asked, beat, &mut out)?;
        return Ok((out.writer.changes, answer));
    }
    let fresh;
    let group = match asked {
        Asked::Consumer(group) => group,
        Asked::Nothing if beat.epoch != JOIN_EPOCH => return Err(Fault::NoConsumerGroup(Arc::clone(&beat.group))),
        Asked::Nothing => {
            fresh = ConsumerGroup::default();
            &fresh
        }
        Asked::Classic => return Err(Fault::NotConsumerGroup(Arc::clone(&beat.group))),
    };
    let answer = join_or_go_on(world, group, beat, &mut out)?;
    Ok((out.writer.changes, Answer::Heartbeat(Box::new(answer))))
}

fn join_or_go_on(world: World<'_>, group: &ConsumerGroup, beat: &Heartbeat, out: &mut Out) -> Result<Beat, Fault> {
    check_room(world, group, &beat.member, beat.instance.as_deref())?;
    let id = if beat.member.is_empty() { &beat.fresh_id } else { &beat.member };
    let before = match &beat.instance {
        None => known_or_new(group, id, beat)?,
        Some(instance) => known_or_new_static(group, id, instance, beat, out)?,
    };
    let after = news(&before, beat);
    let turn = Turn { world, group, before: &before, after };
    let (after, unresolved) = turn.go(beat.owned.as_deref(), out)?;
    out.session(group, &after.id, world, settings::session(world, &beat.group));
    let tells = beat.epoch == JOIN_EPOCH || beat.is_full() || before.assigned != after.assigned;
    Ok(Beat {
        member: Arc::clone(&after.id),
        epoch: after.epoch,
        interval_ms: settings::heartbeat_ms(world, &beat.group),
        assignment: tells.then(|| after.assigned.plain()),
        unresolved: (!unresolved.is_empty())
            .then(|| Unresolved { patterns: unresolved, image: Arc::clone(world.image) }),
    })
}

/// Refuses one member too many.
pub(super) fn check_room(
    world: World<'_>,
    group: &ConsumerGroup,
    member: &str,
    instance: Option<&str>,
) -> Result<(), Fault> {
    let most = world.settings.consumer.size_max;
    let is_known = instance.is_some_and(|instance| group.statics.contains_key(instance))
        || (!member.is_empty() && group.members.contains_key(member));
    if is_known || group.members.len() < most { Ok(()) } else { Err(Fault::ConsumerGroupFull(most)) }
}

fn known_or_new(group: &ConsumerGroup, id: &Arc<str>, beat: &Heartbeat) -> Result<Arc<Member>, Fault> {
    match group.members.get(id) {
        Some(member) => {
            check_epoch(member, beat)?;
            Ok(Arc::clone(member))
        }
        None if beat.epoch == JOIN_EPOCH => Ok(Arc::new(Member::new(Arc::clone(id)))),
        None => Err(Fault::NotAMember { member: Arc::clone(id), group: Arc::clone(&beat.group) }),
    }
}

fn known_or_new_static(
    group: &ConsumerGroup,
    id: &Arc<str>,
    instance: &Arc<str>,
    beat: &Heartbeat,
    out: &mut Out,
) -> Result<Arc<Member>, Fault> {
    let existing = group.static_member(instance);
    if beat.epoch != JOIN_EPOCH {
        let member = existing.ok_or_else(|| Fault::UnknownInstance(Arc::clone(instance)))?;
        check_not_fenced(member, id, instance)?;
        check_epoch(member, beat)?;
        return Ok(Arc::clone(member));
    }
    let Some(existing) = existing else {
        return Ok(group.members.get(id).map_or_else(|| Arc::new(Member::new(Arc::clone(id))), Arc::clone));
    };
    if !existing.is_classic() && existing.epoch != STATIC_LEAVE_EPOCH {
        return Err(Fault::UnreleasedInstance {
            instance: Arc::clone(instance),
            member: Arc::clone(id),
            owner: Arc::clone(&existing.id),
        });
    }
    Ok(replace(group, existing, id, out))
}

/// A static member comes back under another id and takes over what there is of the one before.
pub(super) fn replace(group: &ConsumerGroup, existing: &Member, id: &Arc<str>, out: &mut Out) -> Arc<Member> {
    let member = Member { id: Arc::clone(id), epoch: 0, previous_epoch: 0, ..existing.clone() };
    out.writer.no_member(&existing.id);
    if existing.id != *id {
        out.end_timers(&existing.id);
    }
    out.writer.member(&member);
    out.writer.target(id, group.target.get(&existing.id).map_or(&Default::default(), |target| target));
    out.writer.current(&member);
    Arc::new(member)
}

/// Another member may have taken over the instance id.
pub(super) fn check_not_fenced(member: &Member, id: &Arc<str>, instance: &Arc<str>) -> Result<(), Fault> {
    if member.id == *id {
        return Ok(());
    }
    Err(Fault::FencedByMember { instance: Arc::clone(instance), member: Arc::clone(id), owner: Arc::clone(&member.id) })
}

/// The epoch before counts as well when the answer that told the newer one was lost.
fn check_epoch(member: &Member, beat: &Heartbeat) -> Result<(), Fault> {
    if beat.epoch == JOIN_EPOCH || beat.epoch == member.epoch {
        return Ok(());
    }
    let has_no_more = beat.owned.as_deref().is_some_and(|owned| {
        owned.iter().all(|(topic, partitions)| {
            let of = member.assigned.of(topic);
            !of.is_empty() && partitions.iter().all(|partition| member.assigned.contains(topic, *partition))
        })
    });
    if beat.epoch == member.previous_epoch && beat.epoch < member.epoch && has_no_more {
        return Ok(());
    }
    Err(Fault::FencedEpoch { group: member.epoch, request: beat.epoch })
}

/// The member with what the request says; the same one when it says nothing new.
fn news(before: &Arc<Member>, beat: &Heartbeat) -> Arc<Member> {
    fn is_same<T: PartialEq>(new: Option<&T>, old: Option<&T>) -> bool {
        new.is_none() || new == old
    }
    let names_are_same = beat
        .names
        .as_ref()
        .is_none_or(|names| names.len() == before.names.len() && names.iter().all(|name| before.names.contains(name)));
    if names_are_same
        && is_same(beat.instance.as_ref(), before.instance.as_ref())
        && is_same(beat.rack.as_ref(), before.rack.as_ref())
        && is_same(beat.rebalance_ms.as_ref(), Some(&before.rebalance_ms))
        && is_same(beat.pattern.as_ref(), Some(&before.pattern))
        && is_same(beat.assignor.as_ref(), before.assignor.as_ref())
        && beat.client == before.client
        && before.classic.is_none()
    {
        return Arc::clone(before);
    }
    let mut after = Member::clone(before);
    after.instance = beat.instance.clone().or(after.instance);
    after.rack = beat.rack.clone().or(after.rack);
    after.rebalance_ms = beat.rebalance_ms.unwrap_or(after.rebalance_ms);
    after.assignor = beat.assignor.clone().or(after.assignor);
    if let Some(names) = &beat.names {
        after.names = Arc::new(names.iter().cloned().collect());
    }
    after.pattern = beat.pattern.clone().unwrap_or(after.pattern);
    after.client = beat.client.clone();
    after.classic = None;
    Arc::new(after)
}

/// One member's turn in its group.
pub(super) struct Turn<'a> {
    pub(super) world: World<'a>,
    pub(super) group: &'a ConsumerGroup,
    /// The member as the group knows it, or as the one that it replaces.
    pub(super) before: &'a Arc<Member>,
    /// The member with its news.
    pub(super) after: Arc<Member>,
}

impl Turn<'_> {
    /// The member after its turn, and patterns to resolve.
    fn go(self, said: Said<'_>, out: &mut Out) -> Result<(Arc<Member>, Vec<Arc<str>>), Fault> {
        let has_other_names = self.write_news(out);
        let (pattern, unresolved) = self.follow_pattern(out)?;
        let bumps = has_other_names || pattern == Pattern::ChangedAndResolved || self.has_other_assignor();
        let has_resubscribed = has_other_names || pattern != Pattern::Same;
        let followed = self.follow(bumps, out);
        let after = self.reconcile(&followed, has_resubscribed, said, out)?;
        Ok((after, unresolved))
    }

    /// Writes the member down if there are news; says whether it names other topics.
    pub(super) fn write_news(&self, out: &mut Out) -> bool {
        if self.after == *self.before {
            return false;
        }
        out.writer.member(&self.after);
        self.after.names != self.before.names
    }

    fn has_other_assignor(&self) -> bool {
        if self.after.assignor == self.before.assignor {
            return false;
        }
        let default = self.world.settings.consumer.assignors.first().map_or("", String::as_str);
        let before = self.group.preferred_assignor(None, None);
        let after = self.group.preferred_assignor(Some(self.before), Some(&self.after));
        before.as_deref().unwrap_or(default) != after.as_deref().unwrap_or(default)
    }

    /// Raises the group's epoch when the member or the topics ask for it, and computes its target when that is due.
    pub(super) fn follow(&self, bumps: bool, out: &mut Out) -> Followed {
        let epoch = self.epoch_after(bumps, out);
        target::follow(self, epoch, out)
    }

    /// The group's epoch once the member's news count, and those of the topics where there may be some.
    pub(super) fn epoch_after(&self, bumps: bool, out: &mut Out) -> i32 {
        let is_expired = self.group.looked_at.is_none_or(|looked_at| self.group.epoch < looked_at);
        if bumps || is_expired { self.look_at_topics(bumps, out) } else { self.group.epoch }
    }

    /// The group's epoch once its topics have been looked at.
    fn look_at_topics(&self, bumps: bool, out: &mut Out) -> i32 {
        let topics = self.topics();
        let hash = metadata_hash(topics.keys(), self.world.image);
        let mut epoch = self.group.epoch;
        if bumps || hash != self.group.metadata_hash {
            epoch += 1;
            out.writer.epoch(epoch, hash);
        }
        out.note(Soft::LookedAt(epoch));
        if self.group.has_topics_record {
            out.writer.no_topics();
        }
        epoch
    }

    /// The member's next step towards its target.
    pub(super) fn reconcile(
        &self,
        followed: &Followed,
        has_resubscribed: bool,
        said: Said<'_>,
        out: &mut Out,
    ) -> Result<Arc<Member>, Fault> {
        if !has_resubscribed && self.after.is_reconciled_to(followed.epoch) {
            return Ok(Arc::clone(&self.after));
        }
        let step = Step {
            target_epoch: followed.epoch,
            target: &followed.target,
            has_resubscribed,
            subscribed: &subscribed_ids(self.group, &self.after, self.world.image),
            is_held: &|topic, partition| self.group.holder_epoch(topic, partition).is_some(),
            said,
        };
        let Some(next) = step.of(&self.after)?.filter(|next| *next != *self.after) else {
            return Ok(Arc::clone(&self.after));
        };
        out.writer.current(&next);
        if !next.is_classic() {
            match next.state {
                MemberState::Unrevoked => out.revoke_by(self.world, &next),
                MemberState::Stable | MemberState::Unreleased | MemberState::Unknown => out.end_revoke(&next.id),
            }
        }
        Ok(Arc::new(next))
    }
}
