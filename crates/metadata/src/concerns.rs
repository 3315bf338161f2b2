//! What a cluster holds that this release does not do: what must stop the start, and what the user should hear of.

use ottla_host::setting::Effect;

use crate::features;
use crate::image::{ConfigResource, Image};
use crate::settings::topic_config;

/// What was found in the metadata of a cluster that another release, or Apache Kafka, may have written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Concerns {
    /// Reasons not to start.
    pub fatal: Vec<String>,
    /// What goes on without, one sentence each.
    pub warnings: Vec<String>,
}

/// Looks through the metadata of a cluster.
#[must_use]
pub fn look(image: &Image) -> Concerns {
    let mut concerns = Concerns::default();
    look_at_features(image, &mut concerns);
    look_at_topics(image, &mut concerns);
    let quotas = image.quota_count();
    if quotas > 0 {
        concerns
            .warnings
            .push(format!("{quotas} client quotas are kept but not enforced: there are no quotas in this release"));
    }
    concerns
}

fn look_at_features(image: &Image, concerns: &mut Concerns) {
    for (name, level) in image.features() {
        match features::find(name) {
            None => concerns.fatal.push(format!(
                "the cluster has finalized the feature {name} at level {level}, which this release does not know: start the \
                 release that wrote it"
            )),
            Some(feature) if *level > feature.known || *level < feature.min => concerns.fatal.push(format!(
                "the cluster has finalized the feature {name} at level {level}, this release works with {} to {}: start a \
                 release that has it",
                feature.min, feature.known
            )),
            Some(feature) if *level > feature.max => concerns.warnings.push(format!(
                "the cluster has finalized the feature {name} at level {level}: it is kept, but not served by this release"
            )),
            Some(_) => {}
        }
    }
}

fn look_at_topics(image: &Image, concerns: &mut Concerns) {
    for (resource, configs) in image.all_configs().filter(|(resource, _)| resource.kind == ConfigResource::TOPIC) {
        for (name, text) in configs.iter() {
            let Some(row) = topic_config::find(name) else { continue };
            let Effect::Refused(remedy) = row.setting.effect else { continue };
            if row.setting.default.text() == Some(text.trim()) {
                continue;
            }
            let said = format!("topic {} has {name}={text}, which is not honoured: {remedy}", resource.name);
            // Records that lie in object storage alone would seem to be lost.
            if name == "remote.storage.enable" {
                concerns.fatal.push(said);
            } else {
                concerns.warnings.push(said);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::look;
    use crate::image::Image;
    use ottla_messages::records::metadata::{ConfigRecord, FeatureLevelRecord, MetadataRecord};

    fn feature(name: &str, level: i16) -> MetadataRecord<'static> {
        MetadataRecord::FeatureLevel(FeatureLevelRecord { name: name.to_owned().into(), feature_level: level })
    }

    fn setting(name: &str, value: &str) -> MetadataRecord<'static> {
        MetadataRecord::Config(ConfigRecord {
            resource_type: 2,
            resource_name: "t".into(),
            name: name.to_owned().into(),
            value: Some(value.to_owned().into()),
        })
    }

    fn image(records: &[MetadataRecord<'_>]) -> Image {
        let mut image = Image::default();
        image.apply(records).unwrap();
        image
    }

    #[test]
    fn what_kafka_4_4_finalizes_is_kept_with_a_warning() {
        let concerns = look(&image(&[feature("metadata.version", 33), feature("share.version", 1)]));
        assert_eq!(concerns.fatal, Vec::<String>::new());
        assert_eq!(concerns.warnings.len(), 1);
        assert!(concerns.warnings[0].contains("share.version"));
    }

    #[test]
    fn unknown_features_and_levels_stop_the_start_by_name() {
        let concerns = look(&image(&[feature("metadata.version", 34), feature("new.version", 1)]));
        assert!(concerns.fatal[0].contains("metadata.version at level 34"), "{concerns:?}");
        assert!(concerns.fatal[1].contains("new.version"), "{concerns:?}");
        assert_eq!(look(&image(&[feature("metadata.version", 6)])).fatal.len(), 1);
    }

    #[test]
    fn tiered_topics_stop_the_start() {
        let concerns = look(&image(&[setting("remote.storage.enable", "true"), setting("retention.ms", "5")]));
        assert!(concerns.fatal[0].starts_with("topic t has remote.storage.enable=true"), "{concerns:?}");
        assert_eq!((concerns.fatal.len(), concerns.warnings.len()), (1, 0));
    }
}
