//! Settings of metrics, telemetry and quotas.

use ottla_host::setting::{Kind, Setting, Valid};

const COMPUTED: &str = "metrics are computed when they are scraped";
const NO_REPORTERS: &str = "Java reporters cannot be loaded; scrape /metrics of ottla.http.listener";
const NO_QUOTAS: &str = "there are no quotas in this release";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("metrics.num.samples", Kind::Int, "2").valid(Valid::AtLeast(1)).low().without_effect(COMPUTED),
    Setting::new("metrics.sample.window.ms", Kind::Long, "30000").valid(Valid::AtLeast(1)).low().without_effect(COMPUTED),
    Setting::new("metric.reporters", Kind::List, "org.apache.kafka.common.metrics.JmxReporter").low().cluster_wide().refused(NO_REPORTERS),
    Setting::new("metrics.recording.level", Kind::String, "INFO").low().without_effect(COMPUTED),
    Setting::new("kafka.metrics.reporters", Kind::List, "").low().refused(NO_REPORTERS),
    Setting::new("kafka.metrics.polling.interval.secs", Kind::Int, "10").valid(Valid::AtLeast(1)).low().without_effect(COMPUTED),
    Setting::new("telemetry.max.bytes", Kind::Int, "1048576").valid(Valid::AtLeast(1)).low().without_effect(COMPUTED),
    Setting::new("quota.window.num", Kind::Int, "11").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("replication.quota.window.num", Kind::Int, "11").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("alter.log.dirs.replication.quota.window.num", Kind::Int, "11").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("controller.quota.window.num", Kind::Int, "11").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("quota.window.size.seconds", Kind::Int, "1").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("replication.quota.window.size.seconds", Kind::Int, "1").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("alter.log.dirs.replication.quota.window.size.seconds", Kind::Int, "1").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("controller.quota.window.size.seconds", Kind::Int, "1").valid(Valid::AtLeast(1)).low().without_effect(NO_QUOTAS),
    Setting::new("client.quota.callback.class", Kind::Class, "").null().low().refused("Java callbacks cannot be loaded; remove it"),
];
