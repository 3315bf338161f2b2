//! The coordinators of this broker: one machine for each partition of `__consumer_offsets` that it leads.

mod replica;
mod settings;

pub(crate) use settings::warn_of_bounds;

use crate::partitions::{Hosted, Registry};
use arc_swap::ArcSwap;
use ottla_coordinator::group::{Command, GroupSettings, Groups};
use ottla_coordinator::runtime::{Order, Plan, Shard, run};
use ottla_host::{BoxFuture, Host};
use ottla_metadata::image::Partition;
use ottla_metadata::{BrokerConfig, Image};
use ottla_wire::Uuid;
use ottla_wire::ids::{LeaderEpoch, PartitionIndex};
use replica::Led;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// The topic of groups and their offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Longest time that a clean stop waits for what was decided to be committed.
const FINISH_MAX: Duration = Duration::from_secs(5);

/// A machine that runs.
#[derive(Clone)]
struct Running {
    shard: Shard<Groups>,
    /// The topic, which may have been made anew, and the term of the partition's leader that it is for.
    term: (Uuid, LeaderEpoch),
    orders: watch::Sender<Order>,
}

/// The machines of this broker, found without a lock. Only the follower of the metadata starts and ends them.
pub(crate) struct Coordinators {
    host: Host,
    registry: Arc<Registry>,
    settings: Arc<GroupSettings>,
    config: Arc<BrokerConfig>,
    running: ArcSwap<BTreeMap<i32, Running>>,
    /// The cluster as every machine is told it.
    news: watch::Sender<Command>,
    /// The broker stops: no machine begins any more.
    finished: AtomicBool,
}

impl Coordinators {
    pub(crate) fn new(host: Host, config: &Arc<BrokerConfig>, registry: Arc<Registry>) -> Coordinators {
        Coordinators {
            host,
            registry,
            settings: Arc::new(settings::groups(&config.groups)),
            config: config.clone(),
            running: ArcSwap::default(),
            news: watch::Sender::new(Command::Image(Arc::default())),
            finished: AtomicBool::new(false),
        }
    }

    /// The machine of partition `index`, if it is here.
    pub(crate) fn shard(&self, index: i32) -> Option<Shard<Groups>> {
        self.running.load().get(&index).map(|running| running.shard.clone())
    }

    /// Every machine that is here, by partition.
    pub(crate) fn all(&self) -> Vec<(i32, Shard<Groups>)> {
        self.running.load().iter().map(|(index, running)| (*index, running.shard.clone())).collect()
    }

    /// Follows a newer image, whose partitions are open already: machines begin and end with this broker's leadership.
    pub(crate) fn apply(&self, image: &Arc<Image>) {
        if self.finished.load(Ordering::SeqCst) {
            return;
        }
        self.news.send_replace(Command::Image(image.clone()));
        let topic = image.topic(OFFSETS_TOPIC);
        let hosted = topic.and_then(|topic| self.registry.by_id(topic.id));
        let mut running = BTreeMap::clone(&self.running.load());
        let led = |index: i32| {
            let topic = topic?;
            let fact = topic.partitions.get(&PartitionIndex(index))?;
            (fact.leader == self.config.node_id).then_some((topic.id, fact.leader_epoch))
        };
        let before = running.len();
        running.retain(|index, one| {
            let stays = led(*index) == Some(one.term) && !one.orders.is_closed();
            if !stays {
                one.orders.send_replace(Order::Unload);
            }
            stays
        });
        let mut is_changed = running.len() != before;
        if let (Some(topic), Some(hosted)) = (topic, hosted) {
            for (index, fact) in topic.partitions.iter().filter(|(_, fact)| fact.leader == self.config.node_id) {
                if !running.contains_key(&index.0)
                    && let Some(one) = self.begin(&hosted, *index, fact)
                {
                    running.insert(index.0, one);
                    is_changed = true;
                }
            }
        }
        if is_changed {
            self.running.store(Arc::new(running));
        }
    }

    fn begin(&self, hosted: &Hosted, index: PartitionIndex, fact: &Partition) -> Option<Running> {
        let partition = hosted.partition(index.0)?.clone();
        let name = format!("{OFFSETS_TOPIC}-{}", index.0);
        let (shard, asked) = Shard::new();
        let (orders, order) = watch::channel(Order::Serve);
        let (settings, news) = (self.settings.clone(), self.news.subscribe());
        let latest = news.clone();
        let fresh = move || match &*latest.borrow() {
            Command::Image(image) => Groups::new(settings.clone(), image.clone()),
            _ => Groups::new(settings.clone(), Arc::default()),
        };
        let plan = Plan {
            host: self.host.clone(),
            replica: Arc::new(Led::new(self.host.clone(), partition, fact.leader_epoch, hosted.min_insync)),
            settings: settings::runtime(&self.config.groups, hosted.rules.batch_bytes_max()),
            load_bytes: self.config.groups.offsets.load_bytes,
            fresh: Box::new(fresh),
            news,
            orders: order,
            asked,
            name,
        };
        let task: BoxFuture<'static, ()> = Box::pin(run(plan));
        self.host.tasks.spawn("coordinator", task);
        Some(Running { shard, term: (hosted.id, fact.leader_epoch), orders })
    }

    /// Has every machine finish what it has decided, and waits for that within a bound. Who still waits for an answer
    /// is told to look for another coordinator.
    pub(crate) async fn finish(&self) {
        self.finished.store(true, Ordering::SeqCst);
        let running = self.running.swap(Arc::default());
        for one in running.values() {
            one.orders.send_replace(Order::Finish);
        }
        let ended = async {
            for one in running.values() {
                one.orders.closed().await;
            }
        };
        tokio::select! {
            biased;
            () = ended => {}
            () = self.host.tasks.sleep_until(self.host.clock.monotonic() + FINISH_MAX) => {
                tracing::warn!("not all coordinators have finished in time");
            }
        }
    }
}

/// The partition of `__consumer_offsets` that a group belongs to; None while there is no such topic.
pub(crate) fn partition_of(image: &Image, group: &str) -> Option<i32> {
    let partitions = image.topic(OFFSETS_TOPIC)?.partitions.len();
    spread(group, i32::try_from(partitions).ok()?)
}

/// Java's `String.hashCode` (of UTF-16 units), without sign, over the partitions.
fn spread(group: &str, partitions: i32) -> Option<i32> {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // The lowest number has no positive counterpart: Kafka takes zero.
    hash.checked_abs().unwrap_or(0).checked_rem(partitions)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_group_goes_where_kafka_looks_for_it() {
        // Values of Java's String.hashCode.
        for (group, hash) in [
            ("", 0),
            ("a", 97),
            ("ab", 3105),
            ("group", 98_629_247_i64),
            ("Ünicode", 931_549_700),
            ("😀-group", 1_198_440_043),
        ] {
            assert_eq!(i64::from(spread(group, i32::MAX).expect("partitions")), hash, "{group}");
        }
        assert_eq!(spread("polygenelubricants", 50), Some(0));
        assert_eq!(spread("group", 0), None);
    }
}
