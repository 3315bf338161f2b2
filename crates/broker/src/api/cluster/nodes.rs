//! Where the brokers are reached, as a client on some listener is told.

use crate::api::peer::Peer;
use crate::cx::Cx;
use ottla_metadata::Image;
use ottla_metadata::image::{Broker, Partition};
use ottla_wire::ids::BrokerId;

/// A broker's address for one client.
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What a client on `peer`'s listener is told about `broker`; None when the broker has no such listener.
pub(crate) fn address(cx: &Cx, peer: &Peer, broker: &Broker) -> Option<Address> {
    let endpoint = broker.endpoint(&peer.listener)?;
    let config = cx.config();
    let own = config.listeners.iter().find(|listener| *listener.name == *peer.listener);
    if broker.id == config.node_id && own.is_none_or(|listener| listener.advertised.is_none()) {
        // Nothing is advertised: where the client has come in, others of its kind come in too.
        return Some(Address { host: peer.local.ip().to_canonical().to_string(), port: peer.local.port() });
    }
    Some(Address { host: endpoint.host.clone(), port: endpoint.port })
}

/// The brokers that serve on one listener, as a partition's answer needs them.
pub(crate) struct Serving<'a> {
    image: &'a Image,
    listener: &'a str,
}

impl<'a> Serving<'a> {
    pub(crate) fn new(image: &'a Image, listener: &'a str) -> Serving<'a> {
        Serving { image, listener }
    }

    /// Whether the broker serves on the listener.
    pub(crate) fn has(&self, id: BrokerId) -> bool {
        self.image.broker(id).is_some_and(|broker| !broker.fenced && broker.endpoint(self.listener).is_some())
    }

    /// Whether the broker is registered at all.
    pub(crate) fn knows(&self, id: BrokerId) -> bool {
        self.image.broker(id).is_some()
    }

    /// Replicas that do not serve on the listener, or whose directory failed.
    pub(crate) fn offline(&self, partition: &Partition) -> Vec<i32> {
        use ottla_metadata::image::partition::DIRECTORY_LOST;
        let lost = |id: BrokerId| partition.directory_of(id) == Some(DIRECTORY_LOST);
        let replicas = partition.replicas.as_slice().iter();
        replicas.filter(|id| lost(**id) || !self.has(**id)).map(|id| id.0).collect()
    }
}
