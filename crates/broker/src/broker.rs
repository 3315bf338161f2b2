//! The broker as a whole: start and stop.

use crate::cx::Cx;
use crate::net::limits::{Bounds, Limits};
use crate::net::listener::{Endpoint, accept_all};
use crate::net::peer::ListenerKind;
use crate::net::server::Server;
use ottla_host::Host;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longest time that a clean stop waits for answers in flight.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener's address cannot be bound.
    #[error("listener {name} cannot listen on {address}: {error}")]
    Listen {
        /// Name, as `listeners` has it.
        name: String,
        /// Address asked for.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
}

/// A running broker.
pub struct Broker {
    server: Arc<Server>,
    addresses: Vec<(Arc<str>, SocketAddr)>,
}

impl Broker {
    /// Opens the listeners and serves.
    pub fn start(host: Host, listeners: &[(&str, SocketAddr)], bounds: Bounds) -> Result<Broker, StartError> {
        let cx = Arc::new(Cx::new(host.clone(), None));
        let server = Arc::new(Server::new(host, cx, Limits::new(bounds)));
        let mut addresses = Vec::new();
        for (name, address) in listeners {
            let failed = |error| StartError::Listen { name: (*name).to_owned(), address: *address, error };
            let socket = server.host.net.listen(*address).map_err(failed)?;
            let name: Arc<str> = (*name).into();
            addresses.push((name.clone(), socket.local_addr().map_err(failed)?));
            let endpoint = Endpoint { name, kind: ListenerKind::Broker };
            server.host.tasks.spawn("listener", Box::pin(accept_all(server.clone(), endpoint, socket)));
        }
        Ok(Broker { server, addresses })
    }

    /// Names and addresses of the listeners.
    #[must_use]
    pub fn addresses(&self) -> &[(Arc<str>, SocketAddr)] {
        &self.addresses
    }

    /// Takes no further request, answers those in flight, and ends within a bound.
    pub async fn stop(self) {
        let server = self.server;
        server.begin_stop();
        let deadline = server.host.tasks.sleep_until(server.host.clock.monotonic() + STOP_MAX);
        tokio::select! {
            biased;
            () = server.connections_ended() => {}
            () = deadline => server.abort_connections(),
        }
    }
}
