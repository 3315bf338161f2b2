//! A group's own settings, within the bounds that the broker sets.

use super::decide::World;
use crate::group::settings::Range;
use ottla_metadata::ConfigResource;
use std::sync::Arc;
use std::time::Duration;

fn own(world: World<'_>, group: &Arc<str>, name: &str) -> Option<Duration> {
    let resource = ConfigResource { kind: ConfigResource::GROUP, name: Arc::clone(group) };
    let configs = world.image.configs(&resource)?;
    configs.get(name)?.trim().parse().ok().map(Duration::from_millis)
}

fn within(value: Duration, range: Range) -> Duration {
    value.max(range.min).min(range.max)
}

/// `consumer.session.timeout.ms`.
pub(super) fn session(world: World<'_>, group: &Arc<str>) -> Duration {
    let settings = &world.settings.consumer;
    own(world, group, "consumer.session.timeout.ms")
        .map_or(settings.session, |value| within(value, settings.session_range))
}

/// `consumer.heartbeat.interval.ms`.
pub(super) fn heartbeat_ms(world: World<'_>, group: &Arc<str>) -> i32 {
    let settings = &world.settings.consumer;
    let value = own(world, group, "consumer.heartbeat.interval.ms")
        .map_or(settings.heartbeat, |value| within(value, settings.heartbeat_range));
    i32::try_from(value.as_millis()).unwrap_or(i32::MAX)
}

/// `consumer.assignment.interval.ms`.
pub(super) fn assignment_interval_ms(world: World<'_>, group: &Arc<str>) -> i64 {
    let settings = &world.settings.consumer;
    let value = own(world, group, "consumer.assignment.interval.ms")
        .map_or(settings.assignment_interval, |value| within(value, settings.assignment_interval_range));
    i64::try_from(value.as_millis()).unwrap_or(i64::MAX)
}
