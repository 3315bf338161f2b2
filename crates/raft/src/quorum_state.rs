//! The `quorum-state` file: what an election decided, as Kafka writes it (JSON, version 0 with `kraft.version` 0, 1 above).

use crate::state::event::Election;
use crate::state::ids::{KraftVersion, ReplicaKey};
use ottla_host::Disk;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Uuid};
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file in the directory of the metadata log.
pub const QUORUM_STATE: &str = "quorum-state";

const BYTES_MAX: u64 = 1 << 20;

/// Why `quorum-state` could not be read. Without it a vote might be given twice: the start ends.
#[derive(Debug, thiserror::Error)]
pub enum QuorumStateError {
    /// The disk failed.
    #[error("read {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is not what Kafka writes.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        what: String,
    },
}

/// Reads the file in `dir`; None if there is none.
pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Election>, QuorumStateError> {
    let path = dir.join(QUORUM_STATE);
    let bytes = match disk.read(&path, BYTES_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => return Err(QuorumStateError::Io { path, error }),
    };
    parse(&bytes).map(Some).map_err(|what| QuorumStateError::Damaged { path, what })
}

/// Replaces the file in `dir`; it is on the device when this returns.
pub fn write(
    disk: &dyn Disk,
    dir: &Path,
    (election, kraft): (&Election, KraftVersion),
    voters: &[BrokerId],
) -> io::Result<()> {
    disk.replace(&dir.join(QUORUM_STATE), text(election, kraft, voters).as_bytes(), true)
}

fn text(election: &Election, kraft: KraftVersion, voters: &[BrokerId]) -> String {
    let dynamic = kraft.has_dynamic_voters();
    let mut fields = Map::new();
    let voted = election.voted;
    if !dynamic {
        fields.insert("clusterId".to_owned(), json!(""));
    }
    fields.insert("leaderId".to_owned(), json!(election.leader.map_or(-1, |leader| leader.0)));
    fields.insert("leaderEpoch".to_owned(), json!(election.epoch.0));
    fields.insert("votedId".to_owned(), json!(voted.map_or(-1, |voted| voted.id.0)));
    if !dynamic {
        let voters: Vec<Value> = voters.iter().map(|voter| json!({ "voterId": voter.0 })).collect();
        fields.insert("appliedOffset".to_owned(), json!(0));
        fields.insert("currentVoters".to_owned(), json!(voters));
    } else {
        let directory = voted.and_then(|voted| voted.directory).unwrap_or(Uuid::ZERO);
        fields.insert("votedDirectoryId".to_owned(), json!(directory.to_string()));
    }
    fields.insert("data_version".to_owned(), json!(i16::from(dynamic)));
    Value::Object(fields).to_string()
}

fn parse(bytes: &[u8]) -> Result<Election, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let number = |key: &str| {
        let found = value.get(key).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
        found.ok_or_else(|| format!("{key} is missing or not a number"))
    };
    let version = number("data_version")?;
    let kraft = i16::try_from(version).map(KraftVersion).ok().filter(|kraft| kraft.is_known());
    let kraft = kraft.ok_or_else(|| format!("data_version {version} is not known, only 0 and 1 are"))?;
    let directory = match value.get("votedDirectoryId").and_then(Value::as_str) {
        Some(id) if kraft.has_dynamic_voters() => {
            Uuid::parse(id).ok_or_else(|| format!("votedDirectoryId {id} is not an id"))?
        }
        Some(_) | None => Uuid::ZERO,
    };
    let some = |id: i32| (id >= 0).then_some(BrokerId(id));
    Ok(Election {
        epoch: LeaderEpoch(number("leaderEpoch")?.max(0)),
        leader: some(number("leaderId")?),
        voted: some(number("votedId")?).map(|id| ReplicaKey::new(id, directory)),
    })
}

#[cfg(test)]
mod tests {
    use super::{parse, text};
    use crate::state::event::Election;
    use crate::state::ids::{KraftVersion, ReplicaKey};
    use ottla_wire::ids::{BrokerId, LeaderEpoch, Uuid};

    #[test]
    fn text_is_what_kafka_writes_for_a_static_voter() {
        let election = Election { epoch: LeaderEpoch(1), leader: Some(BrokerId(1)), voted: None };
        let expected = r#"{"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#;
        assert_eq!(text(&election, KraftVersion::STATIC, &[BrokerId(1)]), expected);
    }

    #[test]
    fn both_versions_read_back() {
        let voted = ReplicaKey::new(BrokerId(2), Uuid([7; 16]));
        let election = Election { epoch: LeaderEpoch(9), leader: None, voted: Some(voted) };
        assert_eq!(parse(text(&election, KraftVersion::DYNAMIC, &[]).as_bytes()), Ok(election));
        let without = Election { voted: Some(ReplicaKey { directory: None, ..voted }), ..election };
        assert_eq!(parse(text(&election, KraftVersion::STATIC, &[]).as_bytes()), Ok(without));
    }

    #[test]
    fn damage_is_named() {
        assert!(parse(b"{").is_err());
        assert!(parse(br#"{"leaderId":1,"data_version":2}"#).unwrap_err().contains("data_version 2"));
        assert!(parse(br#"{"leaderId":1,"data_version":1}"#).unwrap_err().contains("leaderEpoch"));
    }
}
