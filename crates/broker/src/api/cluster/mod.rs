//! APIs about the cluster as a whole.

pub(crate) mod api_versions;
