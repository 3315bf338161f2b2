//! A member's next step towards its target: give up first, then go on to the next epoch, and take only what is free.

use super::super::state::{Member, MemberState, Owned, Partitions};
use crate::group::Fault;
use ottla_host::planted::{self, Bug};
use ottla_wire::Uuid;
use std::collections::BTreeSet;

/// What a member says that it has; None when it did not say.
pub(super) type Said<'a> = Option<&'a [(Uuid, Vec<i32>)]>;

/// What a step depends on besides the member.
pub(super) struct Step<'a> {
    /// Epoch of the target assignment.
    pub(super) target_epoch: i32,
    /// What the member shall have.
    pub(super) target: &'a Partitions,
    /// Whether what it subscribes to has just changed.
    pub(super) has_resubscribed: bool,
    /// The topics that it subscribes to.
    pub(super) subscribed: &'a BTreeSet<Uuid>,
    /// Whether a partition is held by a member, this one or another.
    pub(super) is_held: &'a dyn Fn(&Uuid, i32) -> bool,
    /// What the member says that it has.
    pub(super) said: Said<'a>,
}

impl Step<'_> {
    /// The member after the step; None when nothing changes.
    pub(super) fn of(&self, member: &Member) -> Result<Option<Member>, Fault> {
        match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => Ok(Some(self.next(member, member.epoch))),
            MemberState::Stable if self.has_resubscribed => Ok(self.unsubscribe(member)),
            MemberState::Stable => Ok(None),
            MemberState::Unrevoked if self.still_has(&member.revoking) => {
                Ok(if self.has_resubscribed { self.unsubscribe(member) } else { None })
            }
            MemberState::Unrevoked | MemberState::Unreleased => Ok(Some(self.next(member, member.epoch))),
            MemberState::Unknown if self.said.is_none_or(|said| !said.is_empty()) => Err(Fault::UnknownState),
            MemberState::Unknown => Ok(Some(self.next(member, self.target_epoch))),
        }
    }

    /// Whether the member may still have one of `revoked`; it may while it has not said what it has.
    fn still_has(&self, revoked: &Owned) -> bool {
        self.said.is_none_or(|said| {
            said.iter()
                .any(|(topic, partitions)| partitions.iter().any(|partition| revoked.contains(topic, *partition)))
        })
    }

    /// Has the member give up, at once and in its epoch, what it does not subscribe to any more.
    fn unsubscribe(&self, member: &Member) -> Option<Member> {
        let gone: Vec<Uuid> =
            member.assigned.iter().map(|(topic, _)| *topic).filter(|topic| !self.subscribed.contains(topic)).collect();
        if gone.is_empty() {
            return None;
        }
        let mut next = member.in_epoch(member.epoch);
        let mut revoking = member.revoking.clone();
        for topic in gone {
            revoking.add(topic, next.assigned.take(&topic));
        }
        if self.still_has(&revoking) {
            next.state = MemberState::Unrevoked;
            next.revoking = revoking;
        }
        Some(next)
    }

    /// Towards the target: in `epoch` while there is something to give up, in the target's epoch then.
    fn next(&self, member: &Member, epoch: i32) -> Member {
        let mut kept = Owned::default();
        let mut revoked = Owned::default();
        for (topic, list) in member.assigned.iter() {
            let wanted = self.wanted(topic);
            let (keep, revoke): (Vec<_>, Vec<_>) =
                list.iter().partition(|(partition, _)| wanted.binary_search(partition).is_ok());
            kept.add(*topic, keep);
            revoked.add(*topic, revoke);
        }
        if !revoked.is_empty() && self.still_has(&revoked) {
            return Member {
                state: MemberState::Unrevoked,
                assigned: kept,
                revoking: revoked,
                ..member.in_epoch(epoch)
            };
        }
        let waits = self.take_free(member, &mut kept);
        Member {
            epoch: self.target_epoch,
            previous_epoch: member.epoch,
            state: if waits { MemberState::Unreleased } else { MemberState::Stable },
            assigned: kept,
            revoking: Owned::default(),
            ..member.clone()
        }
    }

    /// Adds to `kept` what the target gives and nobody else holds; says whether something is held.
    fn take_free(&self, member: &Member, kept: &mut Owned) -> bool {
        let mut waits = false;
        for (topic, _) in self.target.iter() {
            let mut free = Vec::new();
            for partition in self.wanted(topic).iter().filter(|partition| !member.assigned.contains(topic, **partition))
            {
                let is_held = (self.is_held)(topic, *partition) && !planted::active(Bug::EarlyTake);
                if is_held && !member.revoking.contains(topic, *partition) {
                    waits = true;
                } else {
                    free.push((*partition, self.target_epoch));
                }
            }
            kept.add(*topic, free);
        }
        waits
    }

    fn wanted(&self, topic: &Uuid) -> &[i32] {
        if self.subscribed.contains(topic) { self.target.of(topic) } else { &[] }
    }
}
