//! Groups change their protocol while they have members: up when the first member of KIP-848 joins, down when the last one
//! leaves.

use super::embedded::{self, Foreign};
use super::{Out, World};
use crate::group::classic::{self, ClassicGroup, Draft, Protocol, Scope, Timeouts};
use crate::group::consumer::state::{ClassicMember, ConsumerGroup, Member, Partitions, metadata_hash};
use crate::group::settings::Migration;
use crate::group::{Change, Fault};
use std::sync::Arc;
use std::time::Duration;

const MALFORMED: &str = "the embedded consumer protocol is malformed";
const FOREIGN: &str = "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default \
                       assignor before re-attempting the upgrade";

impl Migration {
    fn goes_up(self) -> bool {
        matches!(self, Migration::Upgrade | Migration::Bidirectional)
    }

    fn goes_down(self) -> bool {
        matches!(self, Migration::Downgrade | Migration::Bidirectional)
    }
}

/// A group of KIP-848 with the members of a classic one, and the changes that make it.
///
/// # Errors
/// GROUP_ID_NOT_FOUND with the reason why the group stays what it is.
pub fn upgrade(world: World<'_>, id: &Arc<str>, classic: &ClassicGroup) -> Result<(ConsumerGroup, Vec<Change>), Fault> {
    let refuse = |reason| Fault::CannotUpgrade { group: Arc::clone(id), reason };
    let settings = &world.settings.consumer;
    if !settings.migration.goes_up() {
        return Err(refuse("online upgrade is disabled"));
    }
    if !classic.is_consumers() {
        return Err(refuse("the group does not use the consumer embedded protocol"));
    }
    if classic.members().len() > settings.size_max {
        return Err(refuse("the group size exceeds the consumer group maximum size"));
    }
    let mut group = ConsumerGroup::in_epoch(classic.generation());
    for member in classic.members() {
        let (member, target) = taken_over(world, classic, member).map_err(refuse)?;
        group.target.insert(Arc::clone(&member.id), Arc::new(target));
        group.put_member(member);
    }
    group.metadata_hash = metadata_hash(group.topics.keys(), world.image);
    let mut out = Out::new(Arc::clone(id));
    out.writer.group_of(&group);
    for member in group.members.values() {
        out.session(&group, &member.id, world, classic_session(member));
    }
    Ok((group, out.writer.changes))
}

fn taken_over(
    world: World<'_>,
    group: &ClassicGroup,
    member: &classic::Member,
) -> Result<(Member, Partitions), &'static str> {
    let target = embedded::assignment(&member.assignment, world.image).map_err(|foreign| match foreign {
        Foreign::Malformed => MALFORMED,
        Foreign::UserData => FOREIGN,
    })?;
    let metadata = group.protocol().and_then(|protocol| member.metadata(protocol)).ok_or(MALFORMED)?;
    let said = embedded::subscription(metadata, world.image).ok_or(MALFORMED)?;
    let protocols = member.protocols.iter().map(|one| (Arc::clone(&one.name), Arc::clone(&one.metadata)));
    let taken = Member {
        epoch: group.generation(),
        previous_epoch: group.generation(),
        instance: member.instance_id.clone(),
        rack: said.rack,
        rebalance_ms: member.rebalance_timeout_ms,
        client: member.client.clone(),
        names: said.names,
        assigned: target.since(group.generation()),
        classic: Some(Arc::new(ClassicMember {
            session_ms: member.session_timeout_ms,
            protocols: protocols.collect(),
        })),
        ..Member::new(Arc::clone(&member.id))
    };
    Ok((taken, target))
}

/// The session of a member that speaks the classic protocol.
pub(super) fn classic_session(member: &Member) -> Duration {
    let ms = member.classic.as_ref().map_or(0, |classic| classic.session_ms);
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Whether only classic members are left once `leaving` are gone, so that the group becomes a classic one.
pub(super) fn goes_down_without(world: World<'_>, group: &ConsumerGroup, leaving: &[Arc<Member>]) -> bool {
    let classic = group.classic_members - leaving.iter().filter(|member| member.is_classic()).count();
    let left = group.members.len() - leaving.len();
    left > 0
        && classic == left
        && world.settings.consumer.migration.goes_down()
        && left <= world.settings.classic_size_max
}

/// Whether only classic members are left once `replaced`, a static member of KIP-848, has come back as a classic one.
pub(super) fn goes_down_with_replaced(world: World<'_>, group: &ConsumerGroup, replaced: &Member) -> bool {
    !replaced.is_classic()
        && group.classic_members + 1 == group.members.len()
        && world.settings.consumer.migration.goes_down()
        && group.members.len() <= world.settings.classic_size_max
}

/// A member that comes in place of another.
pub(super) struct Replacement<'a> {
    pub(super) before: &'a Member,
    pub(super) after: &'a Member,
}

/// How a group goes down.
pub(super) struct Downgrade<'a> {
    pub(super) leaving: &'a [Arc<Member>],
    pub(super) replacement: Option<Replacement<'a>>,
    /// Why its members have to join anew; None if each has what it shall have.
    pub(super) rebalance: Option<&'static str>,
}

impl Downgrade<'_> {
    /// Makes the group a classic one, in the generation of its epoch.
    pub(super) fn go(&self, world: World<'_>, group: &ConsumerGroup, out: &mut Out) {
        let renamed = self.replacement.as_ref().map(|one| (&*one.before.id, &*one.after.id));
        out.writer.no_group(group, renamed);
        for id in group.members.keys() {
            out.end_timers(id);
        }
        let id = Arc::clone(out.writer.group());
        let scope = Scope { group: &id, settings: world.settings, now: world.now };
        let empty = ClassicGroup::new(Some(world.now.wall));
        let target = |member: &classic::Member, metadata: &[u8]| {
            let holder = self.replacement.as_ref().filter(|one| one.after.id == member.id);
            let holder = holder.map_or(&member.id, |one| &one.before.id);
            let target = group.target.get(holder).cloned().unwrap_or_default();
            embedded::assigned(&target, metadata, world.image)
        };
        let mut draft = Draft::assemble(scope, &empty, group.epoch, self.members(group), target);
        if let Some(reason) = self.rebalance {
            draft.prepare_rebalance(reason);
        }
        let outcome = draft.finish();
        let changes = &mut out.writer.changes;
        changes.extend(outcome.records.into_iter().map(Change::Record));
        changes.extend(outcome.soft.map(|soft| Change::Classic(Arc::clone(&id), soft)));
        let timer = |timer| crate::group::Timer::Classic(Arc::clone(&id), timer);
        changes.extend(outcome.timers.into_iter().map(|(which, deadline)| Change::Timer(timer(which), deadline)));
        debug_assert!(outcome.answers.is_empty(), "members of a group that was one of KIP-848 wait for nothing");
        tracing::info!(group = %id, "the group has become a classic one");
    }

    fn members(&self, group: &ConsumerGroup) -> Vec<classic::Member> {
        let replaced = self.replacement.as_ref().map(|one| &one.before.id);
        let is_leaving = |member: &Member| self.leaving.iter().any(|other| other.id == member.id);
        let stay = group.members.values().filter(|member| Some(&member.id) != replaced && !is_leaving(member));
        let new = self.replacement.as_ref().map(|one| one.after);
        stay.map(|member| &**member).chain(new).filter_map(classic_member).collect()
    }
}

fn classic_member(member: &Member) -> Option<classic::Member> {
    let classic = member.classic.as_deref()?;
    let protocol =
        |(name, metadata): &(Arc<str>, Arc<[u8]>)| Protocol { name: Arc::clone(name), metadata: Arc::clone(metadata) };
    let timeouts = Timeouts { session_ms: classic.session_ms, rebalance_ms: member.rebalance_ms };
    let protocols = classic.protocols.iter().map(protocol).collect();
    let (id, instance) = (Arc::clone(&member.id), member.instance.clone());
    Some(classic::Member::new(id, instance, member.client.clone(), timeouts, protocols))
}
