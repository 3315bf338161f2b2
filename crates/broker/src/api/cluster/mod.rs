//! APIs about the cluster as a whole.

pub(crate) mod api_versions;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod nodes;
pub(crate) mod rights;
