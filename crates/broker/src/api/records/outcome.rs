//! The one place where what a partition says becomes Kafka's error code.

use crate::cx::{AppendError, FetchError, ReadError, Refusal, Unavailable, Uncommitted};
use ottla_wire::ErrorCode;

/// Code of a partition that does not serve.
pub(crate) fn unavailable(why: Unavailable) -> ErrorCode {
    match why {
        Unavailable::NotLeader => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        Unavailable::Deleted => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Unavailable::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

/// Code of a batch that was not committed.
pub(crate) fn uncommitted(why: Uncommitted) -> ErrorCode {
    match why {
        Uncommitted::Unavailable(why) => unavailable(why),
        Uncommitted::TimedOut => ErrorCode::REQUEST_TIMED_OUT,
    }
}

/// Code of a batch that was not appended.
pub(crate) fn append(error: AppendError) -> ErrorCode {
    match error {
        AppendError::Unavailable(why) => unavailable(why),
        AppendError::NotEnoughReplicas => ErrorCode::NOT_ENOUGH_REPLICAS,
        AppendError::Refused(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> ErrorCode {
    match refusal {
        Refusal::MessageTooLarge => ErrorCode::MESSAGE_TOO_LARGE,
        Refusal::LargerThanSegment => ErrorCode::RECORD_LIST_TOO_LARGE,
        Refusal::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        Refusal::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        Refusal::InvalidTransactionState => ErrorCode::INVALID_TXN_STATE,
        Refusal::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        Refusal::OffsetOutOfOrder => ErrorCode::UNKNOWN_SERVER_ERROR,
        Refusal::Damaged => ErrorCode::CORRUPT_MESSAGE,
        Refusal::DiskFull | Refusal::Offline => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

/// Code of a slice that was not read.
pub(crate) fn fetch(error: &FetchError) -> ErrorCode {
    match error {
        FetchError::Unavailable(why) => unavailable(*why),
        FetchError::Read(error) => read(error),
    }
}

/// Code of a read that the log refuses.
pub(crate) fn read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadError::Damaged { .. } | ReadError::Io(_) => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
