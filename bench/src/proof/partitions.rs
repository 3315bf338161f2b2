//! Many partitions: created, written once each, idle, restarted after a clean stop and after kill -9.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::failure::Result;
use crate::protocol::topics;
use crate::server::{Kind, Server, process};

/// Partitions of one topic: a controller takes 10,000 records at once, the topic's own among them.
const A_TOPIC: i32 = 5_000;
const IDLE: Duration = Duration::from_secs(5);

/// Arguments of `partitions`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// Servers.
    #[arg(long, value_delimiter = ',', default_value = "ottla,kafka")]
    servers: Vec<Kind>,
    /// Partitions in all, over topics of at most 5,000.
    #[arg(long, default_value_t = 10_000)]
    count: i32,
    /// Folder for the servers' data.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    for kind in &options.servers {
        let folder = crate::scratch_folder(options.folder.as_deref())?;
        let mut server = super::formatted(*kind, folder.path())?;
        server.start()?;
        let mut client = server.connect()?;
        let names: Vec<(String, i32)> = (0..options.count)
            .step_by(A_TOPIC as usize)
            .map(|first| (format!("partitions-{first}"), A_TOPIC.min(options.count - first)))
            .collect();
        let began = Instant::now();
        for (name, partitions) in &names {
            topics::create(&mut client, &topics::NewTopic { name, partitions: *partitions, configs: &[] })?;
        }
        let created = began.elapsed();
        for (name, partitions) in &names {
            topics::ack_every_partition(&mut client, name, *partitions)?;
        }
        println!(
            "{}: {} partitions created after {created:.2?}, all written after {:.2?}",
            kind.name(),
            options.count,
            began.elapsed()
        );
        show_idle(&server)?;
        drop(client);
        let began = Instant::now();
        server.stop()?;
        println!("  clean stop {:.2?}", began.elapsed());
        let clean = super::start_and_ack(&mut server, &names)?;
        println!("  clean restart, all written after {clean:.2?}");
        show_idle(&server)?;
        server.kill()?;
        let killed = super::start_and_ack(&mut server, &names)?;
        println!("  restart after kill -9, all written after {killed:.2?}");
        server.kill()?;
    }
    Ok(())
}

fn show_idle(server: &Server) -> Result<()> {
    std::thread::sleep(IDLE);
    let pid = server.pid()?;
    let (resident, descriptors) = (process::resident(pid)?, process::descriptors(pid)?);
    println!("  idle: {:.1} MB resident, {descriptors} descriptors", resident as f64 / 1e6);
    Ok(())
}
