//! What follows from a command or a deadline of a classic group.

use super::Timer;
use super::command::{Answer, Command, Heartbeat};
use super::draft::{Draft, key};
use super::expire;
use super::group::{ClassicGroup, Soft, State};
use crate::group::fault::Fault;
use crate::group::record::Record;
use crate::group::settings::GroupSettings;
use crate::machine::{Now, Ticket};
use ottla_host::Monotonic;
use std::sync::Arc;

/// What a decision is about and goes by.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Id of the group.
    pub group: &'a Arc<str>,
    /// Settings.
    pub settings: &'a GroupSettings,
    /// The time.
    pub now: Now,
}

/// What follows. Records come first, then what this leader alone knows, then deadlines.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// To be written in one batch.
    pub records: Vec<Record<'static>>,
    /// What this leader alone knows.
    pub soft: Option<Soft>,
    /// Deadlines that are set anew or end.
    pub timers: Vec<(Timer, Option<Monotonic>)>,
    /// Answers to the asker and to others that have waited.
    pub answers: Vec<(Ticket, Result<Answer, Fault>)>,
}

impl Outcome {
    /// Nothing changes; `ticket` gets `answer`.
    #[must_use]
    pub fn answer(ticket: Ticket, answer: Result<Answer, Fault>) -> Outcome {
        Outcome { answers: vec![(ticket, answer)], ..Outcome::default() }
    }
}

/// What follows from `command` to a group; None for one that there is not.
#[must_use]
pub fn decide(scope: Scope<'_>, group: Option<&ClassicGroup>, command: Command, ticket: Ticket) -> Outcome {
    match command {
        Command::Join(join) => super::join::join(scope, group, *join, ticket),
        Command::Sync(sync) => super::sync::sync(scope, group, *sync, ticket),
        Command::Heartbeat(beat) => heartbeat(scope, group, &beat, ticket),
        Command::Leave(leave) => super::leave::leave(scope, group, leave, ticket),
    }
}

fn heartbeat(scope: Scope<'_>, group: Option<&ClassicGroup>, beat: &Heartbeat, ticket: Ticket) -> Outcome {
    let member = group
        .ok_or_else(|| Fault::UnknownMember(beat.who.member_id.clone()))
        .and_then(|group| Ok((group, group.validate_member(&beat.who)?)))
        .and_then(|(group, member)| group.validate_generation(beat.generation).map(|()| (group, member)));
    let (group, member) = match member {
        Ok(found) => found,
        Err(fault) => return Outcome::answer(ticket, Err(fault)),
    };
    let answer = match group.state() {
        State::Preparing(_) => Err(Fault::RebalanceInProgress),
        State::Empty | State::Completing | State::Stable => Ok(Answer::Heard),
    };
    let deadline = scope.now.monotonic + member.session();
    Outcome { timers: vec![(Timer::Session(member.id.clone()), Some(deadline))], ..Outcome::answer(ticket, answer) }
}

/// The deadline of a member's session as a commit of offsets sets it; None where it does not.
#[must_use]
pub fn session(scope: Scope<'_>, group: &ClassicGroup, member_id: &str) -> Option<(Timer, Monotonic)> {
    let member = match group.state() {
        State::Stable | State::Preparing(_) => group.member(member_id)?,
        State::Empty | State::Completing => return None,
    };
    Some((Timer::Session(member.id.clone()), scope.now.monotonic + member.session()))
}

/// What follows once the deadline of `timer` has come.
#[must_use]
pub fn due(scope: Scope<'_>, group: Option<&ClassicGroup>, timer: Timer) -> Outcome {
    let Some(group) = group else {
        return Outcome { timers: vec![(timer, None)], ..Outcome::default() };
    };
    let mut draft = Draft::new(scope, group);
    draft.end_timer(timer.clone());
    match timer {
        Timer::Session(id) => expire::session(&mut draft, &id),
        Timer::Join => expire::join(&mut draft),
        Timer::Sync => expire::sync(&mut draft),
    }
    draft.finish()
}

/// What follows once the group is loaded and this broker coordinates it: sessions begin anew.
#[must_use]
pub fn begin(scope: Scope<'_>, group: &ClassicGroup) -> Outcome {
    let mut draft = Draft::new(scope, group);
    for member in group.members() {
        draft.extend_session(member);
    }
    if group.members().len() > scope.settings.classic_size_max {
        draft.prepare_rebalance("it has more members than group.max.size allows");
    }
    draft.finish()
}

/// Ends a group: the record that takes it back, and the deadlines that go with it. Members that wait have to join again.
#[must_use]
pub fn end(group_id: &str, group: &ClassicGroup) -> Outcome {
    let waiting = group.members().flat_map(|member| member.joining.into_iter().chain(member.syncing));
    let ids = group.members.keys().chain(&group.pending);
    let sessions = ids.map(|id| (Timer::Session(id.clone()), None));
    Outcome {
        records: vec![Record::Classic(key(group_id), None)],
        timers: sessions.chain([(Timer::Join, None), (Timer::Sync, None)]).collect(),
        answers: waiting.map(|ticket| (ticket, Err(Fault::RebalanceInProgress))).collect(),
        ..Outcome::default()
    }
}

/// Ends a group whose members go on in one of KIP-848: who waits is told to join again.
#[must_use]
pub fn dissolve(group_id: &str, group: &ClassicGroup) -> Outcome {
    let waiting = group.members.values().flat_map(|member| member.joining.into_iter().chain(member.syncing));
    let answers = waiting.map(|ticket| (ticket, Err(Fault::RebalanceInProgress))).collect();
    Outcome { answers, ..end(group_id, group) }
}
