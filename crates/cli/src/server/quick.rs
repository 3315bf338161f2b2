//! The configuration of a broker that was given none.

use super::QuickStart;
use crate::configuration;
use crate::failure::Failure;
use ottla_metadata::settings::BrokerConfig;
use std::collections::BTreeMap;

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

/// The configuration of a quick start.
pub(super) fn configuration(arguments: &QuickStart) -> Result<BrokerConfig, Failure> {
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
    configuration::add(&mut settings, &arguments.overrides)?;
    configuration::checked(&settings)
}

/// The controller listens on this machine only, one port above the broker.
fn controller(listen: &str) -> Result<String, Failure> {
    let port = listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| Failure::new(format!("--listen {listen:?} is not of the form host:port")))?;
    Ok(format!("127.0.0.1:{}", if port == 0 { 0 } else { port.checked_add(1).unwrap_or(port - 1) }))
}
