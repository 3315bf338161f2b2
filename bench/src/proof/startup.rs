//! From exec to the first acknowledgement, and the memory of an idle broker.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::failure::Result;
use crate::protocol::topics;
use crate::server::{Kind, Server, process};

const TOPIC: &str = "startup";
const IDLE: Duration = Duration::from_secs(5);

/// Arguments of `startup`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// Servers.
    #[arg(long, value_delimiter = ',', default_value = "ottla,kafka")]
    servers: Vec<Kind>,
    /// Starts of each kind; medians are shown.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Folder for the servers' data.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    for kind in &options.servers {
        let folder = crate::scratch_folder(options.folder.as_deref())?;
        let (mut fresh, mut clean, mut killed, mut idle) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for round in 0..options.rounds {
            let began = Instant::now();
            let mut server = super::formatted(*kind, &folder.path().join(round.to_string()))?;
            fresh.push(first_ack(&mut server, began, true)?);
            server.stop()?;
            clean.push(first_ack(&mut server, Instant::now(), false)?);
            server.kill()?;
            killed.push(first_ack(&mut server, Instant::now(), false)?);
            if round + 1 == options.rounds {
                std::thread::sleep(IDLE);
                idle = process::resident(server.pid()?)?;
            }
        }
        println!(
            "{:<14} exec to first ack: {:.1?} with format, {:.1?} after a clean stop, {:.1?} after kill -9; idle {:.1} MB",
            kind.name(),
            super::median(fresh),
            super::median(clean),
            super::median(killed),
            idle as f64 / 1e6,
        );
    }
    Ok(())
}

fn first_ack(server: &mut Server, began: Instant, create: bool) -> Result<Duration> {
    server.spawn()?;
    let mut client = server.connect()?;
    if create {
        topics::create(&mut client, &topics::NewTopic { name: TOPIC, partitions: 1, configs: &[] })?;
    }
    topics::ack_every_partition(&mut client, TOPIC, 1)?;
    Ok(began.elapsed())
}
