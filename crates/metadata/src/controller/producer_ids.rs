//! Blocks of producer ids: every broker gets its own, and none is ever given twice.

use ottla_messages::records::metadata::{MetadataRecord, ProducerIdsRecord};
use ottla_wire::error::ErrorCode;
use ottla_wire::ids::{BrokerId, ProducerId};

use super::brokers::check_epoch;
use super::{Answer, Decision, PRODUCER_ID_BLOCK, Refusal};
use crate::image::Image;

pub(super) fn allocate(image: &Image, id: BrokerId, epoch: i64) -> Result<Decision, Refusal> {
    check_epoch(image, id, epoch)?;
    let first = image.producer_ids().next;
    let next = first.checked_add(PRODUCER_ID_BLOCK).ok_or_else(|| {
        Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, "Every producer id has been given out; there is no block left.")
    })?;
    let record = ProducerIdsRecord { broker_id: id.0, broker_epoch: epoch, next_producer_id: next };
    Ok(Decision { records: vec![MetadataRecord::ProducerIds(record)], answer: Answer::ProducerIds(ProducerId(first)) })
}
