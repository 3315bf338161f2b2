//! APIs that read and write records.

pub(crate) mod delete_records;
pub(crate) mod fetch;
pub(crate) mod init_producer_id;
pub(crate) mod list_offsets;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod outcome;
pub(crate) mod produce;

use crate::cx::{Cx, Hosted, Partition};
use ottla_wire::ErrorCode;
use std::sync::Arc;

/// The partition `index` of a topic that the caller may use, if this broker leads it in the term `epoch` (-1: any).
fn led(cx: &Cx, hosted: Option<&Hosted>, name: &str, index: i32, epoch: i32) -> Result<Arc<Partition>, ErrorCode> {
    let found = hosted.map_or(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), |hosted| hosted.find(index));
    let partition = found.map_err(|code| match cx.leader_of(name, ottla_wire::Uuid::ZERO, index) {
        Some(_) if code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        Some(_) | None => code,
    })?;
    partition.serves().map_err(outcome::unavailable)?;
    fetch::check_epoch(partition, epoch)?;
    Ok(partition.clone())
}
