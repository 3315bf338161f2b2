//! What a person sees when the broker is up.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// What the banner says.
pub(crate) struct Banner<'a> {
    /// Time from the start of the process to the first accepted connection.
    pub(crate) ready_after: Duration,
    /// Resident memory in bytes.
    pub(crate) resident: u64,
    /// Where clients connect.
    pub(crate) broker: SocketAddr,
    /// The data directory.
    pub(crate) data: &'a Path,
    /// Whether this start formatted the directory.
    pub(crate) formatted: bool,
    /// The id of the cluster.
    pub(crate) cluster_id: &'a str,
    /// Whether acknowledgements wait for the device.
    pub(crate) durable: bool,
    /// Where metrics are served; None when the port was taken.
    pub(crate) metrics: Option<SocketAddr>,
    /// The path that this program was started by.
    pub(crate) program: &'a str,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = self.resident.div_ceil(1024 * 1024);
        let version = env!("CARGO_PKG_VERSION");
        let ready = self.ready_after.as_millis();
        writeln!(f, "ottla {version} · Kafka 4.4 protocol · ready in {ready} ms · {megabytes} MB")?;
        self.broker_line(f)?;
        self.data_line(f)?;
        if let Some(metrics) = self.metrics {
            writeln!(f, "  metrics   http://{}/metrics", shown(metrics))?;
        }
        let at = if self.broker.port() == 9092 {
            String::new()
        } else {
            format!(" --bootstrap-server {}", shown(self.broker))
        };
        writeln!(f, "try   {} console-producer --topic hello{at}", self.program)?;
        writeln!(f, "      {} console-consumer --topic hello --from-beginning{at}", self.program)?;
        write!(f, "Ctrl-C stops cleanly")
    }
}

impl Banner<'_> {
    fn broker_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  broker    {}", shown(self.broker))?;
        if self.broker.ip().is_loopback() {
            writeln!(f, "   this machine only; --listen 0.0.0.0:{} opens it", self.broker.port())
        } else {
            writeln!(f, "   open to the network, without authentication")
        }
    }

    fn data_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.data.display();
        let age = if self.formatted { "new" } else { "found" };
        let promise =
            if self.durable { "acks survive power loss" } else { "acks survive a crash, not power loss (--durable)" };
        writeln!(f, "  data      {data}     {age}, cluster {}; {promise}", self.cluster_id)
    }
}

/// An address as a person types it: loopback and the unspecified address are `localhost`.
fn shown(address: SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Banner;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn the_banner_says_what_a_newcomer_needs() {
        let banner = Banner {
            ready_after: Duration::from_millis(21),
            resident: 14 * 1024 * 1024,
            broker: "127.0.0.1:9092".parse().unwrap(),
            data: Path::new("./ottla-data"),
            formatted: true,
            cluster_id: "5L6g3nShT-eMCtK",
            durable: false,
            metrics: Some("127.0.0.1:9404".parse().unwrap()),
            program: "target/release/ottla",
        };
        let expected = "\
ottla 0.1.0 · Kafka 4.4 protocol · ready in 21 ms · 14 MB
  broker    localhost:9092   this machine only; --listen 0.0.0.0:9092 opens it
  data      ./ottla-data     new, cluster 5L6g3nShT-eMCtK; acks survive a crash, not power loss (--durable)
  metrics   http://localhost:9404/metrics
try   target/release/ottla console-producer --topic hello
      target/release/ottla console-consumer --topic hello --from-beginning
Ctrl-C stops cleanly";
        assert_eq!(banner.to_string(), expected);
    }
}
