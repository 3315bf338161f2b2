//! Where a broker's configuration comes from: a properties file with overrides, or the defaults of a quick start.

use super::QuickStart;
use crate::failure::{Failure, While};
use crate::properties;
use ottla_metadata::settings::BrokerConfig;
use std::collections::BTreeMap;
use std::path::Path;

/// What a broker on one machine is unless told otherwise.
const QUICK: [(&str, &str); 10] = [
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];

/// Reads a properties file, puts the overrides over it and checks every setting.
pub(crate) fn load(file: &Path, overrides: &[String]) -> Result<BrokerConfig, Failure> {
    let bytes = std::fs::read(file).during(|| format!("read {}", file.display()))?;
    // Kafka reads ISO-8859-1 with escapes; a file that is UTF-8 is understood as such.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
    let mut settings = properties::parse(&text).during(|| format!("read {}", file.display()))?;
    add(&mut settings, overrides)?;
    checked(&settings)
}

/// The configuration of a quick start.
pub(super) fn quick(arguments: &QuickStart) -> Result<BrokerConfig, Failure> {
    let mut settings: BTreeMap<String, String> =
        QUICK.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let listen = &arguments.listen;
    let controller = controller(listen)?;
    settings.insert("listeners".to_owned(), format!("PLAINTEXT://{listen},CONTROLLER://{controller}"));
    settings.insert("controller.quorum.bootstrap.servers".to_owned(), controller);
    settings.insert("log.dirs".to_owned(), arguments.data.display().to_string());
    if arguments.durable {
        settings.insert("ottla.durable.acks".to_owned(), "true".to_owned());
    }
    add(&mut settings, &arguments.overrides)?;
    checked(&settings)
}

/// The controller listens on this machine only, one port above the broker.
fn controller(listen: &str) -> Result<String, Failure> {
    let port = listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| Failure::new(format!("--listen {listen:?} is not of the form host:port")))?;
    Ok(format!("127.0.0.1:{}", if port == 0 { 0 } else { port.checked_add(1).unwrap_or(port - 1) }))
}

fn add(settings: &mut BTreeMap<String, String>, overrides: &[String]) -> Result<(), Failure> {
    for text in overrides {
        let (key, value) = properties::pair(text).during(|| "read --override".to_owned())?;
        settings.insert(key, value);
    }
    Ok(())
}

fn checked(settings: &BTreeMap<String, String>) -> Result<BrokerConfig, Failure> {
    BrokerConfig::parse(settings).map_err(|errors| Failure::new(errors.to_string()))
}
