//! Deadlines of a group that have come.

use super::Timer;
use super::draft::Draft;
use super::group::{Initial, State};
use std::sync::Arc;

/// Nothing was heard of a member.
pub(super) fn session(draft: &mut Draft<'_>, id: &Arc<str>) {
    if draft.is_pending(id) {
        draft.remove_pending(id);
    } else {
        let is_silent = draft.member(id).is_some_and(|member| !member.is_excused());
        if !is_silent {
            return;
        }
        draft.remove(id);
        if matches!(draft.head.state, State::Stable | State::Completing) {
            draft.prepare_rebalance(format_args!("a member's session has ended ({id})"));
            return;
        }
    }
    if matches!(draft.head.state, State::Preparing(_)) && draft.head.has_all_joined() {
        draft.complete_join();
    }
}

/// The time to join is over, unless the first members of a group have just been joined by others.
pub(super) fn join(draft: &mut Draft<'_>) {
    match draft.head.state {
        State::Preparing(Some(Initial { delay, remaining, has_grown: true })) if !remaining.is_zero() => {
            let next = draft.scope.settings.initial_rebalance_delay.min(remaining);
            let remaining = remaining.saturating_sub(delay);
            draft.head.state = State::Preparing(Some(Initial { delay: next, remaining, has_grown: false }));
            draft.set_timer(Timer::Join, next);
        }
        State::Preparing(_) => draft.complete_join(),
        State::Empty | State::Completing | State::Stable => {}
    }
}

/// Members have not asked for their assignment in time: they are out.
pub(super) fn sync(draft: &mut Draft<'_>) {
    if draft.head.tally.unsynced == 0 {
        return;
    }
    for member in draft.sorted_members() {
        if draft.head.owes(&member) {
            draft.remove(&member.id);
        }
    }
    draft.prepare_rebalance("members have not asked for their assignment in time");
}
