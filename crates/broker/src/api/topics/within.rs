//! Commands to the controller within the time that their client gives.

use crate::cx::Cx;
use ottla_metadata::controller::{Answer, Command, Refusal};
use ottla_wire::ErrorCode;
use std::time::Duration;

/// Submits a command. It goes on when the time is over; the client only does not wait for it any longer.
pub(super) async fn submit(cx: &Cx, command: Command, timeout_ms: i32) -> Result<Answer, Refusal> {
    let control = cx.control().clone();
    let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    let mut timer = cx.sleep_until(cx.monotonic() + timeout);
    let submitted = control.submit(&command);
    tokio::select! {
        biased;
        answer = submitted => answer,
        () = &mut timer => Err(ErrorCode::REQUEST_TIMED_OUT.into()),
    }
}
