//! KIP-848 groups: the coordinator assigns, members reconcile.

pub mod assign;
mod decide;
mod describe;
mod offsets;
pub mod patterns;
mod request;
mod settings;
mod state;

pub use decide::{Asked, World, begin, decide, decide_classic, due, upgrade};
pub use describe::{Description, MemberDescription};
pub use offsets::{Commit, Committer};
pub use request::{Answer, Beat, Command, Heartbeat, Looked, Soft, Timer, Unresolved};
pub use state::{ClassicMember, ConsumerGroup, Member, MemberState, Owned, Partitions, Standing, group_of};

#[cfg(test)]
mod tests;
