//! Development tasks of the workspace: message definitions, their converter and their generator.
#![forbid(unsafe_code)]

pub mod convert;
pub mod definition;
pub mod generate;
mod names;
pub mod soak;
