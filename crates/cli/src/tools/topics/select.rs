//! Which topics an action is about: by name, regular expression or id, and the filters.

use super::Arguments;
use crate::client::cluster::Cluster;
use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::metadata::{MetadataRequest, MetadataResponse};
use ottla_wire::Uuid;
use regex_lite::Regex;

/// A topic as the cluster knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Topic {
    /// Its name.
    pub(super) name: String,
    /// Its id.
    pub(super) id: Uuid,
    /// Whether Kafka keeps state of its own in it.
    pub(super) internal: bool,
}

/// The topics that the arguments name, sorted; an error if they name one that does not exist, unless --if-exists.
pub(super) fn topics(cluster: &mut Cluster, arguments: &Arguments) -> Result<Vec<Topic>, Failure> {
    if arguments.topic.is_none() && arguments.topic_id.is_none() && (arguments.delete || arguments.alter) {
        return Err(Failure::new("--topic says which topics"));
    }
    let chosen = Chosen::new(arguments)?;
    let found: Vec<Topic> = all(cluster)?.into_iter().filter(|topic| chosen.has(topic)).collect();
    let named =
        arguments.topic_id.as_ref().map(|id| ("TopicId", id)).or(arguments.topic.as_ref().map(|name| ("Topic", name)));
    match named {
        Some((what, name)) if found.is_empty() && !arguments.if_exists && !arguments.list => {
            Err(Failure::new(format!("{what} '{name}' does not exist as expected")))
        }
        Some(_) | None => Ok(found),
    }
}

/// Every topic of the cluster, sorted by name.
fn all(cluster: &mut Cluster) -> Result<Vec<Topic>, Failure> {
    let request = MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() };
    let answer = cluster.any()?.call(ApiKey::Metadata, |out, version| request.encode(out, version))?;
    let (mut cursor, version) = answer.body();
    let response = MetadataResponse::decode(&mut cursor, version).during(|| "read a metadata answer".to_owned())?;
    let mut topics: Vec<Topic> = response
        .topics
        .iter()
        .filter_map(|topic| {
            let name = topic.name.as_deref()?.to_owned();
            Some(Topic { name, id: topic.topic_id, internal: topic.is_internal })
        })
        .collect();
    topics.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(topics)
}

/// What the arguments choose.
struct Chosen {
    id: Option<Uuid>,
    name: Option<Regex>,
    without_internal: bool,
}

impl Chosen {
    fn new(arguments: &Arguments) -> Result<Chosen, Failure> {
        let id = match &arguments.topic_id {
            Some(text) => Some(Uuid::parse(text).ok_or_else(|| Failure::new(format!("{text:?} is no topic id")))?),
            None => None,
        };
        let name = match &arguments.topic {
            // Kafka's tool reads a comma as "or".
            Some(text) => {
                let pattern = format!("^(?:{})$", text.trim_matches(['"', '\'']).replace(',', "|"));
                Some(Regex::new(&pattern).during(|| format!("read {text:?} as a regular expression"))?)
            }
            None => None,
        };
        Ok(Chosen { id, name, without_internal: arguments.exclude_internal })
    }

    fn has(&self, topic: &Topic) -> bool {
        if self.without_internal && topic.internal {
            return false;
        }
        match (&self.id, &self.name) {
            (Some(id), _) => topic.id == *id,
            (None, Some(name)) => name.is_match(&topic.name),
            (None, None) => true,
        }
    }
}
