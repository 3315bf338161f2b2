//! Every request, response, header and record of Kafka 4.4, generated from the definitions beside this crate.
#![forbid(unsafe_code)]

pub mod api;
pub mod framed;
#[allow(clippy::all, clippy::pedantic, unused_qualifications, reason = "generated code favours uniformity")]
#[rustfmt::skip]
mod generated;
mod parts;

pub use generated::*;
