//! Every request, response, header and record of Kafka 4.4, generated from the definitions beside this crate.
#![forbid(unsafe_code)]

pub mod api;
pub mod framed;
pub mod json;
pub mod layout;
#[expect(clippy::field_reassign_with_default, reason = "decoders fill a default field by field")]
#[rustfmt::skip]
mod generated;
mod parts;
mod table;

pub use generated::*;
