//! Settings are changed one by one (KIP-339).

use std::collections::BTreeSet;

use ottla_host::setting::{Kind, Reach, Setting};
use ottla_messages::records::metadata::{ClearElrRecord, ConfigRecord, MetadataRecord};
use ottla_wire::error::ErrorCode;
use ottla_wire::ids::BrokerId;

use super::names::check_topic_name;
use super::{Answer, Controller, Decision, Refusal, Repeated, Repeats};
use crate::image::{ConfigResource, Image};
use crate::settings::describe::Configs;
use crate::settings::{broker, group_config, topic_config};

/// Longest value that a setting may have, which Kafka's records can carry.
const VALUE_BYTES_MAX: usize = i16::MAX as usize;
/// The setting that says which eligible leaders are left (KIP-966).
const MIN_INSYNC: &str = "min.insync.replicas";

/// What to do with one setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigOperation {
    /// Give it this value.
    Set,
    /// Take its value away.
    Delete,
    /// Add to its list.
    Append,
    /// Take out of its list.
    Subtract,
}

/// Changes of one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigChange {
    /// What the settings belong to.
    pub resource: ConfigResource,
    /// Setting, operation and its value.
    pub operations: Vec<(String, ConfigOperation, Option<String>)>,
}

/// Decides about every resource; one that is refused keeps none of the others back.
pub(super) fn alter(controller: &Controller, image: &Image, changes: &[ConfigChange]) -> Decision {
    let mut records = Vec::new();
    let mut outcomes = Vec::new();
    let mut repeats = Repeats::of(changes.iter().map(|change| &change.resource));
    for change in changes {
        let outcome = match repeats.first(&&change.resource) {
            None => continue,
            Some(Repeated::Yes) => {
                Err(Refusal::new(ErrorCode::INVALID_REQUEST, "Each resource must appear at most once."))
            }
            Some(Repeated::No) => alter_one(controller, image, change),
        };
        outcomes.push((change.resource.clone(), outcome.map(|made| records.extend(made))));
    }
    Decision { records, answer: Answer::Configs(outcomes) }
}

fn wrong(text: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_CONFIG, text)
}

fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, text)
}

fn alter_one(
    controller: &Controller,
    image: &Image,
    change: &ConfigChange,
) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
    let resource = &change.resource;
    check_operations(&change.operations)?;
    let before = image.configs(resource).map(|configs| (**configs).clone()).unwrap_or_default();
    let mut after = before.clone();
    for (name, operation, value) in &change.operations {
        apply(resource, &mut after, (name, *operation, value.as_deref().unwrap_or_default()))?;
    }
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<_> = names.into_iter().filter(|name| before.get(*name) != after.get(*name)).collect();
    if changed.iter().filter_map(|name| after.get(*name)).any(|value| value.len() > VALUE_BYTES_MAX) {
        return Err(wrong(format!(
            "The configuration value cannot be added because it exceeds the maximum value size of {VALUE_BYTES_MAX} bytes."
        )));
    }
    check_name(resource)?;
    check(controller, image, resource, (&before, &after))?;
    check_exists(image, resource)?;
    let mut records: Vec<_> = changed.iter().map(|name| record(resource, name, after.get(*name))).collect();
    if has_elr(image) && changed.iter().any(|name| *name == MIN_INSYNC) {
        records.push(clear_elr(resource));
    }
    Ok(records)
}

fn check_operations(operations: &[(String, ConfigOperation, Option<String>)]) -> Result<(), Refusal> {
    let names: BTreeSet<&String> = operations.iter().map(|(name, ..)| name).collect();
    if names.len() != operations.len() {
        return Err(invalid("Error due to duplicate config keys"));
    }
    let lacking =
        operations.iter().filter(|(_, operation, value)| value.is_none() && *operation != ConfigOperation::Delete);
    let lacking: Vec<&str> = lacking.map(|(name, ..)| name.as_str()).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("Null value not supported for : {}", lacking.join(", "))))
}

fn record(resource: &ConfigResource, name: &str, value: Option<&String>) -> MetadataRecord<'static> {
    MetadataRecord::Config(ConfigRecord {
        resource_type: resource.kind,
        resource_name: resource.name.to_string().into(),
        name: name.to_owned().into(),
        value: value.cloned().map(Into::into),
    })
}

/// Whether leaders may be elected that are not in sync (KIP-966).
fn has_elr(image: &Image) -> bool {
    image.feature("eligible.leader.replicas.version") > 0
}

/// Who was eligible under the former number of in-sync replicas need not be under the new one.
fn clear_elr(resource: &ConfigResource) -> MetadataRecord<'static> {
    let is_topic = resource.kind == ConfigResource::TOPIC;
    let topic_name = if is_topic { resource.name.to_string().into() } else { "".into() };
    MetadataRecord::ClearElr(ClearElrRecord { topic_name })
}

fn check_name(resource: &ConfigResource) -> Result<(), Refusal> {
    let name = &*resource.name;
    match resource.kind {
        ConfigResource::TOPIC if name.is_empty() => Err(invalid("Default topic resources are not allowed.")),
        ConfigResource::TOPIC => {
            check_topic_name(name).map_err(|text| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text))
        }
        ConfigResource::GROUP if name.is_empty() => Err(invalid("Default group resources are not allowed.")),
        ConfigResource::GROUP => Ok(()),
        ConfigResource::BROKER if name.is_empty() => Ok(()),
        ConfigResource::BROKER => match name.parse::<i32>() {
            Ok(id) if id >= 0 => Ok(()),
            Ok(_) => Err(invalid("Invalid negative broker ID.")),
            Err(_) => Err(invalid("Unable to parse broker name as a base 10 number.")),
        },
        ConfigResource::LOGGER => {
            Err(invalid("The log levels of a running broker cannot be changed: set OTTLA_LOG and restart it."))
        }
        ConfigResource::CLIENT_METRICS => Err(invalid("Metrics of clients are not collected in this release.")),
        kind => Err(invalid(format!("Unknown resource type {kind}"))),
    }
}

/// Groups have settings before they have members.
fn check_exists(image: &Image, resource: &ConfigResource) -> Result<(), Refusal> {
    let name = &*resource.name;
    match resource.kind {
        ConfigResource::TOPIC if image.topic(name).is_none() => {
            let text = format!("The topic '{name}' does not exist.");
            Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text))
        }
        ConfigResource::BROKER => {
            let absent = name.parse().ok().filter(|id| image.broker(BrokerId(*id)).is_none());
            let text = |id| format!("No node with id {id} found.");
            absent.map_or(Ok(()), |id| Err(Refusal::new(ErrorCode::BROKER_ID_NOT_REGISTERED, text(id))))
        }
        _ => Ok(()),
    }
}

fn apply(
    resource: &ConfigResource,
    configs: &mut Configs,
    (name, operation, value): (&str, ConfigOperation, &str),
) -> Result<(), Refusal> {
    let word = match operation {
        ConfigOperation::Set => {
            configs.insert(name.to_owned(), value.to_owned());
            return Ok(());
        }
        ConfigOperation::Delete => {
            configs.remove(name);
            return Ok(());
        }
        ConfigOperation::Append => "APPEND",
        ConfigOperation::Subtract => "SUBTRACT",
    };
    let Some(setting) = splittable(resource, name) else {
        return Err(wrong(format!("Can't {word} to key {name} because its type is not LIST.")));
    };
    let before = configs.get(name).map(String::as_str).or(setting.default.text()).unwrap_or_default();
    let mut items = split(before);
    for item in split(value) {
        match operation {
            ConfigOperation::Append if items.contains(&item) => {}
            ConfigOperation::Append => items.push(item),
            ConfigOperation::Set | ConfigOperation::Delete | ConfigOperation::Subtract => {
                items.retain(|other| *other != item);
            }
        }
    }
    let joined = items.join(",");
    configs.insert(name.to_owned(), joined);
    Ok(())
}

/// The list setting of this name; Kafka takes no setting of a group for one.
fn splittable(resource: &ConfigResource, name: &str) -> Option<&'static Setting> {
    let setting = match resource.kind {
        ConfigResource::TOPIC => topic_config::find(name).map(|row| &row.setting),
        ConfigResource::BROKER => broker::find(name),
        _ => None,
    };
    setting.filter(|setting| setting.kind == Kind::List)
}

fn split(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}

fn check(
    controller: &Controller,
    image: &Image,
    resource: &ConfigResource,
    (before, after): (&Configs, &Configs),
) -> Result<(), Refusal> {
    let layers = controller.layers(image);
    let checked = match resource.kind {
        ConfigResource::TOPIC => topic_config::check_overrides(&layers, after),
        ConfigResource::GROUP => group_config::check_overrides(&layers, after),
        _ => {
            if has_elr(image) {
                check_min_insync(resource, (before.get(MIN_INSYNC), after.get(MIN_INSYNC)))?;
            }
            let mut changed = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
            return changed.try_for_each(|(name, value)| check_broker(name, value));
        }
    };
    checked.map_err(|fault| wrong(fault.to_string()))
}

/// With eligible leaders, the cluster as a whole says how many replicas must be in sync (KIP-966).
fn check_min_insync(
    resource: &ConfigResource,
    (before, after): (Option<&String>, Option<&String>),
) -> Result<(), Refusal> {
    let is_cluster = resource.name.is_empty();
    if before == after || (is_cluster && after.is_some()) {
        return Ok(());
    }
    let (level, done) = if is_cluster { ("Cluster", "removed") } else { ("Broker", "altered") };
    Err(wrong(format!("{level}-level {MIN_INSYNC} cannot be {done} while ELR is enabled.")))
}

fn check_broker(name: &str, value: &str) -> Result<(), Refusal> {
    let setting = broker::find(name).ok_or_else(|| wrong(format!("Unknown broker setting {name}")))?;
    if setting.reach == Reach::ReadOnly {
        return Err(invalid(format!("Cannot update these configs dynamically: {name}")));
    }
    if !topic_config::follows(name) {
        return Err(invalid(format!(
            "{name} cannot be changed while the broker runs in this release: set it in the broker's file and restart it."
        )));
    }
    setting.check(value).map(drop).map_err(|fault| wrong(fault.to_string()))
}
