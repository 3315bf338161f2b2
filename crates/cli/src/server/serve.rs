//! Runs a broker in the foreground: format if asked, start, tell, wait for a signal, stop.

use super::banner::Banner;
use super::holder::holder;
use crate::failure::{Failure, While};
use crate::tools::storage;
use ottla_broker::{Broker, StartError};
use ottla_host::real::{Runtime, raise_file_limit, stop_signal};
use ottla_metadata::settings::BrokerConfig;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long tasks may take to end after the broker has stopped.
const LAST_TASKS: Duration = Duration::from_millis(500);

/// How a broker is started.
pub(super) struct Start {
    /// When the process began.
    pub(super) since: Instant,
    /// Format the directories if they are empty.
    pub(super) format_if_empty: bool,
    /// The data directory of a quick start, which shows a banner; None for a server with a file, which logs.
    pub(super) data: Option<PathBuf>,
}

/// Serves until SIGTERM or Ctrl-C.
pub(super) fn serve(config: BrokerConfig, start: &Start) -> Result<(), Failure> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    raise_file_limit();
    let runtime = Runtime::start(0).during(|| "start threads".to_owned())?;
    let host = runtime.host();
    let formatted = if start.format_if_empty { storage::format_if_empty(&host, &config)? } else { false };
    let durable = config.durable_acks;
    let served = runtime.block_on(async {
        let signal = stop_signal().during(|| "listen for signals".to_owned())?;
        let broker = Broker::start(host, config).await.map_err(|error| explained(&error))?;
        tell(&broker, start, formatted, durable);
        // A broker that lost its metadata must not go on serving: the process ends, and says why.
        let ended = tokio::select! {
            biased;
            name = signal => {
                tracing::info!("{name}: stopping");
                Ok(())
            }
            fault = broker.failed() => Err(Failure::new(format!("the broker cannot go on: {fault}"))),
        };
        broker.stop().await;
        ended
    });
    runtime.stop(LAST_TASKS);
    served
}

fn tell(broker: &Broker, start: &Start, formatted: bool, durable: bool) {
    let ready_after = start.since.elapsed();
    let cluster_id = broker.cluster_id();
    let Some(data) = &start.data else {
        for (name, address) in broker.addresses() {
            tracing::info!("listener {name} on {address}");
        }
        tracing::info!("ready in {} ms, cluster {cluster_id}", ready_after.as_millis());
        return;
    };
    let Some((_, address)) = broker.addresses().first() else { return };
    let program = std::env::args().next().unwrap_or_else(|| "ottla".to_owned());
    let banner = Banner {
        ready_after,
        resident: resident(),
        broker: *address,
        data,
        formatted,
        cluster_id,
        durable,
        metrics: broker.http_address(),
        program: &program,
    };
    // A broker that nobody watches serves all the same.
    drop(writeln!(std::io::stdout(), "{banner}"));
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// A start that failed, with who holds the port if one is taken.
fn explained(error: &StartError) -> Failure {
    let taken = match error {
        StartError::Listen { error, address, .. } if error.kind() == std::io::ErrorKind::AddrInUse => {
            address.rsplit_once(':').and_then(|(_, port)| holder(port.parse().ok()?))
        }
        _ => None,
    };
    match taken {
        Some((name, id)) => {
            let text =
                format!("{error}: {name} (process {id}) has it. Stop that, or take another address with --listen.");
            Failure::new(text)
        }
        None => Failure::new(error.to_string()),
    }
}
