//! Committed offsets.

/// A question or an order about offsets.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {}

/// What a [`Command`] is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {}

/// Every offset that the groups of a partition of `__consumer_offsets` have committed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Offsets {}
