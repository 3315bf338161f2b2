//! What follows from a command or a deadline of a KIP-848 group. Nothing here changes the group.

mod classic;
mod embedded;
mod heartbeat;
mod leave;
mod migrate;
mod patterns;
mod reconcile;
mod target;

pub use classic::decide_classic;
pub use migrate::upgrade;

use super::request::{Answer, Command, Soft, Timer};
use super::settings;
use super::state::{ConsumerGroup, Member, MemberState, Writer};
use crate::group::{Change, Fault, GroupSettings};
use crate::machine::Now;
use ottla_metadata::Image;
use std::sync::Arc;
use std::time::Duration;

/// What groups decide by.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Settings.
    pub settings: &'a GroupSettings,
    /// The cluster.
    pub image: &'a Arc<Image>,
    /// The time.
    pub now: Now,
}

/// What the id of a group stands for.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// Nothing.
    Nothing,
    /// A classic group that stays one.
    Classic,
    /// A KIP-848 group.
    Consumer(&'a ConsumerGroup),
}

/// Changes, and what the asker is told.
pub(crate) type Outcome = (Vec<Change>, Result<Answer, Fault>);

/// What follows from a command.
pub fn decide(world: World<'_>, asked: Asked<'_>, command: Command) -> Outcome {
    let decided = match command {
        Command::Heartbeat(beat) => heartbeat::decide(world, asked, &beat),
        Command::Resolved(looked) => patterns::resolved(world, asked, &looked),
    };
    match decided {
        Ok((changes, answer)) => (changes, Ok(answer)),
        Err(fault) => (Vec::new(), Err(fault)),
    }
}

/// What follows from a deadline that has come; its timer ends or is put off.
#[must_use]
pub fn due(world: World<'_>, id: &Arc<str>, group: Option<&ConsumerGroup>, timer: Timer) -> Vec<Change> {
    let member = group.and_then(|group| group.members.get(timer.member()));
    let (Some(group), Some(member)) = (group, member) else {
        return vec![Change::Timer(crate::group::Timer::Consumer(Arc::clone(id), timer), None)];
    };
    let now = world.now.monotonic;
    let is_over = match &timer {
        Timer::Session(member) => {
            let ends = group.sessions.get(member).map_or(now, |session| session.ends);
            if ends > now {
                let soft = Soft::Session { member: Arc::clone(member), ends, rings: Some(ends) };
                let put_off = crate::group::Timer::Consumer(Arc::clone(id), timer);
                return vec![Change::Timer(put_off, Some(ends)), Change::Consumer(Arc::clone(id), soft)];
            }
            true
        }
        // Whoever gives up its partitions leaves this state, and away static members have their session alone.
        Timer::Revoke(_) => member.state == MemberState::Unrevoked && member.epoch >= 0,
        Timer::Join(_) | Timer::Sync(_) => true,
    };
    let mut out = Out::new(Arc::clone(id));
    if is_over {
        leave::fence(world, group, &[Arc::clone(member)], &mut out);
    } else {
        out.end(timer);
    }
    out.writer.changes
}

/// Sessions and times to give up partitions begin anew when a group was loaded.
#[must_use]
pub fn begin(world: World<'_>, id: &Arc<str>, group: &ConsumerGroup) -> Vec<Change> {
    let mut out = Out::new(Arc::clone(id));
    let session = settings::session(world, id);
    for member in group.members.values() {
        out.session(group, &member.id, world, session);
        if member.state == MemberState::Unrevoked {
            out.revoke_by(world, member);
        }
    }
    out.writer.changes
}

/// What is written and what else changes in one decision.
pub(super) struct Out {
    pub(super) writer: Writer,
}

impl Out {
    pub(super) fn new(group: Arc<str>) -> Out {
        Out { writer: Writer::new(group) }
    }

    fn group(&self) -> Arc<str> {
        Arc::clone(self.writer.group())
    }

    pub(super) fn note(&mut self, soft: Soft) {
        let group = self.group();
        self.writer.changes.push(Change::Consumer(group, soft));
    }

    fn set(&mut self, timer: Timer, after: Duration, world: World<'_>) {
        let deadline = world.now.monotonic + after;
        let timer = crate::group::Timer::Consumer(self.group(), timer);
        self.writer.changes.push(Change::Timer(timer, Some(deadline)));
    }

    fn end(&mut self, timer: Timer) {
        let timer = crate::group::Timer::Consumer(self.group(), timer);
        self.writer.changes.push(Change::Timer(timer, None));
    }

    /// A member has been heard of. Its timer rings early at most once a session: it is put off when it rings.
    pub(super) fn session(&mut self, group: &ConsumerGroup, member: &Arc<str>, world: World<'_>, session: Duration) {
        let ends = world.now.monotonic + session;
        let rings = group.sessions.get(member).map(|session| session.rings).filter(|rings| rings.0 > 0);
        let is_anew = rings.is_none_or(|rings| rings > ends);
        if is_anew {
            self.set(Timer::Session(Arc::clone(member)), session, world);
        }
        self.note(Soft::Session { member: Arc::clone(member), ends, rings: is_anew.then_some(ends) });
    }

    /// The member has to give up partitions within its rebalance timeout.
    pub(super) fn revoke_by(&mut self, world: World<'_>, member: &Member) {
        let after = Duration::from_millis(u64::try_from(member.rebalance_ms).unwrap_or(0));
        self.set(Timer::Revoke(Arc::clone(&member.id)), after, world);
    }

    /// The member has given up what it had to.
    pub(super) fn end_revoke(&mut self, member: &Arc<str>) {
        self.end(Timer::Revoke(Arc::clone(member)));
    }

    pub(super) fn end_timers(&mut self, member: &Arc<str>) {
        for timer in [Timer::Session, Timer::Revoke, Timer::Join, Timer::Sync] {
            self.end(timer(Arc::clone(member)));
        }
    }
}
