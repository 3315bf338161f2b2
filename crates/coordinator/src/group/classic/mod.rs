//! Classic groups: the members choose a leader, and the leader assigns (KIP-62, KIP-345, KIP-394, KIP-559, KIP-800, KIP-814).

/// A question or an order to a classic group.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {}

/// What a [`Command`] is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {}

/// A change that this leader alone knows.
#[derive(Clone, PartialEq, Debug)]
pub enum Soft {}

/// A group as DescribeGroups shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {}

/// A classic group.
#[derive(Clone, PartialEq, Debug)]
pub struct ClassicGroup {}

/// What a deadline of a group is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {}
