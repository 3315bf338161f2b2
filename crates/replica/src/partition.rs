//! One partition on one broker.

/// A partition.
pub struct Partition {}

impl Partition {
    /// Writes what waits.
    pub fn drive(&self) {}
}
