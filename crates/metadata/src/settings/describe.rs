//! Where a setting's value comes from: the layers, best first, as DescribeConfigs shows them (KIP-226).

use std::collections::BTreeMap;

use ottla_host::setting::{Default as SettingDefault, Kind, Setting};

use super::Conversion;
use super::broker;
use super::group::GroupSetting;
use super::topic::TopicSetting;

/// Values by name, as the user wrote them.
pub type Configs = BTreeMap<String, String>;

/// Where values may come from; absent layers are empty.
#[derive(Clone, Default, Debug)]
pub struct Layers<'a> {
    /// Overrides of the topic.
    pub topic: Option<&'a Configs>,
    /// Changed for this broker while it runs.
    pub broker: Option<&'a Configs>,
    /// Changed for all brokers while they run.
    pub cluster: Option<&'a Configs>,
    /// The broker's own file.
    pub file: Option<&'a Configs>,
}

/// Source of a value, with the number that DescribeConfigs gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum Source {
    /// An override of the topic.
    Topic = 1,
    /// Changed for one broker.
    DynamicBroker = 2,
    /// Changed for all brokers.
    DynamicDefaultBroker = 3,
    /// The broker's file.
    StaticBroker = 4,
    /// The table's default.
    Default = 5,
    /// A setting of the group's own.
    Group = 8,
}

/// One place that has a value for a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synonym {
    /// Name used there.
    pub name: &'static str,
    /// Value there; None when it must not be shown.
    pub value: Option<String>,
    /// Which place.
    pub source: Source,
}

/// A setting with its value and where that comes from.
#[derive(Clone, PartialEq, Debug)]
pub struct Described {
    /// Name of the setting.
    pub name: &'static str,
    /// Type of the setting.
    pub kind: Kind,
    /// Value that holds; None for none or one that must not be shown.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Every place that has a value, best first.
    pub synonyms: Vec<Synonym>,
    /// It cannot be changed while the broker runs.
    pub read_only: bool,
    /// It must not be shown.
    pub sensitive: bool,
    /// Text for people.
    pub doc: String,
}

impl Layers<'_> {
    fn ranked(&self) -> [(Option<&Configs>, Source); 3] {
        [
            (self.broker, Source::DynamicBroker),
            (self.cluster, Source::DynamicDefaultBroker),
            (self.file, Source::StaticBroker),
        ]
    }

    fn broker_text(&self, name: &str) -> Option<&str> {
        self.ranked().into_iter().find_map(|(layer, _)| layer?.get(name)).map(String::as_str)
    }

    /// The text that holds for a topic setting, None when nobody gives one.
    #[must_use]
    pub fn topic_value(&self, row: &TopicSetting) -> Option<String> {
        if let Some(text) = self.topic.and_then(|topic| topic.get(row.setting.name)) {
            return Some(text.clone());
        }
        let given = |(name, conversion): &(&'static str, Conversion)| Some(conversion.apply(self.broker_text(name)?));
        let default = |(name, conversion): &(&'static str, Conversion)| {
            Some(conversion.apply(broker::find(name)?.default.text()?))
        };
        let synonyms = row.synonyms.iter();
        synonyms
            .clone()
            .find_map(given)
            .or_else(|| synonyms.clone().find_map(default))
            .or_else(|| own_default(&row.setting))
    }

    /// The text that holds for a broker setting, None when nobody gives one.
    pub(super) fn broker_value(&self, name: &str) -> Option<String> {
        self.broker_text(name).map(str::to_owned).or_else(|| own_default(broker::find(name)?))
    }

    /// The number that holds for a broker setting, None for a setting that is none.
    pub(super) fn broker_number(&self, name: &str) -> Option<i64> {
        self.broker_value(name)?.trim().parse().ok()
    }

    /// The text that holds for a setting of a group that has these of its own.
    pub(super) fn group_value(&self, row: &GroupSetting, own: Option<&Configs>) -> Option<String> {
        let given = own.and_then(|own| own.get(row.setting.name)).cloned();
        let broker = || {
            let text = self.broker_value(row.synonym?)?;
            // Where a broker has a list, a group without a choice of its own gets the first.
            let is_list = row.setting.kind != Kind::List && broker::find(row.synonym?)?.kind == Kind::List;
            Some(if is_list { text.split(',').next()?.trim().to_owned() } else { text })
        };
        given.or_else(broker).or_else(|| own_default(&row.setting))
    }

    /// A setting of a group that has these of its own, as DescribeConfigs shows it.
    #[must_use]
    pub fn describe_group(&self, row: &GroupSetting, own: Option<&Configs>) -> Described {
        let name = row.setting.name;
        let value = self.group_value(row, own).map(|text| normal(&row.setting, &text));
        let mut synonyms = Vec::new();
        if own.is_some_and(|own| own.contains_key(name)) {
            synonyms.push(Synonym { name, value: value.clone(), source: Source::Group });
        }
        match row.synonym {
            Some(synonym) => synonyms.extend(self.broker_synonyms(synonym, false)),
            None => {
                let default = own_default(&row.setting);
                synonyms.extend(default.map(|text| Synonym { name, value: Some(text), source: Source::Default }));
            }
        }
        described(&row.setting, value, synonyms, false)
    }

    /// A topic setting as DescribeConfigs shows it.
    #[must_use]
    pub fn describe_topic(&self, row: &TopicSetting) -> Described {
        let value = self.topic_value(row).map(|text| normal(&row.setting, &text));
        let mut synonyms = Vec::new();
        if self.topic.is_some_and(|topic| topic.contains_key(row.setting.name)) {
            synonyms.push(Synonym { name: row.setting.name, value: value.clone(), source: Source::Topic });
        }
        if let Some((first, _)) = row.synonyms.first() {
            synonyms.extend(self.broker_synonyms(first, false));
        }
        described(&row.setting, value, synonyms, false)
    }

    /// A broker setting as DescribeConfigs shows it.
    #[must_use]
    pub fn describe_broker(&self, setting: &'static Setting) -> Described {
        let sensitive = setting.kind == Kind::Password;
        let given = self.broker_value(setting.name);
        let value = given.map(|text| normal(setting, &text)).filter(|_| !sensitive);
        let synonyms = self.broker_synonyms(setting.name, sensitive);
        let read_only = setting.reach == ottla_host::setting::Reach::ReadOnly;
        described(setting, value, synonyms, read_only)
    }

    /// Every place that has a value for the setting. Places of a longer unit that stand before the first of the
    /// setting's own name are left out, as Kafka does.
    fn broker_synonyms(&self, name: &'static str, sensitive: bool) -> Vec<Synonym> {
        let family = broker::synonyms(name);
        let names = if family.is_empty() { vec![name] } else { family.to_vec() };
        let mut all = Vec::new();
        for (layer, source) in self.ranked() {
            for &name in &names {
                if let Some(text) = layer.and_then(|layer| layer.get(name)) {
                    all.push(Synonym { name, value: Some(text.clone()).filter(|_| !sensitive), source });
                }
            }
        }
        for &name in &names {
            if let Some(text) = broker::find(name).and_then(own_default) {
                all.push(Synonym { name, value: Some(text).filter(|_| !sensitive), source: Source::Default });
            }
        }
        all.into_iter().skip_while(|synonym| synonym.name != name).collect()
    }
}

fn own_default(setting: &Setting) -> Option<String> {
    match setting.default {
        SettingDefault::Text(text) => Some(text.to_owned()),
        SettingDefault::Null | SettingDefault::Required => None,
    }
}

fn normal(setting: &Setting, text: &str) -> String {
    setting.check(text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}

fn described(setting: &Setting, value: Option<String>, synonyms: Vec<Synonym>, read_only: bool) -> Described {
    let source = synonyms.first().map_or(Source::Default, |first| first.source);
    let sensitive = setting.kind == Kind::Password;
    Described {
        name: setting.name,
        kind: setting.kind,
        value,
        source,
        synonyms,
        read_only,
        sensitive,
        doc: setting.help(),
    }
}
