//! Measurements of a whole life: starts, many partitions, much data, kills under load.

pub(crate) mod kill9;
pub(crate) mod kill9_reader;
pub(crate) mod partitions;
pub(crate) mod performance;
pub(crate) mod recovery;
pub(crate) mod startup;

use std::time::{Duration, Instant};

use crate::failure::Result;
use crate::protocol::topics;
use crate::server::{Kind, Server};

/// Middle value of a series.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Starts the server and answers the time from exec until every partition of the topics took a record.
pub(crate) fn start_and_ack(server: &mut Server, names: &[(String, i32)]) -> Result<Duration> {
    let began = Instant::now();
    server.spawn()?;
    let mut client = server.connect()?;
    for (name, partitions) in names {
        topics::ack_every_partition(&mut client, name, *partitions)?;
    }
    Ok(began.elapsed())
}

/// A formatted server in a folder of its own under `folder`.
pub(crate) fn formatted(kind: Kind, folder: &std::path::Path) -> Result<Server> {
    let server = Server::prepare(kind, &folder.join(kind.name()))?;
    server.format()?;
    Ok(server)
}
