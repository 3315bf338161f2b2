//! Settings of the node, its roles and the metadata quorum.

use ottla_host::setting::{Kind, Setting, Valid};

const NOT_TIMED: &str = "start and controller are not timed this way";
const KAFKA_TESTS: &str = "it serves Kafka's own tests";
const ONE_BROKER: &str = "one broker forms the cluster in this release";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("broker.id", Kind::Int, "-1").high().doc("Older name of node.id; when both are given they must agree."),
    Setting::new("early.start.listeners", Kind::List, "").null().high().without_effect("listeners open together once the broker can serve"),
    Setting::new("broker.rack", Kind::String, "").null().doc("Rack of this broker, told to clients and used to spread replicas (KIP-36)."),
    Setting::new("controlled.shutdown.enable", Kind::Boolean, "true").without_effect("a stop always tells the controller first"),
    Setting::new("process.roles", Kind::List, "").required().valid(Valid::Several(&["broker", "controller"])).high().doc("Roles of this process. Both broker and controller: one node is the whole cluster."),
    Setting::new("node.id", Kind::Int, "").required().valid(Valid::AtLeast(0)).high().doc("Number of this node, unique in the cluster; written into meta.properties and checked against it."),
    Setting::new("initial.broker.registration.timeout.ms", Kind::Int, "60000").doc("Longest time that the first registration with the controller may take."),
    Setting::new("broker.heartbeat.interval.ms", Kind::Int, "2000").doc("Time between two heartbeats that the broker sends to the controller."),
    Setting::new("broker.session.timeout.ms", Kind::Int, "9000").doc("Silence after which the controller fences a broker."),
    Setting::new("controller.listener.names", Kind::List, "").required().high().doc("Names of the listeners that serve controller requests, separated by commas."),
    Setting::new("controller.performance.sample.period.ms", Kind::Long, "60000").valid(Valid::AtLeast(100)).internal().without_effect(NOT_TIMED),
    Setting::new("controller.performance.always.log.threshold.ms", Kind::Long, "2000").valid(Valid::AtLeast(0)).internal().without_effect(NOT_TIMED),
    Setting::new("server.max.startup.time.ms", Kind::Long, "9223372036854775807").valid(Valid::AtLeast(0)).internal().without_effect(NOT_TIMED),
    Setting::new("metadata.log.max.record.bytes.between.snapshots", Kind::Long, "20971520").valid(Valid::AtLeast(1)).high().doc("Bytes of metadata records after which a snapshot is written."),
    Setting::new("metadata.log.max.snapshot.interval.ms", Kind::Long, "3600000").valid(Valid::AtLeast(0)).high().doc("Time after which a snapshot is written when new records exist; 0 for never."),
    Setting::new("metadata.log.dir", Kind::String, "").null().high().doc("Directory of the metadata log; the first of log.dirs when unset."),
    Setting::new("metadata.log.segment.bytes", Kind::Int, "1073741824").valid(Valid::AtLeast(8_388_608)).high().doc("Size at which a segment of the metadata log is closed."),
    Setting::new("metadata.log.segment.ms", Kind::Long, "604800000").high().doc("Age at which a segment of the metadata log is closed."),
    Setting::new("metadata.max.retention.bytes", Kind::Long, "104857600").high().doc("Total size of metadata log and snapshots beyond which old ones are deleted."),
    Setting::new("metadata.max.retention.ms", Kind::Long, "604800000").high().doc("Age beyond which metadata log segments and snapshots are deleted."),
    Setting::new("metadata.max.idle.interval.ms", Kind::Int, "500").valid(Valid::AtLeast(0)).low().without_effect("an idle quorum writes no records"),
    Setting::new("internal.metadata.log.segment.bytes", Kind::Int, "").null().low().internal().without_effect(KAFKA_TESTS),
    Setting::new("internal.metadata.max.batch.size.in.bytes", Kind::Int, "8388608").low().internal().without_effect(KAFKA_TESTS),
    Setting::new("internal.metadata.delete.delay.millis", Kind::Long, "60000").low().internal().without_effect(KAFKA_TESTS),
    Setting::new("controller.socket.timeout.ms", Kind::Int, "30000").without_effect(ONE_BROKER),
    Setting::new("controller.quorum.voters", Kind::List, "").high().doc("Static list of the voters as id@host:port. Only this node may be in it."),
    Setting::new("controller.quorum.bootstrap.servers", Kind::List, "").high().doc("Addresses where controllers of the quorum are found. Only one may be given."),
    Setting::new("controller.quorum.election.timeout.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).high().doc("Silence of the quorum leader after which a voter stands for election."),
    Setting::new("controller.quorum.fetch.timeout.ms", Kind::Int, "2000").valid(Valid::AtLeast(0)).high().doc("Time without a successful fetch after which a voter looks for a new leader."),
    Setting::new("controller.quorum.election.backoff.max.ms", Kind::Int, "1000").valid(Valid::AtLeast(0)).high().doc("Longest random wait between two elections that nobody won."),
    Setting::new("controller.quorum.append.linger.ms", Kind::Int, "25").valid(Valid::AtLeast(0)).without_effect("records are committed as they come"),
    Setting::new("controller.quorum.request.timeout.ms", Kind::Int, "2000").valid(Valid::AtLeast(0)).without_effect(ONE_BROKER),
    Setting::new("controller.quorum.retry.backoff.ms", Kind::Int, "20").valid(Valid::AtLeast(0)).low().without_effect(ONE_BROKER),
    Setting::new("controller.quorum.auto.join.enable", Kind::Boolean, "false").low().refused("one node forms the quorum in this release; remove it"),
    Setting::new("controller.quorum.fetch.snapshot.max.bytes", Kind::Int, "1048576").valid(Valid::AtLeast(1)).low().without_effect(ONE_BROKER),
    Setting::new("controller.quorum.fetch.max.bytes", Kind::Int, "1048576").valid(Valid::AtLeast(1)).low().without_effect(ONE_BROKER),
    Setting::new("ottla.durable.acks", Kind::Boolean, "false").high().doc("Whether an acknowledged record survives power loss: every append is journalled with direct, synchronous writes before it is acknowledged."),
    Setting::new("ottla.http.listener", Kind::String, "127.0.0.1:9404").doc("Address of /metrics, /live and /ready; empty for none."),
];
