//! Many partitions: created, written once each, idle, restarted after a clean stop and after kill -9.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::failure::Result;
use crate::protocol::topics;
use crate::server::{Kind, Server, process};

const TOPIC: &str = "partitions";
const IDLE: Duration = Duration::from_secs(5);

/// Arguments of `partitions`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// Servers.
    #[arg(long, value_delimiter = ',', default_value = "ottla,kafka")]
    servers: Vec<Kind>,
    /// Partitions of one topic.
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
        let began = Instant::now();
        topics::create(&mut client, &topics::NewTopic { name: TOPIC, partitions: options.count, configs: &[] })?;
        let created = began.elapsed();
        topics::ack_every_partition(&mut client, TOPIC, options.count)?;
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
        let clean = super::start_and_ack(&mut server, TOPIC, options.count)?;
        println!("  clean restart, all written after {clean:.2?}");
        show_idle(&server)?;
        server.kill()?;
        let killed = super::start_and_ack(&mut server, TOPIC, options.count)?;
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
