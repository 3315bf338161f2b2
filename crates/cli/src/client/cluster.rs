//! The brokers of a cluster as a tool sees them: one connection each, and which of them leads which partition.

use super::link::Link;
use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponseTopic,
};
use ottla_wire::Uuid;
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a topic that was just created may take to get its leaders.
const LEADERS_WAIT: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The id that tools give.
const CLIENT_ID: &str = "ottla";

/// Connections to a cluster.
pub(crate) struct Cluster {
    /// `host:port` of the brokers named at first, the one in use before the others.
    bootstrap: Vec<String>,
    client_id: String,
    links: BTreeMap<String, Link>,
}

/// A topic and the brokers that lead its partitions.
pub(crate) struct Topic {
    /// Its name.
    pub(crate) name: String,
    /// Its id; zero where the broker tells none.
    pub(crate) id: Uuid,
    /// `host:port` of the leader of each partition, by partition index.
    pub(crate) leaders: BTreeMap<i32, String>,
}

/// A broker and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    /// Its id.
    pub(crate) id: i32,
    /// `host:port`.
    pub(crate) address: String,
}

/// A topic as the cluster describes it, with or without leaders.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    /// Its name.
    pub(crate) name: String,
    /// Its id; zero where the broker tells none.
    pub(crate) id: Uuid,
    /// Whether Kafka keeps state of its own in it.
    pub(crate) internal: bool,
    /// Its partitions with the address of each leader; None where there is none.
    pub(crate) partitions: BTreeMap<i32, Option<String>>,
    /// Why the rest is not there.
    pub(crate) error: ErrorCode,
}

impl Cluster {
    /// Connects to the first of `host:port,…` that answers.
    pub(crate) fn connect(bootstrap: &str) -> Result<Cluster, Failure> {
        Cluster::connect_as(bootstrap, CLIENT_ID)
    }

    /// Like [`Cluster::connect`], under a client's id.
    pub(crate) fn connect_as(bootstrap: &str, client_id: &str) -> Result<Cluster, Failure> {
        let addresses = bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty());
        let bootstrap = addresses.map(checked).collect::<Result<Vec<String>, Failure>>()?;
        let mut cluster = Cluster { bootstrap, client_id: client_id.to_owned(), links: BTreeMap::new() };
        cluster.any()?;
        Ok(cluster)
    }

    /// The same cluster for another thread, which connects by itself.
    pub(crate) fn beside(&self) -> Cluster {
        Cluster { bootstrap: self.bootstrap.clone(), client_id: self.client_id.clone(), links: BTreeMap::new() }
    }

    /// A connection to any of the brokers that were named at first, preferably one that there is already.
    pub(crate) fn any(&mut self) -> Result<&mut Link, Failure> {
        let mut last = Failure::new("--bootstrap-server names no broker");
        for at in 0..self.bootstrap.len() {
            let address = self.bootstrap[at].clone();
            match self.at(&address).map(|_| ()) {
                Ok(()) => {
                    self.bootstrap.swap(0, at);
                    return self.at(&address);
                }
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// The connection to `address`, made on first use.
    pub(crate) fn at(&mut self, address: &str) -> Result<&mut Link, Failure> {
        if !self.links.contains_key(address) {
            self.links.insert(address.to_owned(), Link::connect(address, &self.client_id)?);
        }
        Ok(self.links.get_mut(address).expect("the link was made just above when it was missing"))
    }

    /// Closes the connection to `address`: the next use makes a new one.
    pub(crate) fn forget(&mut self, address: &str) {
        self.links.remove(address);
    }

    /// Closes all connections.
    pub(crate) fn forget_all(&mut self) {
        self.links.clear();
    }

    /// The topic with a leader for every partition; waits for a topic that is being created.
    pub(crate) fn topic(&mut self, name: &str, create: bool) -> Result<Topic, Failure> {
        let since = Instant::now();
        loop {
            let error = match self.look(name, create)? {
                Ok(topic) => return Ok(topic),
                Err(error) => error,
            };
            let may_appear = error.retriable() && (create || error != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            if !may_appear || since.elapsed() > LEADERS_WAIT {
                return Err(Failure::new(format!("topic {name}: {} ({error})", error.text())));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The topics of these names, or all of them; none is created. A topic that does not exist has its error.
    pub(crate) fn describe(&mut self, names: Option<&[&str]>) -> Result<Vec<Described>, Failure> {
        let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned().into()), ..Default::default() };
        let topics = names.map(|names| names.iter().map(topic).collect());
        let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
        self.metadata(&request, |response| response.topics.iter().map(|topic| described(topic, response)).collect())
    }

    /// The brokers that are there.
    pub(crate) fn brokers(&mut self) -> Result<Vec<Node>, Failure> {
        let request = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
        self.metadata(&request, |response| response.brokers.iter().map(node).collect())
    }

    fn metadata<T>(
        &mut self,
        request: &MetadataRequest<'_>,
        take: impl FnOnce(&MetadataResponse<'_>) -> T,
    ) -> Result<T, Failure> {
        let answer = self.any()?.call(ApiKey::Metadata, |out, version| request.encode(out, version))?;
        let (mut cursor, version) = answer.body();
        let response = MetadataResponse::decode(&mut cursor, version).during(|| "read a metadata answer".to_owned())?;
        Ok(take(&response))
    }

    fn look(&mut self, name: &str, create: bool) -> Result<Result<Topic, ErrorCode>, Failure> {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]),
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        self.metadata(&request, |response| {
            match response.topics.iter().find(|topic| topic.name.as_deref() == Some(name)) {
                Some(topic) => with_leaders(name, topic, response),
                None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            }
        })
    }
}

/// An address that has the form `host:port`.
fn checked(address: &str) -> Result<String, Failure> {
    let parts = address.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    match parts {
        Some(_) => Ok(address.to_owned()),
        None => Err(Failure::new(format!(
            "--bootstrap-server: {address:?} is not of the form host:port, such as localhost:9092"
        ))),
    }
}

fn node(broker: &MetadataResponseBroker<'_>) -> Node {
    Node { id: broker.node_id, address: format!("{}:{}", broker.host, broker.port) }
}

fn described(topic: &MetadataResponseTopic<'_>, response: &MetadataResponse<'_>) -> Described {
    let leader =
        |id: i32| response.brokers.iter().find(|broker| broker.node_id == id).map(|broker| node(broker).address);
    let partitions = topic.partitions.iter().map(|partition| (partition.partition_index, leader(partition.leader_id)));
    Described {
        name: topic.name.as_deref().unwrap_or_default().to_owned(),
        id: topic.topic_id,
        internal: topic.is_internal,
        partitions: partitions.collect(),
        error: ErrorCode::from_code(topic.error_code),
    }
}

fn with_leaders(
    name: &str,
    topic: &MetadataResponseTopic<'_>,
    response: &MetadataResponse<'_>,
) -> Result<Topic, ErrorCode> {
    let error = ErrorCode::from_code(topic.error_code);
    if error.is_error() {
        return Err(error);
    }
    let mut leaders = BTreeMap::new();
    for partition in &topic.partitions {
        let broker = response.brokers.iter().find(|broker| broker.node_id == partition.leader_id);
        let broker = broker.ok_or(ErrorCode::LEADER_NOT_AVAILABLE)?;
        leaders.insert(partition.partition_index, format!("{}:{}", broker.host, broker.port));
    }
    Ok(Topic { name: name.to_owned(), id: topic.topic_id, leaders })
}
