//! The version of an API that a request came with.

/// Version of one API, as the request header names it. What a version *means* is asked by capability
/// (`version.can(fetch::TOPIC_IDS)`), never by comparing numbers outside `wire` and `messages`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ApiVersion(pub i16);

/// What an API can do from some version on, declared by a `can` line of its definition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// First version that has it.
    pub since: i16,
}

impl ApiVersion {
    /// Whether this version has the capability.
    #[must_use]
    pub fn can(self, capability: Capability) -> bool {
        self.0 >= capability.since
    }
}
