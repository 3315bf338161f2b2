//! The brokers of a cluster as a tool sees them: one connection each, and which of them leads which partition.

use super::link::Link;
use crate::failure::Failure;
use ottla_messages::api::ApiKey;
use ottla_messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic};
use ottla_wire::Uuid;
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a topic that was just created may take to get its leaders.
const LEADERS_WAIT: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Connections to a cluster.
pub(crate) struct Cluster {
    first: String,
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

impl Cluster {
    /// Connects to the first of `host:port,…` that answers.
    pub(crate) fn connect(bootstrap: &str) -> Result<Cluster, Failure> {
        let mut last = Failure::new("--bootstrap-server names no broker");
        for address in bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            match Link::connect(address) {
                Ok(link) => {
                    let links = BTreeMap::from([(address.to_owned(), link)]);
                    return Ok(Cluster { first: address.to_owned(), links });
                }
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// The connection that was made first.
    pub(crate) fn any(&mut self) -> Result<&mut Link, Failure> {
        let first = self.first.clone();
        self.at(&first)
    }

    /// The connection to `address`, made on first use.
    pub(crate) fn at(&mut self, address: &str) -> Result<&mut Link, Failure> {
        if !self.links.contains_key(address) {
            self.links.insert(address.to_owned(), Link::connect(address)?);
        }
        Ok(self.links.get_mut(address).expect("the link was made just above when it was missing"))
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

    fn look(&mut self, name: &str, create: bool) -> Result<Result<Topic, ErrorCode>, Failure> {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]),
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        let answer = self.any()?.call(ApiKey::Metadata, |out, version| request.encode(out, version))?;
        let (mut cursor, version) = answer.body();
        let response =
            MetadataResponse::decode(&mut cursor, version).map_err(|error| Failure::new(error.to_string()))?;
        let Some(topic) = response.topics.iter().find(|topic| topic.name.as_deref() == Some(name)) else {
            return Ok(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        };
        Ok(with_leaders(name, topic, &response))
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
