//! Much data, kill -9, and the time until every partition serves again.

use std::path::PathBuf;
use std::time::Duration;

use crate::failure::Result;
use crate::load::produce::{self, Run, Shape};
use crate::protocol::topics;
use crate::server::{Kind, process};

const TOPIC: &str = "recovery";
const PARTITIONS: i32 = 4;
/// Load is sent in parts of this length until there is enough data.
const PART: Duration = Duration::from_secs(2);

/// Arguments of `recovery`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// Servers.
    #[arg(long, value_delimiter = ',', default_value = "ottla,kafka")]
    servers: Vec<Kind>,
    /// Gigabytes written before the kill.
    #[arg(long, default_value_t = 10)]
    gigabytes: u64,
    /// Folder for the servers' data.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let shape = Shape {
        connections: 4,
        in_flight: 5,
        records: 64,
        size: 1 << 10,
        partitions: PARTITIONS,
        rate: None,
        acks: -1,
    };
    for kind in &options.servers {
        let folder = crate::scratch_folder(options.folder.as_deref())?;
        let mut server = super::formatted(*kind, folder.path())?;
        server.start()?;
        let mut client = server.connect()?;
        topics::create(&mut client, &topics::NewTopic { name: TOPIC, partitions: PARTITIONS, configs: &[] })?;
        topics::ack_every_partition(&mut client, TOPIC, PARTITIONS)?;
        let mut written = 0;
        while written < options.gigabytes * 1_000_000_000 {
            let run = Run { warm_up: Duration::ZERO, measured: PART, server: None };
            written += produce::run(server.address(), TOPIC, &shape, run)?.bytes;
        }
        server.kill()?;
        let serving = super::start_and_ack(&mut server, &[(TOPIC.to_owned(), PARTITIONS)])?;
        let resident = process::resident(server.pid()?)? as f64 / 1e6;
        println!(
            "{:<14} {:.1} GB, kill -9, every partition written again after {serving:.2?}; {resident:.1} MB",
            kind.name(),
            written as f64 / 1e9
        );
    }
    Ok(())
}
