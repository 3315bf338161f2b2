//! APIs that read and write records.

pub(crate) mod fetch;
pub(crate) mod outcome;
pub(crate) mod produce;
pub(crate) mod session;
