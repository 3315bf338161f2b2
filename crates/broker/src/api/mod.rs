//! One table of APIs and one file per API.

pub(crate) mod call;
mod cluster;
mod groups;
pub(crate) mod meters;
pub(crate) mod peer;
pub(crate) mod records;
pub(crate) mod table;
mod topics;
