//! Rules of a log.

mod appends;
mod crashes;
mod model;
mod recovery;
mod truncation;
mod world;
