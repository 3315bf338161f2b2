//! A broker's configuration from a properties file with overrides.

use crate::failure::{Failure, While};
use crate::properties;
use ottla_metadata::settings::BrokerConfig;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads a properties file, puts the overrides over it and checks every setting.
pub(crate) fn load(file: &Path, overrides: &[String]) -> Result<BrokerConfig, Failure> {
    let bytes = std::fs::read(file).during(|| format!("read {}", file.display()))?;
    // Kafka reads ISO-8859-1 with escapes; a file that is UTF-8 is understood as such.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
    let mut settings = properties::parse(&text).during(|| format!("read {}", file.display()))?;
    add(&mut settings, overrides)?;
    checked(&settings)
}

/// Puts `key=value` arguments over settings.
pub(crate) fn add(settings: &mut BTreeMap<String, String>, overrides: &[String]) -> Result<(), Failure> {
    for text in overrides {
        let (key, value) = properties::pair(text).during(|| "read --override".to_owned())?;
        settings.insert(key, value);
    }
    Ok(())
}

/// The configuration that settings make, or all that is wrong with them.
pub(crate) fn checked(settings: &BTreeMap<String, String>) -> Result<BrokerConfig, Failure> {
    BrokerConfig::parse(settings).map_err(|errors| Failure::new(errors.to_string()))
}
