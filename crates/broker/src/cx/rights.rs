//! Who a connection speaks for, and what they may do.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// Who a connection speaks for, as Kafka writes it: `User:name`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Principal {
    /// `User`, unless a token or a custom mapping says otherwise.
    pub(crate) kind: Cow<'static, str>,
    /// Name within the kind.
    pub(crate) name: Cow<'static, str>,
}

impl Principal {
    /// Whoever speaks on a connection without authentication (KafkaPrincipal.ANONYMOUS).
    pub(crate) const ANONYMOUS: Principal = Principal { kind: Cow::Borrowed("User"), name: Cow::Borrowed("ANONYMOUS") };
}

/// What a request wants to do with a resource (AclOperation).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    /// Read records, join groups.
    Read,
    /// Append records.
    Write,
    /// Create topics.
    Create,
    /// Delete topics, records, groups.
    Delete,
    /// Change partitions and the like.
    Alter,
    /// Look at it.
    Describe,
    /// What only brokers do.
    ClusterAction,
    /// Look at settings.
    DescribeConfigs,
    /// Change settings.
    AlterConfigs,
    /// Produce with an id but without a transaction.
    IdempotentWrite,
}

/// What a right is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resource<'a> {
    /// A topic by name.
    Topic(&'a str),
    /// A group by id.
    Group(&'a str),
    /// A transactional id.
    TransactionalId(&'a str),
    /// The cluster.
    Cluster,
}

/// Whoever a request comes from.
pub(crate) trait Caller {
    /// Who they are.
    fn principal(&self) -> &Principal;

    /// Where they are.
    fn ip(&self) -> IpAddr;
}

impl<T: Caller> Caller for Arc<T> {
    fn principal(&self) -> &Principal {
        T::principal(self)
    }

    fn ip(&self) -> IpAddr {
        T::ip(self)
    }
}

/// Decides who may do what (`authorizer.class.name`).
pub(crate) trait Authorizer: Send + Sync {
    /// Whether `principal`, calling from `host`, may.
    fn allows(&self, principal: &Principal, host: IpAddr, operation: Operation, resource: Resource<'_>) -> bool;
}
