//! Every message in every version: random instances pass through unchanged, hostile bytes do no harm.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod chance;
mod entry;
mod golden;
mod hex;
mod hostile;
#[rustfmt::skip]
mod list;
mod round_trip;
mod sample;
