//! Why a request to a group is refused, and the Kafka code of each reason: the only place that chooses it.

use crate::machine::Refused;
use ottla_wire::ErrorCode;
use std::sync::Arc;

/// Why a request to a group, or a part of it, is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// The runtime cannot serve it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A field has a value that it must not have; the text says which.
    #[error("{0}")]
    InvalidRequest(String),
    /// The group id is empty or not allowed for the request.
    #[error("the group id {0:?} is not allowed")]
    InvalidGroupId(Arc<str>),
    /// There is no group of that id, or none of that type.
    #[error("Group {0} not found.")]
    GroupNotFound(Arc<str>),
    /// The group is none of the classic protocol.
    #[error("Group {0} is not a classic group.")]
    NotClassic(Arc<str>),
    /// The group has members.
    #[error("group {0} is not empty")]
    NonEmptyGroup(Arc<str>),
    /// The group is full (`group.max.size`, `group.consumer.max.size`).
    #[error("the group has reached its maximum of {0} members")]
    GroupMaxSize(usize),
    /// The group has no member of that id.
    #[error("member {0} is not a member of the group")]
    UnknownMember(Arc<str>),
    /// A classic request with another generation than the group's.
    #[error("the group is in generation {group}, the request says {request}")]
    IllegalGeneration {
        /// Of the group.
        group: i32,
        /// Of the request.
        request: i32,
    },
    /// The members of the group are joining anew.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// The member shares no protocol, or no protocol type, with the group.
    #[error("the member's protocols do not go with the group's")]
    InconsistentProtocol,
    /// The session timeout lies outside of what the broker allows.
    #[error("the session timeout of {0} ms lies outside of what the broker allows")]
    InvalidSessionTimeout(i32),
    /// The member has to come again with the id that it is given (KIP-394).
    #[error("the member has to join with the id {0}")]
    MemberIdRequired(Arc<str>),
    /// Another member has taken over the instance id (KIP-345).
    #[error("another member has taken over the instance id {0}")]
    FencedInstance(Arc<str>),
    /// Another member holds the instance id (KIP-848).
    #[error(
        "Static member {member} with instance id {instance} cannot join the group because the instance id is owned by {owner} member."
    )]
    UnreleasedInstance {
        /// The instance id.
        instance: Arc<str>,
        /// Who asks.
        member: Arc<str>,
        /// Who has it.
        owner: Arc<str>,
    },
    /// Another member has taken over the instance id (KIP-848).
    #[error("Static member {member} with instance id {instance} was fenced by member {owner}.")]
    FencedByMember {
        /// The instance id.
        instance: Arc<str>,
        /// Who asks.
        member: Arc<str>,
        /// Who has it.
        owner: Arc<str>,
    },
    /// There is no such group of KIP-848.
    #[error("Consumer group {0} not found.")]
    NoConsumerGroup(Arc<str>),
    /// The group is of another protocol.
    #[error("Group {0} is not a consumer group.")]
    NotConsumerGroup(Arc<str>),
    /// The classic group cannot become one of KIP-848.
    #[error("Cannot upgrade classic group {group} to consumer group because {reason}.")]
    CannotUpgrade {
        /// The group.
        group: Arc<str>,
        /// Why not.
        reason: &'static str,
    },
    /// The group of KIP-848 is full (`group.consumer.max.size`).
    #[error("The consumer group has reached its maximum capacity of {0} members.")]
    ConsumerGroupFull(usize),
    /// The group of KIP-848 has no member of that id.
    #[error("Member {member} is not a member of group {group}.")]
    NotAMember {
        /// Who asks.
        member: Arc<str>,
        /// The group.
        group: Arc<str>,
    },
    /// The group of KIP-848 has no member of that instance id.
    #[error("Instance id {0} is unknown.")]
    UnknownInstance(Arc<str>),
    /// Another release has written a state of the member that is not known here.
    #[error("The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.")]
    UnknownState,
    /// The member's epoch is not the one that the group knows: it has to give up its partitions and join anew.
    #[error(
        "The consumer group member has a {} member epoch ({request}) than the one known by the group coordinator ({group}). \
         The member must abandon all its partitions and rejoin.",
        if request > group { "greater" } else { "smaller" }
    )]
    FencedEpoch {
        /// Of the member as the group knows it.
        group: i32,
        /// Of the request.
        request: i32,
    },
    /// The member's epoch is older than the one that the group knows; the answer to a heartbeat tells it the newer one.
    #[error("the member epoch {request} is behind the member's epoch {group}")]
    StaleEpoch {
        /// Of the member as the group knows it.
        group: i32,
        /// Of the request.
        request: i32,
    },
    /// The server has no assignor of that name.
    #[error("ServerAssignor {assignor} is not supported. Supported assignors: {supported}.")]
    UnsupportedAssignor {
        /// As asked for.
        assignor: Arc<str>,
        /// What there is, separated by commas.
        supported: String,
    },
    /// The pattern is none of RE2's.
    #[error("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {reason}.")]
    InvalidRegex {
        /// As asked for.
        pattern: Arc<str>,
        /// What is wrong with it.
        reason: String,
    },
    /// The request does not go with the group's protocol or with the finalized `group.version`.
    #[error("the group does not take this request")]
    Unsupported,
    /// A member of the group subscribes to the topic.
    #[error("a member of the group subscribes to the topic")]
    SubscribedToTopic,
    /// The metadata string of an offset exceeds `offset.metadata.max.bytes`.
    #[error("the metadata of the offset is too long")]
    OffsetMetadataTooLarge,
    /// There is no such topic or partition.
    #[error("there is no such topic or partition")]
    UnknownTopicOrPartition,
    /// There is no topic of that id.
    #[error("there is no topic of that id")]
    UnknownTopicId,
    /// Offsets of an open transaction would have to be told (KIP-447).
    #[error("the offset belongs to a transaction that is not ended")]
    UnstableOffset,
}

impl Fault {
    /// The code that clients get.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Fault::Refused(Refused::NotCoordinator) => ErrorCode::NOT_COORDINATOR,
            Fault::Refused(Refused::Loading) => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            Fault::Refused(Refused::Unavailable) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            Fault::Refused(Refused::TooLarge) => ErrorCode::UNKNOWN_SERVER_ERROR,
            Fault::InvalidRequest(_) => ErrorCode::INVALID_REQUEST,
            Fault::InvalidGroupId(_) => ErrorCode::INVALID_GROUP_ID,
            Fault::GroupNotFound(_)
            | Fault::NotClassic(_)
            | Fault::NoConsumerGroup(_)
            | Fault::NotConsumerGroup(_)
            | Fault::CannotUpgrade { .. } => ErrorCode::GROUP_ID_NOT_FOUND,
            Fault::NonEmptyGroup(_) => ErrorCode::NON_EMPTY_GROUP,
            Fault::GroupMaxSize(_) | Fault::ConsumerGroupFull(_) => ErrorCode::GROUP_MAX_SIZE_REACHED,
            Fault::UnknownMember(_) | Fault::NotAMember { .. } | Fault::UnknownInstance(_) => {
                ErrorCode::UNKNOWN_MEMBER_ID
            }
            Fault::IllegalGeneration { .. } => ErrorCode::ILLEGAL_GENERATION,
            Fault::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
            Fault::InconsistentProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            Fault::InvalidSessionTimeout(_) => ErrorCode::INVALID_SESSION_TIMEOUT,
            Fault::MemberIdRequired(_) => ErrorCode::MEMBER_ID_REQUIRED,
            Fault::FencedInstance(_) | Fault::FencedByMember { .. } => ErrorCode::FENCED_INSTANCE_ID,
            Fault::UnreleasedInstance { .. } => ErrorCode::UNRELEASED_INSTANCE_ID,
            Fault::FencedEpoch { .. } | Fault::UnknownState => ErrorCode::FENCED_MEMBER_EPOCH,
            Fault::StaleEpoch { .. } => ErrorCode::STALE_MEMBER_EPOCH,
            Fault::UnsupportedAssignor { .. } => ErrorCode::UNSUPPORTED_ASSIGNOR,
            Fault::InvalidRegex { .. } => ErrorCode::INVALID_REGULAR_EXPRESSION,
            Fault::Unsupported => ErrorCode::UNSUPPORTED_VERSION,
            Fault::SubscribedToTopic => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
            Fault::OffsetMetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
            Fault::UnknownTopicOrPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            Fault::UnknownTopicId => ErrorCode::UNKNOWN_TOPIC_ID,
            Fault::UnstableOffset => ErrorCode::UNSTABLE_OFFSET_COMMIT,
        }
    }
}
