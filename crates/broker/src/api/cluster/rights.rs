//! Which operations a caller may do, as one number: a bit per operation (KIP-430).

use crate::api::peer::Peer;
use crate::cx::Cx;
use crate::cx::rights::{Operation, Resource};

/// What an answer says that was not asked for the operations.
pub(crate) const NOT_ASKED: i32 = i32::MIN;

const TOPIC: &[Operation] = &[
    Operation::Read,
    Operation::Write,
    Operation::Create,
    Operation::Delete,
    Operation::Alter,
    Operation::Describe,
    Operation::DescribeConfigs,
    Operation::AlterConfigs,
];

const CLUSTER: &[Operation] = &[
    Operation::Create,
    Operation::Alter,
    Operation::Describe,
    Operation::ClusterAction,
    Operation::DescribeConfigs,
    Operation::AlterConfigs,
    Operation::IdempotentWrite,
];

const GROUP: &[Operation] =
    &[Operation::Read, Operation::Delete, Operation::Describe, Operation::DescribeConfigs, Operation::AlterConfigs];

/// What `peer` may do with a group.
pub(crate) fn on_group(cx: &Cx, peer: &Peer, id: &str) -> i32 {
    allowed(cx, peer, GROUP, Resource::Group(id))
}

/// What `peer` may do with a topic.
pub(crate) fn on_topic(cx: &Cx, peer: &Peer, name: &str) -> i32 {
    allowed(cx, peer, TOPIC, Resource::Topic(name))
}

/// What `peer` may do with the cluster.
pub(crate) fn on_cluster(cx: &Cx, peer: &Peer) -> i32 {
    if !cx.allows(peer, Operation::Describe, Resource::Cluster) {
        return 0;
    }
    allowed(cx, peer, CLUSTER, Resource::Cluster)
}

fn allowed(cx: &Cx, peer: &Peer, operations: &[Operation], resource: Resource<'_>) -> i32 {
    let mut bits = 0;
    for operation in operations {
        if cx.allows(peer, *operation, resource) {
            bits |= 1 << number(*operation);
        }
    }
    bits
}

/// Kafka's number of an operation.
fn number(operation: Operation) -> u8 {
    match operation {
        Operation::Read => 3,
        Operation::Write => 4,
        Operation::Create => 5,
        Operation::Delete => 6,
        Operation::Alter => 7,
        Operation::Describe => 8,
        Operation::ClusterAction => 9,
        Operation::DescribeConfigs => 10,
        Operation::AlterConfigs => 11,
        Operation::IdempotentWrite => 12,
    }
}
