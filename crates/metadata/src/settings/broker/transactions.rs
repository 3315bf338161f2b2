//! Settings of producers and transactions.

use ottla_host::setting::{Kind, Setting, Valid};

const NO_TRANSACTIONS: &str = "there is no transaction coordinator in this release";

/// The rows, one a line.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    Setting::new("transaction.state.log.min.isr", Kind::Int, "2").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.state.log.load.buffer.size", Kind::Int, "5242880").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.state.log.replication.factor", Kind::Short, "3").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.state.log.num.partitions", Kind::Int, "50").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.state.log.segment.bytes", Kind::Int, "104857600").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.partition.verification.enable", Kind::Boolean, "true").low().cluster_wide().without_effect(NO_TRANSACTIONS),
    Setting::new("producer.id.expiration.ms", Kind::Int, "86400000").valid(Valid::AtLeast(1)).low().cluster_wide().doc("Time after which an idle producer's state is forgotten."),
    Setting::new("producer.id.expiration.check.interval.ms", Kind::Int, "600000").valid(Valid::AtLeast(1)).low().internal().doc("Time between two looks for idle producers."),
    Setting::new("transactional.id.expiration.ms", Kind::Int, "604800000").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.max.timeout.ms", Kind::Int, "900000").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.abort.timed.out.transaction.cleanup.interval.ms", Kind::Int, "10000").valid(Valid::AtLeast(1)).low().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.remove.expired.transaction.cleanup.interval.ms", Kind::Int, "3600000").valid(Valid::AtLeast(1)).low().without_effect(NO_TRANSACTIONS),
    Setting::new("transaction.two.phase.commit.enable", Kind::Boolean, "false").low().without_effect(NO_TRANSACTIONS),
    Setting::new("add.partitions.to.txn.retry.backoff.max.ms", Kind::Int, "100").valid(Valid::AtLeast(0)).high().without_effect(NO_TRANSACTIONS),
    Setting::new("add.partitions.to.txn.retry.backoff.ms", Kind::Int, "20").valid(Valid::AtLeast(1)).high().without_effect(NO_TRANSACTIONS),
];
