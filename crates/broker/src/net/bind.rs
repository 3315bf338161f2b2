//! Listeners on their way from the settings to sockets, and what others are told about them.

use crate::api::peer::ListenerKind;
use ottla_host::Host;
use ottla_metadata::BrokerConfig;
use ottla_metadata::image::NodeEndpoint;
use ottla_metadata::settings::Listener;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A listener's address cannot be bound.
pub(crate) struct BindError {
    /// Name, as `listeners` has it.
    pub(crate) name: String,
    /// Address asked for.
    pub(crate) address: String,
    /// What the system says.
    pub(crate) error: io::Error,
}

/// A listener's socket before it takes connections.
pub(crate) struct Bound {
    pub(crate) name: Arc<str>,
    pub(crate) kind: ListenerKind,
    pub(crate) address: SocketAddr,
    pub(crate) socket: Box<dyn ottla_host::net::Listener>,
}

/// Binds every listener, so that a taken port is told before anything is written.
pub(crate) fn bind_all(host: &Host, config: &BrokerConfig) -> Result<Vec<Bound>, BindError> {
    let mut sockets = Vec::new();
    for listener in &config.listeners {
        let address = format!("{}:{}", listener.bind.host, listener.bind.port);
        let failed = |error| BindError { name: listener.name.clone(), address: address.clone(), error };
        let bind = SocketAddr::new(bind_ip(&listener.bind.host).map_err(failed)?, listener.bind.port);
        let socket = host.net.listen(bind).map_err(failed)?;
        let kind = kind_of(listener);
        let address = socket.local_addr().map_err(failed)?;
        sockets.push(Bound { name: listener.name.as_str().into(), kind, address, socket });
    }
    Ok(sockets)
}

/// What each listener is told to others as: what is advertised, else where it listens.
pub(crate) fn told(
    config: &BrokerConfig,
    addresses: &[(Arc<str>, SocketAddr)],
    kind: ListenerKind,
) -> Vec<NodeEndpoint> {
    let listeners = config.listeners.iter().zip(addresses).filter(|(listener, _)| kind_of(listener) == kind);
    listeners
        .map(|(listener, (_, address))| {
            let advertised = listener.advertised.as_ref();
            let bound = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
            NodeEndpoint {
                listener: listener.name.clone(),
                host: advertised.map_or(bound, |advertised| advertised.host.clone()),
                port: advertised.map(|advertised| advertised.port).filter(|port| *port != 0).unwrap_or(address.port()),
                security_protocol: 0,
            }
        })
        .collect()
}

fn kind_of(listener: &Listener) -> ListenerKind {
    if listener.controller { ListenerKind::Controller } else { ListenerKind::Broker }
}

/// The address to bind: an empty host means all of them.
pub(crate) fn bind_ip(host: &str) -> io::Result<IpAddr> {
    match host {
        "" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        host => host.parse().map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{host} is not an IP address; listeners need one"))
        }),
    }
}
