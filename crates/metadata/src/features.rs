//! Features: the one table of names, levels and what each level means for the records that are written (KIP-584, KIP-1022).

use ottla_messages::records::metadata::MetadataRecord;
use ottla_wire::ApiVersion;

/// Name of the feature that versions the metadata records themselves.
pub const METADATA_VERSION: &str = "metadata.version";
/// Name of the feature that says how the quorum keeps its voters; it lives in the quorum's own control records.
pub const KRAFT_VERSION: &str = "kraft.version";

/// One feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feature {
    /// Kafka's name.
    pub name: &'static str,
    /// Lowest level this program works with.
    pub min: i16,
    /// Highest level this program implements; with 0 the feature is not advertised.
    pub max: i16,
    /// Highest level that Apache Kafka 4.4 may have finalized in a directory. Its records are read and kept.
    pub known: i16,
    /// Lowest `metadata.version` it needs.
    pub needs: MetadataVersion,
}

/// Every feature of Kafka 4.4.
pub const FEATURES: &[Feature] = &[
    Feature { name: METADATA_VERSION, min: 7, max: 33, known: 33, needs: MetadataVersion::MIN },
    Feature { name: KRAFT_VERSION, min: 0, max: 1, known: 1, needs: MetadataVersion(21) },
    Feature { name: "transaction.version", min: 0, max: 0, known: 2, needs: MetadataVersion(24) },
    Feature { name: "group.version", min: 0, max: 1, known: 1, needs: MetadataVersion(22) },
    Feature { name: "eligible.leader.replicas.version", min: 0, max: 0, known: 1, needs: MetadataVersion(23) },
    Feature { name: "share.version", min: 0, max: 0, known: 2, needs: MetadataVersion(28) },
    Feature { name: "streams.version", min: 0, max: 0, known: 1, needs: MetadataVersion(29) },
];

/// The feature of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

/// The features that this program implements and so advertises.
pub fn advertised() -> impl Iterator<Item = &'static Feature> {
    FEATURES.iter().filter(|feature| feature.max > 0)
}

/// A level of `metadata.version`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct MetadataVersion(pub i16);

/// Names of the levels from 7 on, by release and step.
const LEVELS: [&str; 27] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1",
    "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2", "4.0-IV3", "4.1-IV0",
    "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0", "4.4-IV1", "4.4-IV2",
];

impl MetadataVersion {
    /// 3.3-IV3, the lowest that Kafka 4 works with.
    pub const MIN: MetadataVersion = MetadataVersion(7);
    /// 4.4-IV2, the newest.
    pub const LATEST: MetadataVersion = MetadataVersion(33);

    /// The level of a release (`4.4`, `4.4.0`) or of a step of it (`4.4-IV1`).
    #[must_use]
    pub fn of_release(text: &str) -> Option<MetadataVersion> {
        let text = text.trim();
        if let Some(at) = LEVELS.iter().position(|level| *level == text) {
            return Some(MetadataVersion(MetadataVersion::MIN.0 + at as i16));
        }
        let mut parts = text.split('.');
        let release = format!("{}.{}-", parts.next()?, parts.next()?);
        let at = LEVELS.iter().rposition(|level| level.starts_with(&release))?;
        Some(MetadataVersion(MetadataVersion::MIN.0 + at as i16))
    }

    /// The level's name, such as `4.4-IV2`; None outside of the known levels.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        LEVELS.get(usize::try_from(self.0.checked_sub(MetadataVersion::MIN.0)?).ok()?).copied()
    }

    /// Replicas name the log directory they live in (KIP-858, 3.7-IV2).
    #[must_use]
    pub fn has_directories(self) -> bool {
        self.0 >= 17
    }

    /// Brokers may hold directories back from new replicas (KIP-1066, 4.3-IV0).
    #[must_use]
    pub fn has_cordoned_directories(self) -> bool {
        self.0 >= 30
    }

    /// Partitions carry eligible leader replicas (KIP-966, 4.0-IV1).
    #[must_use]
    pub fn has_eligible_leaders(self) -> bool {
        self.0 >= 23
    }

    /// Controllers register themselves (KIP-919, 3.7-IV0).
    #[must_use]
    pub fn has_controller_registration(self) -> bool {
        self.0 >= 15
    }

    /// Several batches may form one change (KIP-868, 3.6-IV1).
    #[must_use]
    pub fn has_transactions(self) -> bool {
        self.0 >= 13
    }

    /// Version in which a record is written at this level; a newer one would make Kafka refuse the directory.
    #[must_use]
    pub fn record_version(self, record: &MetadataRecord<'_>) -> ApiVersion {
        ApiVersion(match record {
            MetadataRecord::RegisterBroker(_) => match self.0 {
                30.. => 4,
                17.. => 3,
                8.. => 2,
                _ => 1,
            },
            MetadataRecord::BrokerRegistrationChange(_) => match self.0 {
                30.. => 3,
                17.. => 2,
                _ => 1,
            },
            MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => match self.0 {
                23.. => 2,
                17.. => 1,
                _ => 0,
            },
            MetadataRecord::UnregisterBroker(_)
            | MetadataRecord::Topic(_)
            | MetadataRecord::Config(_)
            | MetadataRecord::FenceBroker(_)
            | MetadataRecord::UnfenceBroker(_)
            | MetadataRecord::RemoveTopic(_)
            | MetadataRecord::DelegationToken(_)
            | MetadataRecord::UserScramCredential(_)
            | MetadataRecord::FeatureLevel(_)
            | MetadataRecord::ClientQuota(_)
            | MetadataRecord::ProducerIds(_)
            | MetadataRecord::AccessControlEntry(_)
            | MetadataRecord::RemoveAccessControlEntry(_)
            | MetadataRecord::NoOp(_)
            | MetadataRecord::ZkMigrationState(_)
            | MetadataRecord::RemoveUserScramCredential(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_)
            | MetadataRecord::RemoveDelegationToken(_)
            | MetadataRecord::RegisterController(_)
            | MetadataRecord::ClearElr(_)
            | MetadataRecord::UnregisterController(_) => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{LEVELS, MetadataVersion};

    #[test]
    fn releases_name_their_last_step() {
        assert_eq!(MetadataVersion::of_release("4.4"), Some(MetadataVersion::LATEST));
        assert_eq!(MetadataVersion::of_release("4.4.0"), Some(MetadataVersion::LATEST));
        assert_eq!(MetadataVersion::of_release("4.0-IV1"), Some(MetadataVersion(23)));
        assert_eq!(MetadataVersion::of_release("3.7"), Some(MetadataVersion(19)));
        assert_eq!(MetadataVersion::of_release("3.2"), None);
        assert_eq!(MetadataVersion(33).name(), Some("4.4-IV2"));
        assert_eq!(MetadataVersion(34).name(), None);
        assert_eq!(LEVELS.len(), 27);
    }
}
