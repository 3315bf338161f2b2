//! The only list of APIs: what is not here is neither served nor announced.

use crate::api::call::{Call, Outcome, Work, handled_by};
use crate::api::cluster::{
    api_versions, describe_cluster, describe_configs, incremental_alter_configs, list_config_resources,
};
use crate::api::groups::{
    consumer_group_describe, consumer_group_heartbeat, delete_groups, describe_groups, find_coordinator, heartbeat,
    join_group, leave_group, list_groups, offset_commit, offset_delete, offset_fetch, sync_group,
};
use crate::api::meters::Meters;
use crate::api::peer::ListenerKind;
use crate::api::records::{delete_records, fetch, init_producer_id, list_offsets, offset_for_leader_epoch, produce};
use crate::api::topics::{create_partitions, create_topics, delete_topics, describe_topic_partitions, metadata};
use crate::cx::Cx;
use crate::cx::rights::Operation;
use ottla_host::BoxFuture;
use ottla_messages::api::ApiKey;
use ottla_messages::api_versions::ApiVersionsRequest;
use ottla_messages::consumer_group_describe::ConsumerGroupDescribeRequest;
use ottla_messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use ottla_messages::create_partitions::CreatePartitionsRequest;
use ottla_messages::create_topics::CreateTopicsRequest;
use ottla_messages::delete_groups::DeleteGroupsRequest;
use ottla_messages::delete_records::DeleteRecordsRequest;
use ottla_messages::delete_topics::DeleteTopicsRequest;
use ottla_messages::describe_cluster::DescribeClusterRequest;
use ottla_messages::describe_configs::DescribeConfigsRequest;
use ottla_messages::describe_groups::DescribeGroupsRequest;
use ottla_messages::describe_topic_partitions::DescribeTopicPartitionsRequest;
use ottla_messages::fetch::FetchRequest;
use ottla_messages::find_coordinator::FindCoordinatorRequest;
use ottla_messages::heartbeat::HeartbeatRequest;
use ottla_messages::incremental_alter_configs::IncrementalAlterConfigsRequest;
use ottla_messages::init_producer_id::InitProducerIdRequest;
use ottla_messages::join_group::JoinGroupRequest;
use ottla_messages::leave_group::LeaveGroupRequest;
use ottla_messages::list_config_resources::ListConfigResourcesRequest;
use ottla_messages::list_groups::ListGroupsRequest;
use ottla_messages::list_offsets::ListOffsetsRequest;
use ottla_messages::metadata::MetadataRequest;
use ottla_messages::offset_commit::OffsetCommitRequest;
use ottla_messages::offset_delete::OffsetDeleteRequest;
use ottla_messages::offset_fetch::OffsetFetchRequest;
use ottla_messages::offset_for_leader_epoch::OffsetForLeaderEpochRequest;
use ottla_messages::produce::ProduceRequest;
use ottla_messages::sync_group::SyncGroupRequest;
use ottla_wire::ApiVersion;

/// An API that works.
pub(crate) struct Row {
    /// Key; versions and layout come from its definition.
    pub(crate) key: ApiKey,
    /// Whether listeners of the controller serve it besides those of the broker.
    pub(crate) on: On,
    /// What a caller must be allowed to do with each resource that a request names.
    pub(crate) operation: Operation,
    /// Decodes, handles, encodes.
    serve: fn(Work, &'static Row, ApiVersion) -> BoxFuture<'static, Outcome>,
}

/// Listeners that serve an API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    /// Of the broker.
    Broker,
    /// Of the broker and the controller.
    Both,
}

impl Row {
    /// Whether a listener of `kind` serves it.
    pub(crate) fn is_on(&self, kind: ListenerKind) -> bool {
        match (self.on, kind) {
            (On::Both, _) | (On::Broker, ListenerKind::Broker) => true,
            (On::Broker, ListenerKind::Controller) => false,
        }
    }
}

/// Sorted by key.
pub(crate) static TABLE: &[Row] = &[
    Row {
        key: ApiKey::Produce,
        on: On::Broker,
        operation: Operation::Write,
        serve: handled_by!(ProduceRequest<'_>, produce::handle, or_outcome),
    },
    Row {
        key: ApiKey::Fetch,
        on: On::Broker,
        operation: Operation::Read,
        serve: handled_by!(FetchRequest<'_>, fetch::handle),
    },
    Row {
        key: ApiKey::ListOffsets,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(ListOffsetsRequest<'_>, list_offsets::handle),
    },
    Row {
        key: ApiKey::Metadata,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(MetadataRequest<'_>, metadata::handle),
    },
    Row {
        key: ApiKey::OffsetCommit,
        on: On::Broker,
        operation: Operation::Read,
        serve: handled_by!(OffsetCommitRequest<'_>, offset_commit::handle),
    },
    Row {
        key: ApiKey::OffsetFetch,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(OffsetFetchRequest<'_>, offset_fetch::handle),
    },
    Row {
        key: ApiKey::FindCoordinator,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(FindCoordinatorRequest<'_>, find_coordinator::handle),
    },
    Row {
        key: ApiKey::JoinGroup,
        on: On::Broker,
        operation: Operation::Read,
        serve: handled_by!(JoinGroupRequest<'_>, join_group::handle),
    },
    Row {
        key: ApiKey::Heartbeat,
        on: On::Broker,
        operation: Operation::Read,
        serve: handled_by!(HeartbeatRequest<'_>, heartbeat::handle),
    },
    Row {
        key: ApiKey::LeaveGroup,
        on: On::Broker,
        operation: Operation::Read,
        serve: handled_by!(LeaveGroupRequest<'_>, leave_group::handle),
    },
    Row {
        key: ApiKey::SyncGroup,
        on: On::Broker,
        operation: Operation::Read,
        serve: handled_by!(SyncGroupRequest<'_>, sync_group::handle),
    },
    Row {
        key: ApiKey::DescribeGroups,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(DescribeGroupsRequest<'_>, describe_groups::handle),
    },
    Row {
        key: ApiKey::ListGroups,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(ListGroupsRequest<'_>, list_groups::handle),
    },
    Row {
        key: ApiKey::ApiVersions,
        on: On::Both,
        operation: Operation::Describe,
        serve: handled_by!(ApiVersionsRequest<'_>, api_versions::handle),
    },
    Row {
        key: ApiKey::CreateTopics,
        on: On::Both,
        operation: Operation::Create,
        serve: handled_by!(CreateTopicsRequest<'_>, create_topics::handle),
    },
    Row {
        key: ApiKey::DeleteTopics,
        on: On::Both,
        operation: Operation::Delete,
        serve: handled_by!(DeleteTopicsRequest<'_>, delete_topics::handle),
    },
    Row {
        key: ApiKey::DeleteRecords,
        on: On::Broker,
        operation: Operation::Delete,
        serve: handled_by!(DeleteRecordsRequest<'_>, delete_records::handle),
    },
    Row {
        key: ApiKey::InitProducerId,
        on: On::Broker,
        operation: Operation::IdempotentWrite,
        serve: handled_by!(InitProducerIdRequest<'_>, init_producer_id::handle),
    },
    Row {
        key: ApiKey::OffsetForLeaderEpoch,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(OffsetForLeaderEpochRequest<'_>, offset_for_leader_epoch::handle),
    },
    Row {
        key: ApiKey::DescribeConfigs,
        on: On::Both,
        operation: Operation::DescribeConfigs,
        serve: handled_by!(DescribeConfigsRequest<'_>, describe_configs::handle),
    },
    Row {
        key: ApiKey::CreatePartitions,
        on: On::Both,
        operation: Operation::Alter,
        serve: handled_by!(CreatePartitionsRequest<'_>, create_partitions::handle),
    },
    Row {
        key: ApiKey::DeleteGroups,
        on: On::Broker,
        operation: Operation::Delete,
        serve: handled_by!(DeleteGroupsRequest<'_>, delete_groups::handle),
    },
    Row {
        key: ApiKey::IncrementalAlterConfigs,
        on: On::Both,
        operation: Operation::AlterConfigs,
        serve: handled_by!(IncrementalAlterConfigsRequest<'_>, incremental_alter_configs::handle),
    },
    Row {
        key: ApiKey::OffsetDelete,
        on: On::Broker,
        operation: Operation::Delete,
        serve: handled_by!(OffsetDeleteRequest<'_>, offset_delete::handle),
    },
    Row {
        key: ApiKey::DescribeCluster,
        on: On::Both,
        operation: Operation::Describe,
        serve: handled_by!(DescribeClusterRequest, describe_cluster::handle),
    },
    Row {
        key: ApiKey::ConsumerGroupHeartbeat,
        on: On::Broker,
        operation: Operation::Read,
        serve: handled_by!(ConsumerGroupHeartbeatRequest<'_>, consumer_group_heartbeat::handle),
    },
    Row {
        key: ApiKey::ConsumerGroupDescribe,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(ConsumerGroupDescribeRequest<'_>, consumer_group_describe::handle),
    },
    Row {
        key: ApiKey::ListConfigResources,
        on: On::Broker,
        operation: Operation::DescribeConfigs,
        serve: handled_by!(ListConfigResourcesRequest, list_config_resources::handle),
    },
    Row {
        key: ApiKey::DescribeTopicPartitions,
        on: On::Broker,
        operation: Operation::Describe,
        serve: handled_by!(DescribeTopicPartitionsRequest<'_>, describe_topic_partitions::handle),
    },
];

/// Whether `key` is that of Produce, whose requests may append together.
pub(crate) fn is_produce(key: i16) -> bool {
    key == i16::from(ApiKey::Produce)
}

fn find(key: i16) -> Option<(usize, &'static Row)> {
    let at = TABLE.binary_search_by_key(&key, |row| i16::from(row.key)).ok()?;
    Some((at, TABLE.get(at)?))
}

/// A request that has begun, and its row of the table.
pub(crate) struct Begun {
    pub(crate) future: BoxFuture<'static, Outcome>,
    pub(crate) row: usize,
}

/// Begins a request, or says why its connection cannot go on.
pub(crate) fn serve(work: Work, meters: &Meters) -> Result<Begun, String> {
    let Some((key, rest)) = work.frame.split_first_chunk::<2>() else {
        return Err("a request is too short for its header".to_owned());
    };
    let Some((version, _)) = rest.split_first_chunk::<2>() else {
        return Err("a request is too short for its header".to_owned());
    };
    let key = i16::from_be_bytes(*key);
    let version = ApiVersion(i16::from_be_bytes(*version));
    let Some((at, row)) = find(key).filter(|(_, row)| row.is_on(work.peer.kind)) else {
        let name = ApiKey::try_from(key).map_or("an unknown API", |key| key.info().name);
        return Err(format!("API {key} ({name}) is not served by listener {}", work.peer.listener));
    };
    if !row.key.info().versions.contains(version) {
        if row.key == ApiKey::ApiVersions {
            return Ok(Begun { future: Box::pin(async move { api_versions::refuse_version(&work) }), row: at });
        }
        return Err(format!("{} is not served in version {}", row.key.info().name, version.0));
    }
    meters.begun(at, version);
    Ok(Begun { future: (row.serve)(work, row, version), row: at })
}

#[cfg(test)]
mod tests;
