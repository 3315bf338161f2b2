//! Tests of KIP-848 groups.

mod assignors;
mod hashes;
mod scene;
mod script;
mod walks;
