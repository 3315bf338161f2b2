//! A small blocking client: connections, who leads and who coordinates, offsets, groups and membership in them.

pub(crate) mod cluster;
pub(crate) mod groups;
pub(crate) mod link;
pub(crate) mod member;
pub(crate) mod offsets;

use crate::failure::{Failure, While};
use std::collections::BTreeMap;

/// The properties in a file, or none without one. Those that ask for security are refused: nobody may believe that a connection is
/// protected when it is not.
pub(crate) fn properties(file: Option<&str>) -> Result<BTreeMap<String, String>, Failure> {
    let Some(file) = file else { return Ok(BTreeMap::new()) };
    let text = std::fs::read_to_string(file).during(|| format!("read {file}"))?;
    let read = crate::properties::parse(&text).during(|| format!("read {file}"))?;
    check(&read)?;
    Ok(read)
}

/// Refuses properties that ask for a secured connection.
pub(crate) fn check(properties: &BTreeMap<String, String>) -> Result<(), Failure> {
    match properties.get("security.protocol").map(|protocol| protocol.trim()) {
        None | Some("PLAINTEXT") => Ok(()),
        Some(other) => {
            Err(Failure::new(format!("security.protocol={other} is not there yet: only PLAINTEXT is spoken")))
        }
    }
}
