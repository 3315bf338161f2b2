//! Random bits, one stream per concern, so that a simulated run replays.

/// Where randomness comes from. `concern` names the use (`"cluster id"`, `"election timeout"`); a simulated host keeps
/// one stream per concern, so that a further draw in one place changes nothing in the others.
pub trait Chance: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, concern: &'static str, bytes: &mut [u8]);

    /// A number in `0..bound`; 0 for a bound of 0.
    fn below(&self, concern: &'static str, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(concern, &mut bytes);
        u64::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
    }
}
