//! KIP-848 groups: the coordinator assigns, members reconcile.

/// A question or an order to a KIP-848 group.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {}

/// What a [`Command`] is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {}

/// A change that this leader alone knows.
#[derive(Clone, PartialEq, Debug)]
pub enum Soft {}

/// A group as ConsumerGroupDescribe shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {}

/// A KIP-848 group.
#[derive(Clone, PartialEq, Debug)]
pub struct ConsumerGroup {}

/// What a deadline of a group is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {}
