//! LeaveGroup: members go at once, and the others share what they had.

use super::command::{Answer, Identity, Leave, Left, LeftMember};
use super::decide::{Outcome, Scope};
use super::draft::Draft;
use super::group::{ClassicGroup, State};
use crate::group::fault::Fault;
use crate::machine::Ticket;
use std::sync::Arc;

pub(super) fn leave(scope: Scope<'_>, group: Option<&ClassicGroup>, leave: Leave, ticket: Ticket) -> Outcome {
    let unknown = |who: &Identity| Err(Fault::UnknownMember(who.member_id.clone()));
    let Some(group) = group else {
        let gone = leave.members.into_iter().map(|(who, _)| LeftMember { outcome: unknown(&who), who });
        return Outcome::answer(ticket, Ok(Answer::Left(Left { members: gone.collect() })));
    };
    let mut draft = Draft::new(scope, group);
    let mut members = Vec::with_capacity(leave.members.len());
    let mut why = None;
    for (who, reason) in leave.members {
        let outcome = draft.let_go(&who);
        if outcome.is_ok() {
            why = Some((who.clone(), reason));
        }
        members.push(LeftMember { who, outcome });
    }
    if let Some((who, reason)) = why {
        match draft.head.state {
            State::Stable | State::Completing => {
                draft.prepare_rebalance(format_args!("a member has left ({}: {reason})", who.member_id));
            }
            State::Preparing(_) => draft.complete_if_joined(),
            State::Empty => {}
        }
    }
    draft.answer(ticket, Ok(Answer::Left(Left { members })));
    draft.finish()
}

impl Draft<'_> {
    fn let_go(&mut self, who: &Identity) -> Result<(), Fault> {
        let id = &who.member_id;
        if id.is_empty() {
            let holder = who.instance_id.as_deref().and_then(|instance| self.static_member(instance));
            let holder: Arc<str> = holder.cloned().ok_or_else(|| Fault::UnknownMember(id.clone()))?;
            self.remove(&holder);
        } else if self.is_pending(id) {
            self.remove_pending(id);
        } else {
            self.validate(who)?;
            self.remove(id);
        }
        Ok(())
    }

    pub(super) fn remove_pending(&mut self, id: &Arc<str>) {
        self.end_timer(super::Timer::Session(id.clone()));
        self.set_pending(id, false);
    }
}
