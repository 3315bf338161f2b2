//! Members leave, for good or for a while, or are taken out.

use super::heartbeat::check_not_fenced;
use super::migrate::{self, Downgrade};
use super::{Asked, Out, World};
use crate::group::Fault;
use crate::group::consumer::request::{Answer, Beat, Heartbeat};
use crate::group::consumer::state::{
    ConsumerGroup, Member, Owned, STATIC_LEAVE_EPOCH, change_subscribers, count_up, metadata_hash,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn decide(world: World<'_>, asked: Asked<'_>, beat: &Heartbeat, out: &mut Out) -> Result<Answer, Fault> {
    let group = match asked {
        Asked::Consumer(group) => group,
        Asked::Nothing => return Err(Fault::GroupNotFound(Arc::clone(&beat.group))),
        Asked::Classic => return Err(Fault::NotConsumerGroup(Arc::clone(&beat.group))),
    };
    let member = match &beat.instance {
        None => group
            .members
            .get(&beat.member)
            .ok_or_else(|| Fault::NotAMember { member: Arc::clone(&beat.member), group: Arc::clone(&beat.group) })?,
        Some(instance) => {
            let member = group.static_member(instance).ok_or_else(|| Fault::UnknownInstance(Arc::clone(instance)))?;
            check_not_fenced(member, &beat.member, instance)?;
            member
        }
    };
    if beat.instance.is_some() && beat.epoch == STATIC_LEAVE_EPOCH {
        let away = Member {
            epoch: STATIC_LEAVE_EPOCH,
            assigned: member.assigned.since(0),
            revoking: Owned::default(),
            ..Member::clone(member)
        };
        out.writer.current(&away);
    } else {
        fence(world, group, &[Arc::clone(member)], out);
    }
    let answer = Beat { member: Arc::clone(&beat.member), epoch: beat.epoch, ..Beat::default() };
    Ok(Answer::Heartbeat(Box::new(answer)))
}

/// Takes members out; the next heartbeat of another one computes a target without them.
pub(super) fn fence(world: World<'_>, group: &ConsumerGroup, members: &[Arc<Member>], out: &mut Out) {
    if members.is_empty() {
        return;
    }
    if migrate::goes_down_without(world, group, members) {
        let rebalance = Some("the last member of the consumer protocol has left");
        return Downgrade { leaving: members, replacement: None, rebalance }.go(world, group, out);
    }
    for member in members {
        out.writer.no_member(&member.id);
    }
    let mut topics = group.topics.clone();
    let mut patterns = BTreeMap::new();
    for member in members {
        count_up(&mut patterns, member.pattern());
        for name in member.names.iter() {
            change_subscribers(&mut topics, name, |count| count.by_name = count.by_name.saturating_sub(1));
        }
    }
    for (pattern, count) in &patterns {
        if group.subscribers_of(pattern) != *count {
            continue;
        }
        out.writer.no_pattern(pattern);
        for topic in group.resolved.get(pattern).into_iter().flat_map(|resolved| &resolved.topics) {
            change_subscribers(&mut topics, topic, |count| count.by_pattern = count.by_pattern.saturating_sub(1));
        }
    }
    let epoch = group.epoch + 1;
    out.writer.epoch(epoch, metadata_hash(topics.keys(), world.image));
    if group.members.len() == members.len() {
        out.writer.target_epoch(epoch, 0);
    }
    for member in members {
        out.end_timers(&member.id);
    }
}
