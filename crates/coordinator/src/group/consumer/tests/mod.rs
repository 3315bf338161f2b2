//! Tests of KIP-848 groups.

mod scene;
mod script;
