//! The broker's configuration as coordinators go by it.

use ottla_coordinator::group::GroupSettings;
use ottla_coordinator::group::settings::{ConsumerSettings, Migration, OffsetSettings, Range};
use ottla_coordinator::runtime::RuntimeSettings;
use ottla_metadata::settings::config::groups::{ConsumerGroupsConfig, DurationRange, GroupsConfig};
use ottla_metadata::settings::{Layers, group_config};
use ottla_metadata::{ConfigResource, Image};
use ottla_wire::codec::{Codec, Compression};

fn range(range: DurationRange) -> Range {
    Range { min: range.min, max: range.max }
}

/// Says which of these groups have settings that the broker's bounds no longer allow: the nearest bound holds instead.
pub(crate) fn warn_of_bounds<'a>(
    layers: &Layers<'_>,
    image: &Image,
    resources: impl Iterator<Item = &'a ConfigResource>,
) {
    for resource in resources.filter(|resource| resource.kind == ConfigResource::GROUP) {
        let Some(own) = image.configs(resource) else { continue };
        for group_config::Exceeding { name, value, holds } in group_config::exceeding(layers, own) {
            tracing::warn!(group = %resource.name, "{name}={value} is beyond the bounds of this broker: {holds} holds");
        }
    }
}

/// What groups go by.
pub(super) fn groups(config: &GroupsConfig) -> GroupSettings {
    GroupSettings {
        classic_session: range(config.classic_session),
        initial_rebalance_delay: config.initial_rebalance_delay,
        classic_size_max: config.classic_size_max,
        consumer: consumer(&config.consumer),
        offsets: OffsetSettings {
            metadata_bytes_max: config.offsets.metadata_bytes_max,
            retention: config.offsets.retention,
            check_interval: config.offsets.check_interval,
        },
    }
}

fn consumer(config: &ConsumerGroupsConfig) -> ConsumerSettings {
    ConsumerSettings {
        session: config.session,
        session_range: range(config.session_range),
        heartbeat: config.heartbeat,
        heartbeat_range: range(config.heartbeat_range),
        size_max: config.size_max,
        assignors: config.assignors.clone(),
        migration: match config.migration.as_str() {
            "disabled" => Migration::Disabled,
            "upgrade" => Migration::Upgrade,
            "downgrade" => Migration::Downgrade,
            _ => Migration::Bidirectional,
        },
        assignment_interval: config.assignment_interval,
        assignment_interval_range: range(config.assignment_interval_range),
        regex_refresh: config.regex_refresh,
    }
}

/// What their runtimes go by, for a topic whose batches may have so many bytes.
pub(super) fn runtime(config: &GroupsConfig, batch_bytes_max: usize) -> RuntimeSettings {
    RuntimeSettings {
        linger: config.append_linger,
        commit_timeout: config.offsets.commit_timeout,
        compression: Compression::of(Codec::from_id(config.offsets.topic_codec).unwrap_or(Codec::None)),
        batch_bytes_max,
    }
}
