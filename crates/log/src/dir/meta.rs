//! `meta.properties`: which node and cluster a directory belongs to.

use ottla_wire::Uuid;
use std::collections::BTreeMap;

/// Name of the file in each log directory.
pub const META_PROPERTIES: &str = "meta.properties";

/// Content of `meta.properties`, version 1 (KRaft).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    /// Cluster, as `cluster.id` says.
    pub cluster_id: String,
    /// Node, as `node.id` says.
    pub node_id: i32,
    /// Directory (KIP-858); None in directories of Kafka before 3.7.
    pub directory_id: Option<Uuid>,
}

/// Why `meta.properties` could not be understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetaError {
    /// A key is missing.
    #[error("meta.properties has no {0}")]
    Missing(&'static str),
    /// A value is not what its key demands.
    #[error("meta.properties has {key}={value}, which is not valid")]
    Invalid {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

impl MetaProperties {
    /// The file's text.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = format!("#\ncluster.id={}\n", self.cluster_id);
        if let Some(id) = self.directory_id {
            text.push_str(&format!("directory.id={id}\n"));
        }
        text.push_str(&format!("node.id={}\nversion=1\n", self.node_id));
        text
    }

    /// Reads the file's text; unknown keys are passed over.
    pub fn parse(text: &str) -> Result<MetaProperties, MetaError> {
        let values: BTreeMap<&str, &str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with(['#', '!']))
            .filter_map(|line| line.split_once(['=', ':']))
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect();
        let required = |key| values.get(key).copied().ok_or(MetaError::Missing(key));
        let invalid = |key, value: &str| MetaError::Invalid { key, value: value.to_owned() };
        let version = required("version")?;
        if version != "1" {
            return Err(invalid("version", version));
        }
        let node = required("node.id")?;
        let node_id = node.parse().ok().filter(|id| *id >= 0).ok_or_else(|| invalid("node.id", node))?;
        let directory_id = match values.get("directory.id") {
            Some(id) => Some(Uuid::parse(id).ok_or_else(|| invalid("directory.id", id))?),
            None => None,
        };
        Ok(MetaProperties { cluster_id: required("cluster.id")?.to_owned(), node_id, directory_id })
    }
}

/// Text of `partition.metadata` (KIP-516).
#[must_use]
pub fn write_partition_metadata(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Topic id that `partition.metadata` says; None if the text is damaged.
#[must_use]
pub fn parse_partition_metadata(text: &str) -> Option<Uuid> {
    let mut lines = text.lines();
    let value = |line: Option<&str>, key: &str| Some(line?.strip_prefix(key)?.trim().to_owned());
    (value(lines.next(), "version:")? == "0").then_some(())?;
    Uuid::parse(&value(lines.next(), "topic_id:")?).filter(|id| !id.is_zero())
}

#[cfg(test)]
mod tests {
    use super::{MetaError, MetaProperties, parse_partition_metadata, write_partition_metadata};
    use ottla_wire::Uuid;

    #[test]
    fn kafka_text_is_read_and_ours_round_trips() {
        let text = "#\n#Mon Nov 23 22:00:00 UTC 2026\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\nversion=1\ncluster.id=x-y_z\n";
        let meta = MetaProperties::parse(text).unwrap();
        assert_eq!((meta.node_id, meta.cluster_id.as_str()), (1, "x-y_z"));
        assert_eq!(MetaProperties::parse(&meta.write()), Ok(meta));
    }

    #[test]
    fn missing_and_wrong_values_are_named() {
        assert_eq!(MetaProperties::parse("version=1\n"), Err(MetaError::Missing("node.id")));
        let wrong = MetaError::Invalid { key: "version", value: "0".to_owned() };
        assert_eq!(MetaProperties::parse("version=0\nbroker.id=1\n"), Err(wrong));
    }

    #[test]
    fn partition_metadata_round_trips() {
        let text = write_partition_metadata(Uuid::METADATA_TOPIC);
        assert_eq!(parse_partition_metadata(&text), Some(Uuid::METADATA_TOPIC));
        assert_eq!(parse_partition_metadata("version: 0\n"), None);
        assert_eq!(parse_partition_metadata(""), None);
    }
}
