//! The settings of one group: what a user may give it, and which of its values hold under the bounds of the broker.

use std::collections::BTreeSet;

use ottla_host::setting::{Effect, Fault, Value};

use super::describe::{Configs, Layers};
use super::duration::is_duration;
use super::group::{Bounds, GroupSetting, ROWS};

/// Session and heartbeat of each kind of group: the first must be longer.
const SESSIONS: [(&str, &str); 3] = [
    ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];
const TAGS: &str = "streams.rack.aware.assignment.tags";
const ASSIGNOR: &str = "streams.assignor.name";
const RESET: &str = "share.auto.offset.reset";
const DEAD_LETTERS: &str = "errors.deadletterqueue.topic.name";

/// The group setting of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static GroupSetting> {
    ROWS.iter().find(|row| row.setting.name == name)
}

/// A value that lies outside what the broker allows by now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exceeding {
    /// Name of the setting.
    pub name: &'static str,
    /// What the group was given.
    pub value: i64,
    /// What holds instead: the nearest bound.
    pub holds: i64,
}

/// Values of a group that hold no longer as they were given, since the broker's bounds have changed.
#[must_use]
pub fn exceeding(layers: &Layers<'_>, own: &Configs) -> Vec<Exceeding> {
    let rows = ROWS.iter().filter(|row| row.setting.effect == Effect::Honoured);
    let given = rows.filter_map(|row| Some((row, number(row, own.get(row.setting.name)?)?)));
    given
        .map(|(row, value)| Exceeding { name: row.setting.name, value, holds: within(layers, row.bounds, value) })
        .filter(|one| one.holds != one.value)
        .collect()
}

/// Checks the settings that a user wants to give a group.
///
/// # Errors
/// What is wrong with the first bad one, in Kafka's words.
pub fn check_overrides(layers: &Layers<'_>, overrides: &Configs) -> Result<(), Fault> {
    if let Some(name) = overrides.keys().find(|name| find(name).is_none()) {
        return Err(Fault(format!("Unknown group config name: {name}")));
    }
    check_tags(overrides)?;
    let given: Vec<_> = ROWS.iter().filter_map(|row| Some((row, overrides.get(row.setting.name)?))).collect();
    for (row, text) in &given {
        row.setting.check(text)?;
        check_reset(row, text)?;
    }
    for (row, text) in &given {
        check_bounds(layers, row, number(row, text))?;
    }
    check_assignor(layers, overrides)?;
    for (session, heartbeat) in SESSIONS {
        check_session(layers, overrides, session, heartbeat)?;
    }
    if overrides.get(DEAD_LETTERS).is_some_and(|topic| topic.trim().starts_with("__")) {
        return Err(Fault(format!("{DEAD_LETTERS}: DLQ topic name must not start with '__'")));
    }
    Ok(())
}

fn check_tags(overrides: &Configs) -> Result<(), Fault> {
    let text = overrides.get(TAGS).map_or("", |text| text.trim());
    if text.is_empty() {
        return Ok(());
    }
    let tags: Vec<&str> = text.split(',').map(str::trim).collect();
    if tags.iter().collect::<BTreeSet<_>>().len() != tags.len() {
        return Err(Fault(format!("{TAGS} must not contain duplicate tag keys.")));
    }
    if tags.contains(&"") {
        return Err(Fault(format!("Configuration '{TAGS}' values must not be empty.")));
    }
    Ok(())
}

fn check_reset(row: &GroupSetting, text: &str) -> Result<(), Fault> {
    let text = text.trim();
    let is_known = matches!(text, "earliest" | "latest") || text.strip_prefix("by_duration:").is_some_and(is_duration);
    if row.setting.name != RESET || is_known {
        return Ok(());
    }
    Err(Fault(format!(
        "Invalid value {text} for configuration {RESET}: Invalid value `{text}` for configuration {RESET}. The value must \
         be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
    )))
}

fn check_bounds(layers: &Layers<'_>, row: &GroupSetting, value: Option<i64>) -> Result<(), Fault> {
    let name = row.setting.name;
    let Some(value) = value.filter(|value| within(layers, row.bounds, *value) != *value) else { return Ok(()) };
    let bound = |of| layers.broker_number(of).unwrap_or(value);
    Err(Fault(match row.bounds {
        Bounds::Free => return Ok(()),
        Bounds::Between(min, max) => {
            format!("{name} must be in the range {} to {} inclusive.", bound(min), bound(max))
        }
        Bounds::AtLeast(min) => format!("{name} must be greater than or equal to {}", bound(min)),
        Bounds::AtMost(max) => format!("{name} must be less than or equal to {}", bound(max)),
    }))
}

/// The value, or the nearest one that the broker allows.
fn within(layers: &Layers<'_>, bounds: Bounds, value: i64) -> i64 {
    let bound = |of| layers.broker_number(of).unwrap_or(value);
    match bounds {
        Bounds::Free => value,
        Bounds::Between(min, max) => value.max(bound(min)).min(bound(max)),
        Bounds::AtLeast(min) => value.max(bound(min)),
        Bounds::AtMost(max) => value.min(bound(max)),
    }
}

fn check_assignor(layers: &Layers<'_>, overrides: &Configs) -> Result<(), Fault> {
    let Some(name) = overrides.get(ASSIGNOR).map(|name| name.trim()) else { return Ok(()) };
    let text = layers.broker_value("group.streams.assignors").unwrap_or_default();
    let known: Vec<&str> = text.split(',').map(str::trim).collect();
    if known.contains(&name) {
        return Ok(());
    }
    Err(Fault(format!(
        "{ASSIGNOR} '{name}' is not a registered task assignor. Registered assignors are: [{}].",
        known.join(", ")
    )))
}

fn check_session(
    layers: &Layers<'_>,
    overrides: &Configs,
    session: &'static str,
    heartbeat: &'static str,
) -> Result<(), Fault> {
    if ![session, heartbeat].iter().any(|name| overrides.contains_key(*name)) {
        return Ok(());
    }
    let holds = |name| {
        let row = find(name)?;
        number(row, &layers.group_value(row, Some(overrides))?)
    };
    if holds(session) > holds(heartbeat) {
        return Ok(());
    }
    Err(Fault(format!("{session} must be greater than {heartbeat}")))
}

/// The number that a valid text stands for.
fn number(row: &GroupSetting, text: &str) -> Option<i64> {
    match row.setting.check(text) {
        Ok(Value::Number(number)) => Some(number),
        Ok(Value::Boolean(_) | Value::Fraction(_) | Value::Text(_) | Value::List(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
