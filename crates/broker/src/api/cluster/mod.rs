//! APIs about the cluster as a whole.

pub(crate) mod api_versions;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod incremental_alter_configs;
pub(crate) mod list_config_resources;
pub(crate) mod nodes;
pub(crate) mod rights;
