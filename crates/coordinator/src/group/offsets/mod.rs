//! Committed offsets: what groups have read, kept until it is taken back, too old, or its topic is gone.

mod command;
mod commit;
mod delete;
mod expire;
mod fetch;
mod names;
mod pending;
mod store;

pub use command::{
    Answer, Command, Commit, CommitPartition, CommitTopic, Delete, Fetch, FetchTopic, Fetched, FetchedTopic, Outcome,
};
pub use store::{Committed, Offsets};

pub(super) use commit::commit;
pub(super) use delete::{delete, outdated, tombstones};
pub(super) use expire::expire;
pub(super) use fetch::fetch;

#[cfg(test)]
mod tests;
