//! Members of the classic protocol inside a KIP-848 group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup told in epochs.

use super::heartbeat::{Turn, check_not_fenced, check_room, replace};
use super::migrate::{self, Downgrade, Replacement, classic_session};
use super::patterns::Pattern;
use super::target::{self, Followed};
use super::{Out, World, embedded, leave};
use crate::group::classic::{Answer, CONSUMER, Command, Heartbeat, Identity, Join, Joined, Leave, Left, LeftMember};
use crate::group::classic::{Sync, Synced};
use crate::group::consumer::request::{Soft, Timer};
use crate::group::consumer::state::{ClassicMember, ConsumerGroup, Member, MemberState};
use crate::group::settings::Migration;
use crate::group::{Change, Fault};
use std::sync::Arc;
use std::time::Duration;

/// Changes, and what the asker is told. Some refusals change something as well.
pub(crate) type ClassicOutcome = (Vec<Change>, Result<Answer, Fault>);

/// What follows from a request of the classic protocol to a KIP-848 group that has members.
pub fn decide_classic(world: World<'_>, id: &Arc<str>, group: &ConsumerGroup, command: Command) -> ClassicOutcome {
    let mut out = Out::new(Arc::clone(id));
    let answer = match command {
        Command::Join(request) => {
            return match join(world, group, &request, &mut out) {
                Ok(joined) => (out.writer.changes, Ok(Answer::Joined(joined))),
                Err(fault) => (Vec::new(), Err(fault)),
            };
        }
        Command::Sync(request) => sync(world, group, &request, &mut out).map(Answer::Synced),
        Command::Heartbeat(beat) => heartbeat(world, group, &beat, &mut out).map(|()| Answer::Heard),
        Command::Leave(request) => Ok(Answer::Left(leave_all(world, group, request, &mut out))),
    };
    (out.writer.changes, answer)
}

fn join(world: World<'_>, group: &ConsumerGroup, request: &Join, out: &mut Out) -> Result<Joined, Fault> {
    if world.settings.consumer.migration == Migration::Disabled {
        return Err(Fault::InconsistentProtocol);
    }
    let is_new = request.who.member_id.is_empty();
    let id = if is_new { &request.fresh_id } else { &request.who.member_id };
    let instance = request.who.instance_id.as_ref();
    check_room(world, group, id, instance.map(|instance| &**instance))?;
    let is_common = |name: &Arc<str>| group.classic_protocols.get(name).copied().unwrap_or(0) == group.classic_members;
    if *request.protocol_type != *CONSUMER || !request.protocols.iter().any(|protocol| is_common(&protocol.name)) {
        return Err(Fault::InconsistentProtocol);
    }
    if is_new && instance.is_none() && request.abilities.comes_again {
        return Err(Fault::MemberIdRequired(Arc::clone(id)));
    }
    let before = member_before(group, request, id, out)?;
    let first = request.protocols.first().ok_or(Fault::InconsistentProtocol)?;
    let said = embedded::subscription(&first.metadata, world.image).ok_or(Fault::InconsistentProtocol)?;
    let after = news(&before, request, &said);
    let turn = Turn { world, group, before: &before, after };
    let has_other_names = turn.write_news(out);
    let has_resubscribed = turn.change_pattern(out)?.0 != Pattern::Same || has_other_names;
    let downgraded = instance
        .and_then(|instance| group.static_member(instance))
        .filter(|existing| migrate::goes_down_with_replaced(world, group, existing));
    let member = match downgraded {
        Some(existing) => go_down(&turn, existing, has_resubscribed, &said.owned, out)?,
        None => {
            let followed = turn.follow(has_resubscribed, out);
            let member = turn.reconcile(&followed, has_resubscribed, Some(&said.owned), out)?;
            set_classic_timers(world, group, &member, out);
            member
        }
    };
    Ok(Joined {
        member_id: Arc::clone(&member.id),
        generation: member.epoch,
        protocol_type: Some(CONSUMER.into()),
        protocol: Some(Arc::clone(&first.name)),
        leader: Arc::default(),
        skip_assignment: false,
        members: Vec::new(),
    })
}

/// The last member of KIP-848, a static one, has come back as a classic one.
fn go_down(
    turn: &Turn<'_>,
    existing: &Member,
    has_resubscribed: bool,
    said: &[(ottla_wire::Uuid, Vec<i32>)],
    out: &mut Out,
) -> Result<Arc<Member>, Fault> {
    let group = turn.group;
    let epoch = turn.epoch_after(has_resubscribed, out);
    let is_behind = group.target_epoch < epoch;
    let member = if is_behind {
        Arc::clone(&turn.after)
    } else {
        let followed = Followed { epoch: group.target_epoch, target: target::last(group, &turn.after) };
        turn.reconcile(&followed, has_resubscribed, Some(said), out)?
    };
    let downgrade = Downgrade {
        leaving: &[],
        replacement: Some(Replacement { before: existing, after: &member }),
        rebalance: is_behind.then_some("the group has become a classic one before its members had followed it"),
    };
    downgrade.go(turn.world, group, out);
    Ok(member)
}

fn member_before(group: &ConsumerGroup, request: &Join, id: &Arc<str>, out: &mut Out) -> Result<Arc<Member>, Fault> {
    let known_or_new = || group.members.get(id).map_or_else(|| Arc::new(Member::new(Arc::clone(id))), Arc::clone);
    let Some(instance) = &request.who.instance_id else { return Ok(known_or_new()) };
    let existing = group.static_member(instance);
    if request.who.member_id.is_empty() {
        return Ok(existing.map_or_else(known_or_new, |existing| replace(group, existing, id, out)));
    }
    let existing = existing.ok_or_else(|| Fault::UnknownInstance(Arc::clone(instance)))?;
    check_not_fenced(existing, id, instance)?;
    Ok(Arc::clone(existing))
}

fn news(before: &Arc<Member>, request: &Join, said: &embedded::Subscription) -> Arc<Member> {
    let protocols = request.protocols.iter().map(|one| (Arc::clone(&one.name), Arc::clone(&one.metadata)));
    let after = Member {
        instance: request.who.instance_id.clone().or_else(|| before.instance.clone()),
        rack: said.rack.clone().or_else(|| before.rack.clone()),
        rebalance_ms: Some(request.rebalance_timeout_ms).filter(|ms| *ms != -1).unwrap_or(before.rebalance_ms),
        names: Arc::clone(&said.names),
        pattern: Arc::default(),
        client: request.client.clone(),
        classic: Some(Arc::new(ClassicMember {
            session_ms: request.session_timeout_ms,
            protocols: protocols.collect(),
        })),
        ..Member::clone(before)
    };
    if after == **before { Arc::clone(before) } else { Arc::new(after) }
}

/// It has joined, and has to ask for its assignment in time.
fn set_classic_timers(world: World<'_>, group: &ConsumerGroup, member: &Arc<Member>, out: &mut Out) {
    out.joined(group, &member.id);
    out.session(group, &member.id, world, classic_session(member));
    let after = Duration::from_millis(u64::try_from(member.rebalance_ms).unwrap_or(0));
    out.set(Timer::Sync(Arc::clone(&member.id)), after, world);
}

/// The classic member that asks.
fn known<'g>(group: &'g ConsumerGroup, who: &Identity) -> Result<&'g Arc<Member>, Fault> {
    let unknown = || Fault::UnknownMember(Arc::clone(&who.member_id));
    let member = match &who.instance_id {
        None => group.members.get(&who.member_id).ok_or_else(unknown)?,
        Some(instance) => {
            let member = group.static_member(instance).ok_or_else(unknown)?;
            check_not_fenced(member, &who.member_id, instance)?;
            member
        }
    };
    if member.is_classic() { Ok(member) } else { Err(unknown()) }
}

fn check_generation(member: &Member, generation: i32) -> Result<(), Fault> {
    if member.epoch == generation {
        return Ok(());
    }
    Err(Fault::IllegalGeneration { group: member.epoch, request: generation })
}

fn sync(world: World<'_>, group: &ConsumerGroup, request: &Sync, out: &mut Out) -> Result<Synced, Fault> {
    let member = known(group, &request.who)?;
    check_generation(member, request.generation)?;
    let classic = member.classic.as_deref().and_then(|classic| classic.protocols.first());
    let (name, metadata) = classic.ok_or(Fault::InconsistentProtocol)?;
    let is_other = |asked: &Option<Arc<str>>, name: &str| asked.as_ref().is_some_and(|asked| **asked != *name);
    if is_other(&request.protocol_type, CONSUMER) || is_other(&request.protocol, name) {
        return Err(Fault::InconsistentProtocol);
    }
    if group.target_epoch > member.epoch && member.state != MemberState::Unrevoked {
        out.join_soon(world, group, member);
        return Err(Fault::RebalanceInProgress);
    }
    out.end(Timer::Sync(Arc::clone(&member.id)));
    out.session(group, &member.id, world, classic_session(member));
    Ok(Synced {
        protocol_type: request.protocol_type.clone(),
        protocol: request.protocol.clone(),
        assignment: embedded::owned(&member.assigned, metadata, world.image),
    })
}

fn heartbeat(world: World<'_>, group: &ConsumerGroup, beat: &Heartbeat, out: &mut Out) -> Result<(), Fault> {
    let member = known(group, &beat.who)?;
    check_generation(member, beat.generation)?;
    out.session(group, &member.id, world, classic_session(member));
    let is_free = || !group.waits_for_others(member);
    let has_to_join = member.epoch < group.target_epoch
        || member.state == MemberState::Unrevoked
        || (member.state == MemberState::Unreleased && is_free());
    if has_to_join {
        out.join_soon(world, group, member);
        return Err(Fault::RebalanceInProgress);
    }
    Ok(())
}

fn leave_all(world: World<'_>, group: &ConsumerGroup, request: Leave, out: &mut Out) -> Left {
    let mut gone: Vec<Arc<Member>> = Vec::new();
    let mut members = Vec::with_capacity(request.members.len());
    for (who, _) in request.members {
        let outcome = leaver(group, &who).map(|member| {
            if !gone.iter().any(|other| other.id == member.id) {
                gone.push(Arc::clone(member));
            }
        });
        members.push(LeftMember { who, outcome });
    }
    leave::fence(world, group, &gone, out);
    Left { members }
}

fn leaver<'g>(group: &'g ConsumerGroup, who: &Identity) -> Result<&'g Arc<Member>, Fault> {
    let unknown = || Fault::UnknownMember(Arc::clone(&who.member_id));
    let Some(instance) = &who.instance_id else { return group.members.get(&who.member_id).ok_or_else(unknown) };
    let member = group.static_member(instance).ok_or_else(unknown)?;
    if !who.member_id.is_empty() {
        check_not_fenced(member, &who.member_id, instance)?;
    }
    Ok(member)
}

impl Out {
    /// The member has to join within its rebalance timeout, counted from the first time that it was told.
    fn join_soon(&mut self, world: World<'_>, group: &ConsumerGroup, member: &Member) {
        if group.sessions.get(&member.id).is_some_and(|session| session.joins.is_some()) {
            return;
        }
        let after = Duration::from_millis(u64::try_from(member.rebalance_ms).unwrap_or(0));
        self.set(Timer::Join(Arc::clone(&member.id)), after, world);
        self.note(Soft::JoinBy(Arc::clone(&member.id), Some(world.now.monotonic + after)));
    }

    fn joined(&mut self, group: &ConsumerGroup, member: &Arc<str>) {
        if group.sessions.get(member).is_some_and(|session| session.joins.is_some()) {
            self.end(Timer::Join(Arc::clone(member)));
            self.note(Soft::JoinBy(Arc::clone(member), None));
        }
    }
}
