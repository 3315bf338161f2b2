//! Brokers and controllers as facts: where they are, what they can, whether they serve.

use std::collections::BTreeMap;

use ottla_messages::records::metadata::{
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChangeRecord, ControllerEndpoint, ControllerFeature,
    RegisterBrokerRecord, RegisterControllerRecord,
};
use ottla_wire::Uuid;
use ottla_wire::ids::BrokerId;

use crate::features::MetadataVersion;

/// Where a node is reached on one of its listeners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeEndpoint {
    /// Name of the listener.
    pub listener: String,
    /// Host told to clients.
    pub host: String,
    /// Port told to clients.
    pub port: u16,
    /// Kafka's number of the security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// Levels of a feature that a node works with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SupportedLevels {
    /// Lowest.
    pub min: i16,
    /// Highest.
    pub max: i16,
}

/// A registered broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Its id.
    pub id: BrokerId,
    /// Number of this registration; grows with each.
    pub epoch: i64,
    /// Number of the process that registered.
    pub incarnation: Uuid,
    /// Where it is reached.
    pub endpoints: Vec<NodeEndpoint>,
    /// Features it works with.
    pub features: BTreeMap<String, SupportedLevels>,
    /// Its rack.
    pub rack: Option<String>,
    /// It serves nobody: it has not reported yet or was silent too long.
    pub fenced: bool,
    /// It is on its way out.
    pub in_controlled_shutdown: bool,
    /// Its log directories, sorted.
    pub directories: Vec<Uuid>,
    /// Directories that take no new replicas (KIP-1066); None where the registration says nothing.
    pub cordoned: Option<Vec<Uuid>>,
    /// Left over from ZooKeeper migration; kept as it was written.
    pub migrating: bool,
}

impl Broker {
    /// The broker that a record states.
    #[must_use]
    pub fn of_record(record: &RegisterBrokerRecord<'_>) -> Broker {
        let mut directories = record.log_dirs.clone();
        directories.sort_unstable();
        Broker {
            id: BrokerId(record.broker_id),
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: record.end_points.iter().map(NodeEndpoint::of_broker).collect(),
            features: record
                .features
                .iter()
                .map(|one| {
                    (
                        one.name.to_string(),
                        SupportedLevels { min: one.min_supported_version, max: one.max_supported_version },
                    )
                })
                .collect(),
            rack: record.rack.as_deref().map(str::to_owned),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            directories,
            cordoned: record.cordoned_log_dirs.clone(),
            migrating: record.is_migrating_zk_broker,
        }
    }

    /// Applies a change of the registration.
    pub fn change(&mut self, record: &BrokerRegistrationChangeRecord) {
        match record.fenced {
            1 => self.fenced = true,
            -1 => self.fenced = false,
            _ => {}
        }
        if record.in_controlled_shutdown == 1 {
            self.in_controlled_shutdown = true;
        }
        if !record.log_dirs.is_empty() {
            self.directories.clone_from(&record.log_dirs);
            self.directories.sort_unstable();
        }
        if record.cordoned_log_dirs.is_some() {
            self.cordoned.clone_from(&record.cordoned_log_dirs);
        }
    }

    /// The record that states this broker at a level of `metadata.version`.
    #[must_use]
    pub fn to_record(&self, version: MetadataVersion) -> RegisterBrokerRecord<'static> {
        RegisterBrokerRecord {
            broker_id: self.id.0,
            is_migrating_zk_broker: self.migrating && version.0 >= 8,
            incarnation_id: self.incarnation,
            broker_epoch: self.epoch,
            end_points: self.endpoints.iter().map(NodeEndpoint::to_broker).collect(),
            features: self
                .features
                .iter()
                .map(|(name, levels)| BrokerFeature {
                    name: name.clone().into(),
                    min_supported_version: levels.min,
                    max_supported_version: levels.max,
                })
                .collect(),
            rack: self.rack.clone().map(Into::into),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: if version.has_directories() { self.directories.clone() } else { Vec::new() },
            cordoned_log_dirs: self.cordoned.clone().filter(|_| version.has_cordoned_directories()),
        }
    }

    /// Where it is reached on the listener of this name.
    #[must_use]
    pub fn endpoint(&self, listener: &str) -> Option<&NodeEndpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.listener == listener)
    }

    /// Whether it takes new replicas and may lead.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}

/// A registered controller (KIP-919).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    /// Its id.
    pub id: BrokerId,
    /// Number of the process that registered.
    pub incarnation: Uuid,
    /// Where it is reached.
    pub endpoints: Vec<NodeEndpoint>,
    /// Features it works with.
    pub features: BTreeMap<String, SupportedLevels>,
    /// Left over from ZooKeeper migration; kept as it was written.
    pub migration_ready: bool,
}

impl Controller {
    /// The controller that a record states.
    #[must_use]
    pub fn of_record(record: &RegisterControllerRecord<'_>) -> Controller {
        Controller {
            id: BrokerId(record.controller_id),
            incarnation: record.incarnation_id,
            endpoints: record.end_points.iter().map(NodeEndpoint::of_controller).collect(),
            features: record
                .features
                .iter()
                .map(|one| {
                    (
                        one.name.to_string(),
                        SupportedLevels { min: one.min_supported_version, max: one.max_supported_version },
                    )
                })
                .collect(),
            migration_ready: record.zk_migration_ready,
        }
    }

    /// The record that states this controller.
    #[must_use]
    pub fn to_record(&self) -> RegisterControllerRecord<'static> {
        RegisterControllerRecord {
            controller_id: self.id.0,
            incarnation_id: self.incarnation,
            zk_migration_ready: self.migration_ready,
            end_points: self.endpoints.iter().map(NodeEndpoint::to_controller).collect(),
            features: self
                .features
                .iter()
                .map(|(name, levels)| ControllerFeature {
                    name: name.clone().into(),
                    min_supported_version: levels.min,
                    max_supported_version: levels.max,
                })
                .collect(),
        }
    }
}

impl NodeEndpoint {
    fn of_broker(one: &BrokerEndpoint<'_>) -> NodeEndpoint {
        NodeEndpoint {
            listener: one.name.to_string(),
            host: one.host.to_string(),
            port: one.port,
            security_protocol: one.security_protocol,
        }
    }

    fn of_controller(one: &ControllerEndpoint<'_>) -> NodeEndpoint {
        NodeEndpoint {
            listener: one.name.to_string(),
            host: one.host.to_string(),
            port: one.port,
            security_protocol: one.security_protocol,
        }
    }

    fn to_broker(&self) -> BrokerEndpoint<'static> {
        BrokerEndpoint {
            name: self.listener.clone().into(),
            host: self.host.clone().into(),
            port: self.port,
            security_protocol: self.security_protocol,
        }
    }

    fn to_controller(&self) -> ControllerEndpoint<'static> {
        ControllerEndpoint {
            name: self.listener.clone().into(),
            host: self.host.clone().into(),
            port: self.port,
            security_protocol: self.security_protocol,
        }
    }
}
