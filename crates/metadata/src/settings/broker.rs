//! The settings of a broker, by what they are about.

mod cluster;
mod groups;
mod logs;
mod network;
mod observation;
mod security;
mod shares;
mod tiered;
mod topics;
mod transactions;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ottla_host::setting::Setting;

const TABLES: &[&[Setting]] = &[
    cluster::ROWS,
    network::ROWS,
    topics::ROWS,
    logs::ROWS,
    groups::ROWS,
    shares::ROWS,
    transactions::ROWS,
    tiered::ROWS,
    security::ROWS,
    observation::ROWS,
];

/// Every broker setting.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The rows by name; settings are looked up for every topic.
static BY_NAME: LazyLock<BTreeMap<&str, &Setting>> =
    LazyLock::new(|| all().map(|setting| (setting.name, setting)).collect());

/// The setting of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    BY_NAME.get(name).copied()
}

/// The names under which a setting may be given, best first: Kafka's shorter units win over the longer ones.
#[must_use]
pub fn synonyms(name: &'static str) -> &'static [&'static str] {
    const ROLL: &[&str] = &["log.roll.ms", "log.roll.hours"];
    const JITTER: &[&str] = &["log.roll.jitter.ms", "log.roll.jitter.hours"];
    const RETENTION: &[&str] = &["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    const FLUSH: &[&str] = &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];
    for family in [ROLL, JITTER, RETENTION] {
        if family.contains(&name) {
            return family;
        }
    }
    if name == FLUSH[0] { FLUSH } else { &[] }
}
