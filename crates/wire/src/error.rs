//! Kafka's error table: the codes that answers carry, with their names, whether to retry, and what they mean.

use std::fmt;

/// An error code of the Kafka protocol; [`ErrorCode::NONE`] is success. Codes that this table does not have become
/// [`ErrorCode::UNKNOWN_SERVER_ERROR`], as Kafka's clients read them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(i16);

struct Row {
    code: i16,
    name: &'static str,
    retriable: bool,
    text: &'static str,
}

macro_rules! errors {
    ($($name:ident $code:literal $retry:ident $text:literal)*) => {
        impl ErrorCode {
            $(#[doc = $text] pub const $name: ErrorCode = ErrorCode($code);)*
        }

        /// In the order of the codes, from -1.
        const TABLE: &[Row] = &[
            $(Row { code: $code, name: stringify!($name), retriable: errors!(@$retry), text: $text },)*
        ];
    };
    (@retry) => { true };
    (@final) => { false };
}

errors! {
    UNKNOWN_SERVER_ERROR -1 final "The server failed in a way it did not foresee; its log says more."
    NONE 0 final "Success."
    OFFSET_OUT_OF_RANGE 1 final "The offset lies before the start or after the end of the log."
    CORRUPT_MESSAGE 2 retry "The record batch does not match its checksum or its own lengths."
    UNKNOWN_TOPIC_OR_PARTITION 3 retry "This broker has no such topic or partition."
    INVALID_FETCH_SIZE 4 final "The fetch asks for a size that makes no sense."
    LEADER_NOT_AVAILABLE 5 retry "The partition has no leader at the moment."
    NOT_LEADER_OR_FOLLOWER 6 retry "This broker does not lead the partition, or holds no replica of it."
    REQUEST_TIMED_OUT 7 retry "The request was not finished within its timeout."
    BROKER_NOT_AVAILABLE 8 final "The broker is not there."
    REPLICA_NOT_AVAILABLE 9 retry "This broker does not have the replica that was asked for."
    MESSAGE_TOO_LARGE 10 final "The record batch is larger than max.message.bytes allows."
    STALE_CONTROLLER_EPOCH 11 final "Another controller has taken over."
    OFFSET_METADATA_TOO_LARGE 12 final "The metadata string of the committed offset is too long."
    NETWORK_EXCEPTION 13 retry "The connection closed before an answer came."
    COORDINATOR_LOAD_IN_PROGRESS 14 retry "The coordinator is still reading its state."
    COORDINATOR_NOT_AVAILABLE 15 retry "There is no coordinator at the moment."
    NOT_COORDINATOR 16 retry "This broker is not the coordinator for that group or transaction."
    INVALID_TOPIC_EXCEPTION 17 final "The topic name is not allowed, or the operation is not allowed on that topic."
    RECORD_LIST_TOO_LARGE 18 final "The record batch does not fit into a log segment."
    NOT_ENOUGH_REPLICAS 19 retry "Fewer replicas are in sync than min.insync.replicas demands; nothing was written."
    NOT_ENOUGH_REPLICAS_AFTER_APPEND 20 retry "The records were written, but too few replicas were in sync by then."
    INVALID_REQUIRED_ACKS 21 final "acks must be -1, 0 or 1."
    ILLEGAL_GENERATION 22 final "The group is in another generation than the request says."
    INCONSISTENT_GROUP_PROTOCOL 23 final "The member shares no assignment protocol with the group."
    INVALID_GROUP_ID 24 final "The group id is not allowed."
    UNKNOWN_MEMBER_ID 25 final "The group has no member with that id."
    INVALID_SESSION_TIMEOUT 26 final "The session timeout lies outside of what the broker allows."
    REBALANCE_IN_PROGRESS 27 final "The group is rebalancing; the member must join again."
    INVALID_COMMIT_OFFSET_SIZE 28 final "The offset commit is too large to be stored."
    TOPIC_AUTHORIZATION_FAILED 29 final "The principal has no right to do this with the topic."
    GROUP_AUTHORIZATION_FAILED 30 final "The principal has no right to do this with the group."
    CLUSTER_AUTHORIZATION_FAILED 31 final "The principal has no right to do this with the cluster."
    INVALID_TIMESTAMP 32 final "A record's timestamp is too far from the broker's clock or of the wrong kind."
    UNSUPPORTED_SASL_MECHANISM 33 final "The listener does not offer that SASL mechanism."
    ILLEGAL_SASL_STATE 34 final "The request does not fit the state of the authentication."
    UNSUPPORTED_VERSION 35 final "The API is not served in that version."
    TOPIC_ALREADY_EXISTS 36 final "There is a topic of that name already."
    INVALID_PARTITIONS 37 final "The number of partitions is not allowed."
    INVALID_REPLICATION_FACTOR 38 final "The replication factor is below 1 or above the number of brokers."
    INVALID_REPLICA_ASSIGNMENT 39 final "The replica assignment names brokers that are unknown, repeated or uneven."
    INVALID_CONFIG 40 final "A setting has a value that is not allowed."
    NOT_CONTROLLER 41 retry "This node is not the active controller."
    INVALID_REQUEST 42 final "The request contradicts itself or the protocol."
    UNSUPPORTED_FOR_MESSAGE_FORMAT 43 final "The record format does not support this."
    POLICY_VIOLATION 44 final "A policy of the cluster forbids this."
    OUT_OF_ORDER_SEQUENCE_NUMBER 45 final "The producer's sequence number leaves a gap."
    DUPLICATE_SEQUENCE_NUMBER 46 final "The batch with that sequence number was written already."
    INVALID_PRODUCER_EPOCH 47 final "The producer's epoch is older than the one known here."
    INVALID_TXN_STATE 48 final "The transaction is in a state that does not allow this."
    INVALID_PRODUCER_ID_MAPPING 49 final "The producer id does not belong to that transactional id."
    INVALID_TRANSACTION_TIMEOUT 50 final "The transaction timeout is above transaction.max.timeout.ms."
    CONCURRENT_TRANSACTIONS 51 retry "The transaction before this one is not finished yet."
    TRANSACTION_COORDINATOR_FENCED 52 final "Another broker has become the transaction coordinator."
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED 53 final "The principal has no right to use that transactional id."
    SECURITY_DISABLED 54 final "No authorizer is configured."
    OPERATION_NOT_ATTEMPTED 55 final "Another part of the request failed, so that this part was not tried."
    KAFKA_STORAGE_ERROR 56 retry "The log directory of the partition has failed."
    LOG_DIR_NOT_FOUND 57 final "The broker has no such log directory."
    SASL_AUTHENTICATION_FAILED 58 final "The credentials were not accepted."
    UNKNOWN_PRODUCER_ID 59 final "Nothing is known of that producer id, perhaps because its records have expired."
    REASSIGNMENT_IN_PROGRESS 60 final "The partition is being moved between brokers."
    DELEGATION_TOKEN_AUTH_DISABLED 61 final "Delegation tokens are not enabled."
    DELEGATION_TOKEN_NOT_FOUND 62 final "There is no such delegation token."
    DELEGATION_TOKEN_OWNER_MISMATCH 63 final "The principal neither owns nor may renew the delegation token."
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED 64 final "Delegation tokens cannot be asked for on a connection of this kind."
    DELEGATION_TOKEN_AUTHORIZATION_FAILED 65 final "The principal has no right to do this with the delegation token."
    DELEGATION_TOKEN_EXPIRED 66 final "The delegation token has expired."
    INVALID_PRINCIPAL_TYPE 67 final "Principals of that type are not supported here."
    NON_EMPTY_GROUP 68 final "The group still has members."
    GROUP_ID_NOT_FOUND 69 final "There is no such group."
    FETCH_SESSION_ID_NOT_FOUND 70 retry "The fetch session is gone; start a new one."
    INVALID_FETCH_SESSION_EPOCH 71 retry "The fetch session is at another epoch."
    LISTENER_NOT_FOUND 72 retry "The leader has no listener of the name that the client came in by."
    TOPIC_DELETION_DISABLED 73 final "delete.topic.enable is false."
    FENCED_LEADER_EPOCH 74 retry "The leader epoch of the request is older than the broker's."
    UNKNOWN_LEADER_EPOCH 75 retry "The leader epoch of the request is newer than the broker's."
    UNSUPPORTED_COMPRESSION_TYPE 76 final "The client's protocol version does not know the codec of the records."
    STALE_BROKER_EPOCH 77 final "The broker has registered anew since."
    OFFSET_NOT_AVAILABLE 78 retry "The new leader does not know its high watermark yet."
    MEMBER_ID_REQUIRED 79 final "Join again with the member id of this answer."
    PREFERRED_LEADER_NOT_AVAILABLE 80 retry "The preferred leader is not available."
    GROUP_MAX_SIZE_REACHED 81 final "The group has as many members as group.max.size allows."
    FENCED_INSTANCE_ID 82 final "Another member has registered with the same group.instance.id."
    ELIGIBLE_LEADERS_NOT_AVAILABLE 83 retry "No replica that may become leader is available."
    ELECTION_NOT_NEEDED 84 retry "The partition has the right leader already."
    NO_REASSIGNMENT_IN_PROGRESS 85 final "The partition is not being moved."
    GROUP_SUBSCRIBED_TO_TOPIC 86 final "Offsets of a topic that the group subscribes to cannot be deleted."
    INVALID_RECORD 87 final "The record or its batch breaks a rule of the topic or of the format."
    UNSTABLE_OFFSET_COMMIT 88 retry "A transaction that commits these offsets is not finished yet."
    THROTTLING_QUOTA_EXCEEDED 89 retry "The quota is used up; wait for the throttle time."
    PRODUCER_FENCED 90 final "A newer producer with the same transactional id has taken over."
    RESOURCE_NOT_FOUND 91 final "The thing that the request names does not exist."
    DUPLICATE_RESOURCE 92 final "The request names one thing twice."
    UNACCEPTABLE_CREDENTIAL 93 final "The credential does not meet the requirements."
    INCONSISTENT_VOTER_SET 94 final "Sender or receiver is not among the voters that the other knows."
    INVALID_UPDATE_VERSION 95 final "The version for the update is not allowed."
    FEATURE_UPDATE_FAILED 96 final "The finalized features could not be updated."
    PRINCIPAL_DESERIALIZATION_FAILURE 97 final "The principal of a forwarded request cannot be read."
    SNAPSHOT_NOT_FOUND 98 final "There is no such snapshot."
    POSITION_OUT_OF_RANGE 99 final "The position lies outside of the snapshot."
    UNKNOWN_TOPIC_ID 100 retry "This broker has no topic of that id."
    DUPLICATE_BROKER_REGISTRATION 101 final "Another live broker uses that id."
    BROKER_ID_NOT_REGISTERED 102 final "No broker of that id is registered."
    INCONSISTENT_TOPIC_ID 103 retry "The topic id differs from the one in the log directory."
    INCONSISTENT_CLUSTER_ID 104 final "The cluster id is another one."
    TRANSACTIONAL_ID_NOT_FOUND 105 final "There is no such transactional id."
    FETCH_SESSION_TOPIC_ID_ERROR 106 retry "The fetch session mixes topics with and without ids."
    INELIGIBLE_REPLICA 107 final "A replica of the new ISR may not be in it."
    NEW_LEADER_ELECTED 108 final "The ISR change was made, and moved the leader."
    OFFSET_MOVED_TO_TIERED_STORAGE 109 final "The offset is in tiered storage only."
    FENCED_MEMBER_EPOCH 110 final "The member's epoch is fenced; it must drop its partitions and join again."
    UNRELEASED_INSTANCE_ID 111 final "Another member still holds that group.instance.id."
    UNSUPPORTED_ASSIGNOR 112 final "The group does not support that assignor or its version."
    STALE_MEMBER_EPOCH 113 final "The member's epoch is old; a heartbeat brings the new one."
    MISMATCHED_ENDPOINT_TYPE 114 final "The request went to a broker instead of a controller, or the other way round."
    UNSUPPORTED_ENDPOINT_TYPE 115 final "That kind of endpoint is not supported."
    UNKNOWN_CONTROLLER_ID 116 final "There is no controller of that id."
    UNKNOWN_SUBSCRIPTION_ID 117 final "The telemetry subscription is unknown or outdated."
    TELEMETRY_TOO_LARGE 118 final "The telemetry is larger than the broker accepts."
    INVALID_REGISTRATION 119 final "The controller refuses the registration of the broker."
    TRANSACTION_ABORTABLE 120 final "The transaction failed and must be aborted; the producer can go on after that."
    INVALID_RECORD_STATE 121 final "The record is not in a state in which it can be acknowledged like that."
    SHARE_SESSION_NOT_FOUND 122 retry "The share session is gone; start a new one."
    INVALID_SHARE_SESSION_EPOCH 123 retry "The share session is at another epoch."
    FENCED_STATE_EPOCH 124 final "The share coordinator has a newer state epoch."
    INVALID_VOTER_KEY 125 final "The voter key is not that of the replica which received the request."
    DUPLICATE_VOTER 126 final "The voter is in the set already."
    VOTER_NOT_FOUND 127 final "The voter is not in the set."
    INVALID_REGULAR_EXPRESSION 128 final "The regular expression cannot be read."
    REBOOTSTRAP_REQUIRED 129 final "The client's metadata is outdated; it must begin at its bootstrap servers again."
    STREAMS_INVALID_TOPOLOGY 130 final "The topology of the streams group is not valid."
    STREAMS_INVALID_TOPOLOGY_EPOCH 131 final "The topology epoch of the streams group is not valid."
    STREAMS_TOPOLOGY_FENCED 132 final "The streams group has a newer topology."
    SHARE_SESSION_LIMIT_REACHED 133 retry "The broker holds as many share sessions as it may."
    GROUP_DELETION_FAILED 134 final "The group was not deleted; the message beside it says why."
    STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED 135 final "The topology description was not stored; the message beside it says why."
    CONTROLLER_ID_NOT_REGISTERED 136 final "No controller of that id is registered."
}

impl ErrorCode {
    /// The error of a code as sent; codes that the table lacks become `UNKNOWN_SERVER_ERROR`.
    #[must_use]
    pub fn from_code(code: i16) -> ErrorCode {
        match TABLE.get((i32::from(code) + 1).max(0) as usize) {
            Some(row) if row.code == code => ErrorCode(code),
            Some(_) | None => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }

    /// The error of a name as Kafka writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<ErrorCode> {
        TABLE.iter().find(|row| row.name == name).map(|row| ErrorCode(row.code))
    }

    /// All errors, in the order of their codes.
    pub fn all() -> impl Iterator<Item = ErrorCode> {
        TABLE.iter().map(|row| ErrorCode(row.code))
    }

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self.0
    }

    /// Kafka's name, such as `NOT_LEADER_OR_FOLLOWER`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether a client may send the same request again and hope.
    #[must_use]
    pub fn retriable(self) -> bool {
        self.row().retriable
    }

    /// What it means, for a person.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().text
    }

    /// Whether this is an error at all.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 != 0
    }

    fn row(self) -> &'static Row {
        &TABLE[(self.0 + 1) as usize]
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorCode, TABLE};

    /// `code name retriable` of every entry of Kafka 4.4's client library.
    const KAFKA: &str = include_str!("../tests/data/errors-4.4.txt");

    #[test]
    fn table_equals_that_of_kafka() {
        let ours: Vec<String> =
            TABLE.iter().map(|row| format!("{} {} {}", row.code, row.name, row.retriable)).collect();
        assert_eq!(ours, KAFKA.lines().collect::<Vec<_>>());
    }

    #[test]
    fn every_code_is_found_and_unknown_ones_are_server_errors() {
        for error in ErrorCode::all() {
            assert_eq!(ErrorCode::from_code(error.code()), error);
            assert_eq!(ErrorCode::from_name(error.name()), Some(error));
            assert!(error.text().ends_with('.'));
        }
        for code in [i16::MIN, -2, 137, i16::MAX] {
            assert_eq!(ErrorCode::from_code(code), ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        assert!(!ErrorCode::NONE.is_error() && ErrorCode::CORRUPT_MESSAGE.retriable());
    }
}
