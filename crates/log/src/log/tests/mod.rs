//! Rules of a log.

mod appends;
mod crashes;
mod durable;
mod model;
mod recovery;
mod truncation;
mod world;
