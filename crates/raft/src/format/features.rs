//! Feature levels of a new cluster (KIP-584, KIP-1022).

use super::{Plan, Quorum};
use ottla_metadata::MetadataVersion;
use ottla_metadata::features::{FEATURES, KRAFT_VERSION, METADATA_VERSION, find};
use std::collections::BTreeMap;

/// Why feature levels cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FeatureError {
    /// No such release.
    #[error("unknown release version {0}; releases from 3.3 to 4.4 are known")]
    Release(String),
    /// The same said twice.
    #[error("say --release-version or --feature metadata.version, not both")]
    Ambiguous,
    /// No such feature.
    #[error("unknown feature {name}; known are {known}")]
    Unknown {
        /// As given.
        name: String,
        /// All names.
        known: String,
    },
    /// A level that this program does not implement.
    #[error("{name}={level} is not implemented by this release of Ottla; the highest level is {max}")]
    Level {
        /// The feature.
        name: String,
        /// As given.
        level: i16,
        /// Highest implemented.
        max: i16,
    },
    /// It needs a newer metadata.version.
    #[error("{name}={level} needs a metadata.version of {needs} or later")]
    Needs {
        /// The feature.
        name: String,
        /// As given or by default.
        level: i16,
        /// Level of metadata.version.
        needs: String,
    },
    /// Dynamic voters with kraft.version 0.
    #[error("kraft.version=0 goes with controller.quorum.voters; leave the feature away for dynamic controllers")]
    KraftZero,
    /// Static voters with kraft.version 1.
    #[error(
        "kraft.version={0} goes without controller.quorum.voters; remove that setting and use --standalone or \
         --initial-controllers"
    )]
    KraftOne(i16),
}

/// Release and levels above 0 of all features.
pub(super) fn levels(plan: &Plan) -> Result<(MetadataVersion, BTreeMap<String, i16>), FeatureError> {
    let release = release(plan)?;
    let mut levels = BTreeMap::new();
    for (name, level) in &plan.features {
        let Some(feature) = find(name) else {
            let known: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
            return Err(FeatureError::Unknown { name: name.clone(), known: known.join(", ") });
        };
        if *level < 0 || *level > feature.max {
            return Err(FeatureError::Level { name: name.clone(), level: *level, max: feature.max });
        }
        levels.insert(name.clone(), *level);
    }
    levels.insert(KRAFT_VERSION.to_owned(), kraft_version(plan)?);
    for feature in FEATURES {
        let level = if release >= feature.needs { feature.max } else { 0 };
        levels.entry(feature.name.to_owned()).or_insert(level);
    }
    levels.insert(METADATA_VERSION.to_owned(), release.0);
    for (name, level) in &levels {
        let Some(feature) = find(name).filter(|feature| *level > 0 && release < feature.needs) else { continue };
        let needs = feature.needs.name().unwrap_or("a newer release").to_owned();
        return Err(FeatureError::Needs { name: name.clone(), level: *level, needs });
    }
    levels.retain(|_, level| *level > 0);
    Ok((release, levels))
}

fn release(plan: &Plan) -> Result<MetadataVersion, FeatureError> {
    match (&plan.release, plan.features.get(METADATA_VERSION)) {
        (Some(_), Some(_)) => Err(FeatureError::Ambiguous),
        (Some(text), None) => MetadataVersion::of_release(text).ok_or_else(|| FeatureError::Release(text.clone())),
        (None, Some(level)) => {
            let release = MetadataVersion(*level);
            release.name().map(|_| release).ok_or_else(|| FeatureError::Release(level.to_string()))
        }
        (None, None) => Ok(MetadataVersion::LATEST),
    }
}

/// 1 with dynamic voters, 0 with static ones.
fn kraft_version(plan: &Plan) -> Result<i16, FeatureError> {
    let dynamic = plan.quorum != Quorum::Static;
    match plan.features.get(KRAFT_VERSION) {
        Some(0) if dynamic => Err(FeatureError::KraftZero),
        Some(level) if *level > 0 && !dynamic => Err(FeatureError::KraftOne(*level)),
        Some(level) => Ok(*level),
        None => Ok(i16::from(dynamic)),
    }
}
