//! Settings of listeners, connections and requests.

use ottla_host::setting::{Kind, Setting, Valid};

const THREADS: &str = "threads are chosen by the number of processors";
const ONE_BROKER: &str = "one broker forms the cluster in this release";
const NO_UNSTABLE: &str = "unstable versions are not served; remove it";
const BUFFERS: &str = "the operating system sizes socket buffers";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("num.io.threads", Kind::Int, "8").valid(Valid::AtLeast(1)).high().cluster_wide().without_effect(THREADS),
    Setting::new("background.threads", Kind::Int, "10").valid(Valid::AtLeast(1)).high().cluster_wide().without_effect(THREADS),
    Setting::new("request.timeout.ms", Kind::Int, "30000").high().without_effect(ONE_BROKER),
    Setting::new("socket.connection.setup.timeout.ms", Kind::Long, "10000").without_effect(ONE_BROKER),
    Setting::new("socket.connection.setup.timeout.max.ms", Kind::Long, "30000").without_effect(ONE_BROKER),
    Setting::new("config.providers", Kind::List, "").low().cluster_wide().refused("values are taken as written; put the value itself into the file"),
    Setting::new("max.incremental.fetch.session.cache.slots", Kind::Int, "1000").valid(Valid::AtLeast(0)).doc("Fetch sessions kept (KIP-227)."),
    Setting::new("fetch.max.bytes", Kind::Int, "57671680").valid(Valid::AtLeast(1024)).doc("Most bytes of one fetch answer, the first batch excepted."),
    Setting::new("max.request.partition.size.limit", Kind::Int, "2000").valid(Valid::AtLeast(1)).doc("Most partitions in one DescribeTopicPartitions answer."),
    Setting::new("unstable.api.versions.enable", Kind::Boolean, "false").high().internal().refused(NO_UNSTABLE),
    Setting::new("unstable.feature.versions.enable", Kind::Boolean, "false").high().internal().refused(NO_UNSTABLE),
    Setting::new("listeners", Kind::List, "PLAINTEXT://:9092").high().per_broker().doc("Where the broker listens, as NAME://host:port; an empty host stands for every address."),
    Setting::new("advertised.listeners", Kind::List, "").null().high().doc("Addresses told to clients; when unset, the address that the client connected to."),
    Setting::new("listener.security.protocol.map", Kind::String, "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT").low().per_broker().doc("Security protocol of each listener name."),
    Setting::new("socket.send.buffer.bytes", Kind::Int, "102400").high().without_effect(BUFFERS),
    Setting::new("socket.receive.buffer.bytes", Kind::Int, "102400").high().without_effect(BUFFERS),
    Setting::new("socket.request.max.bytes", Kind::Int, "104857600").valid(Valid::AtLeast(1)).high().doc("Largest request; a larger one closes the connection."),
    Setting::new("socket.listen.backlog.size", Kind::Int, "50").valid(Valid::AtLeast(1)).doc("Connections that may wait to be accepted."),
    Setting::new("max.connections.per.ip", Kind::Int, "2147483647").valid(Valid::AtLeast(0)).cluster_wide().doc("Most connections from one address."),
    Setting::new("max.connections.per.ip.overrides", Kind::String, "").cluster_wide().doc("Limits for single addresses, as host:count separated by commas."),
    Setting::new("max.connections", Kind::Int, "2147483647").valid(Valid::AtLeast(0)).cluster_wide().doc("Most connections of this broker."),
    Setting::new("max.connection.creation.rate", Kind::Int, "2147483647").valid(Valid::AtLeast(0)).cluster_wide().doc("Most new connections a second."),
    Setting::new("connections.max.idle.ms", Kind::Long, "600000").doc("Silence after which a connection is closed."),
    Setting::new("connection.failed.authentication.delay.ms", Kind::Int, "100").valid(Valid::AtLeast(0)).low().without_effect("there is no authentication"),
    Setting::new("queued.max.requests", Kind::Int, "500").valid(Valid::AtLeast(1)).high().without_effect("a connection stops being read at 16 unanswered requests"),
    Setting::new("queued.max.request.bytes", Kind::Long, "-1").doc("Most bytes of requests held in memory before reading stops; -1 for no limit."),
    Setting::new("num.network.threads", Kind::Int, "3").valid(Valid::AtLeast(1)).high().cluster_wide().without_effect(THREADS),
    Setting::new("security.inter.broker.protocol", Kind::String, "PLAINTEXT").valid(Valid::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])).doc("Protocol between brokers when no listener is named for it."),
    Setting::new("inter.broker.listener.name", Kind::String, "").null().doc("Listener that brokers use among each other."),
];
