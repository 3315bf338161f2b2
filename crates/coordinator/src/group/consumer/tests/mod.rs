//! Tests of KIP-848 groups.

mod assignors;
mod beside_kafka;
mod hashes;
mod scene;
mod script;
mod walks;
