//! kafka-producer-perf-test, Apache Kafka's own load, against each server in turn.

use std::path::PathBuf;

use crate::failure::{Doing, Failure, Result};
use crate::protocol::topics;
use crate::server::{Kind, layout, process};

const PARTITIONS: i32 = 4;

/// Arguments of `performance`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// Servers.
    #[arg(long, value_delimiter = ',', default_value = "ottla,kafka")]
    servers: Vec<Kind>,
    /// Records of each run.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Bytes of each record.
    #[arg(long, default_value_t = 1000)]
    size: u32,
    /// Rounds, each server in turn.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Folder for the servers' data.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Measures and prints the tool's last line and the CPU of the server.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = crate::scratch_folder(options.folder.as_deref())?;
    let mut servers = Vec::new();
    for kind in &options.servers {
        let mut server = super::formatted(*kind, folder.path())?;
        server.start()?;
        servers.push(server);
    }
    for round in 0..options.rounds {
        for server in &mut servers {
            let topic = format!("performance-{round}");
            let mut client = server.connect()?;
            topics::create(&mut client, &topics::NewTopic { name: &topic, partitions: PARTITIONS, configs: &[] })?;
            let before = process::cpu(server.pid()?)?;
            let said = tool(&server.address().to_string(), &topic, options)?;
            let cpu = process::cpu(server.pid()?)?.saturating_sub(before);
            println!("{:<14} {said}; {:.2} s of CPU", server.kind.name(), cpu.as_secs_f64());
            topics::delete(&mut client, &topic)?;
        }
    }
    Ok(())
}

fn tool(address: &str, topic: &str, options: &Options) -> Result<String> {
    let mut command = layout::java("tools")?;
    command.args(["org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--throughput", "-1"]);
    command.args(["--num-records", &options.records.to_string(), "--record-size", &options.size.to_string()]);
    command.args(["--bootstrap-server", address, "--command-property", "acks=all"]);
    let done = command.output().doing("run kafka-producer-perf-test")?;
    let said = String::from_utf8_lossy(&done.stdout);
    match said.lines().rev().find(|line| line.contains("99.9th")) {
        Some(line) => Ok(line.to_owned()),
        None => {
            Err(Failure::Said(format!("kafka-producer-perf-test: {said}{}", String::from_utf8_lossy(&done.stderr))))
        }
    }
}
