//! Settings are changed one by one (KIP-339).

use ottla_host::setting::{Kind, Reach};
use ottla_messages::records::metadata::{ConfigRecord, MetadataRecord};
use ottla_wire::error::ErrorCode;

use super::names::check_topic_name;
use super::{Answer, Controller, Decision, Refusal, Repeated, Repeats};
use crate::image::{ConfigResource, Image};
use crate::settings::describe::Configs;
use crate::settings::{broker, topic_config};

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

fn alter_one(
    controller: &Controller,
    image: &Image,
    change: &ConfigChange,
) -> Result<Vec<MetadataRecord<'static>>, Refusal> {
    check_resource(image, &change.resource)?;
    let before = image.configs(&change.resource).map(|configs| (**configs).clone()).unwrap_or_default();
    let mut after = before.clone();
    for (name, operation, value) in &change.operations {
        apply(&change.resource, &mut after, (name, *operation, value.as_deref()))?;
    }
    check(controller, image, &change.resource, &before, &after)?;
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    Ok(changed.map(|name| record(&change.resource, name, after.get(name))).collect())
}

fn record(resource: &ConfigResource, name: &str, value: Option<&String>) -> MetadataRecord<'static> {
    MetadataRecord::Config(ConfigRecord {
        resource_type: resource.kind,
        resource_name: resource.name.to_string().into(),
        name: name.to_owned().into(),
        value: value.cloned().map(Into::into),
    })
}

fn check_resource(image: &Image, resource: &ConfigResource) -> Result<(), Refusal> {
    let refused = |text: String| Err(Refusal::new(ErrorCode::INVALID_REQUEST, text));
    match resource.kind {
        ConfigResource::TOPIC if resource.name.is_empty() => {
            refused("Default topic resources are not allowed.".to_owned())
        }
        ConfigResource::TOPIC => {
            check_topic_name(&resource.name).map_err(|text| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text))?;
            image.topic(&resource.name).ok_or_else(|| {
                let text = format!("The topic '{}' does not exist.", resource.name);
                Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text)
            })?;
            Ok(())
        }
        ConfigResource::BROKER if resource.name.is_empty() => Ok(()),
        ConfigResource::BROKER => match resource.name.parse::<i32>() {
            Ok(id) if id >= 0 => Ok(()),
            Ok(_) => refused("Invalid negative broker ID.".to_owned()),
            Err(_) => refused("Unable to parse broker name as a base 10 number.".to_owned()),
        },
        kind => refused(format!("Unknown resource type {kind}")),
    }
}

fn apply(
    resource: &ConfigResource,
    configs: &mut Configs,
    (name, operation, value): (&str, ConfigOperation, Option<&str>),
) -> Result<(), Refusal> {
    let wrong = |text: String| Refusal::new(ErrorCode::INVALID_CONFIG, text);
    let needed = || value.ok_or_else(|| wrong(format!("Null value not supported for the setting {name}")));
    match operation {
        ConfigOperation::Set => drop(configs.insert(name.to_owned(), needed()?.to_owned())),
        ConfigOperation::Delete => drop(configs.remove(name)),
        ConfigOperation::Append | ConfigOperation::Subtract => {
            if kind_of(resource, name) != Some(Kind::List) {
                return Err(wrong(format!("Can't {operation:?} to key {name} because its type is not LIST.")));
            }
            let given = needed()?;
            let mut items: Vec<&str> =
                configs.get(name).map(|text| split(text)).unwrap_or_else(|| default_items(resource, name));
            for item in split(given) {
                items.retain(|other| *other != item);
                if operation == ConfigOperation::Append {
                    items.push(item);
                }
            }
            let joined = items.join(",");
            configs.insert(name.to_owned(), joined);
        }
    }
    Ok(())
}

/// What a list setting holds that nobody has changed yet.
fn default_items(resource: &ConfigResource, name: &str) -> Vec<&'static str> {
    let setting = match resource.kind {
        ConfigResource::TOPIC => topic_config::find(name).map(|row| &row.setting),
        _ => broker::find(name),
    };
    setting.and_then(|setting| setting.default.text()).map(split).unwrap_or_default()
}

fn split(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
}

fn kind_of(resource: &ConfigResource, name: &str) -> Option<Kind> {
    match resource.kind {
        ConfigResource::TOPIC => topic_config::find(name).map(|row| row.setting.kind),
        _ => broker::find(name).map(|setting| setting.kind),
    }
}

fn check(
    controller: &Controller,
    image: &Image,
    resource: &ConfigResource,
    before: &Configs,
    after: &Configs,
) -> Result<(), Refusal> {
    let wrong = |text: String| Refusal::new(ErrorCode::INVALID_CONFIG, text);
    if resource.kind == ConfigResource::TOPIC {
        let checked = topic_config::check_overrides(&controller.layers(image), after);
        return checked.map_err(|fault| wrong(fault.to_string()));
    }
    for (name, value) in after.iter().filter(|(name, value)| before.get(*name) != Some(*value)) {
        let setting = broker::find(name).ok_or_else(|| wrong(format!("Unknown broker setting {name}")))?;
        if setting.reach == Reach::ReadOnly {
            return Err(Refusal::new(
                ErrorCode::INVALID_REQUEST,
                format!("Cannot update these configs dynamically: {name}"),
            ));
        }
        setting.check(value).map_err(|fault| wrong(fault.to_string()))?;
    }
    Ok(())
}
