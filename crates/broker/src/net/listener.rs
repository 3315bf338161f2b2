//! A listening socket: takes connections while the bounds allow.

use crate::api::peer::{ListenerKind, Peer};
use crate::net::connection::Connection;
use crate::net::server::Server;
use ottla_host::net::{Listener, Stream};
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Pause after the system refuses to hand out a connection (it is out of descriptors or memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener of a broker.
#[derive(Clone)]
pub(crate) struct Endpoint {
    /// Name, as `listeners` has it.
    pub(crate) name: Arc<str>,
    pub(crate) kind: ListenerKind,
}

/// Takes connections until the broker stops.
pub(crate) async fn accept_all(server: Arc<Server>, endpoint: Endpoint, mut socket: Box<dyn Listener>) {
    let stop = server.stop.clone();
    let stop = stop.notified();
    tokio::pin!(stop);
    stop.as_mut().enable();
    while !server.is_stopping() {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => return,
            accepted = poll_fn(|task| socket.poll_accept(task)) => accepted,
        };
        match accepted {
            Ok(stream) => start(&server, &endpoint, stream).await,
            Err(error) => {
                tracing::warn!(listener = %endpoint.name, %error, "cannot take a connection");
                pause(&server, ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn start(server: &Arc<Server>, endpoint: &Endpoint, stream: Box<dyn Stream>) {
    let wait = server.limits.creation_pause(server.host.clock.monotonic());
    if !wait.is_zero() {
        pause(server, wait).await;
    }
    if let Err(error) = try_start(server, endpoint, stream) {
        tracing::debug!(listener = %endpoint.name, %error, "a connection was gone before it was served");
    }
}

fn try_start(server: &Arc<Server>, endpoint: &Endpoint, stream: Box<dyn Stream>) -> io::Result<()> {
    let address = stream.peer_addr()?;
    let permit = match server.limits.open(address.ip()) {
        Ok(permit) => permit,
        Err(refused) => {
            tracing::warn!(listener = %endpoint.name, %address, %refused, "connection refused");
            return Ok(());
        }
    };
    server.meters.created.add(1);
    let peer = Peer::new(server.cx.clone(), (address, stream.local_addr()?), endpoint.kind, endpoint.name.clone());
    let connection = Connection::new(server.clone(), stream, Arc::new(peer));
    server.run(async move {
        let _permit = permit;
        connection.await;
    });
    Ok(())
}

async fn pause(server: &Server, time: Duration) {
    let deadline = server.host.clock.monotonic() + time;
    server.host.tasks.sleep_until(deadline).await;
}
