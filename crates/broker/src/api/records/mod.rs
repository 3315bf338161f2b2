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
    let Some(partition) = hosted.and_then(|hosted| hosted.partition(index)) else {
        let known = cx.leader_of(name, ottla_wire::Uuid::ZERO, index);
        return Err(known.map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |_| ErrorCode::NOT_LEADER_OR_FOLLOWER));
    };
    partition.serves().map_err(outcome::unavailable)?;
    fetch::check_epoch(partition, epoch)?;
    Ok(partition.clone())
}
