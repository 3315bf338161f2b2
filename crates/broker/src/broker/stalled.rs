//! A disk that stops answering, in the simulated world: who does not need it does not notice.

use super::Broker;
use super::client::Client;
use super::crashes::format_dirs;
use ottla_metadata::BrokerConfig;
use ottla_metadata::controller::{Command, NewTopic};
use ottla_sim::{Node, Sim};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) const SLOW: &str = "/slow";
pub(super) const FAST: &str = "/fast";
const STALL: Duration = Duration::from_secs(1);
/// What a request that does not need the disk may take longer for it.
const DELAY_MAX: Duration = Duration::from_millis(5);

pub(super) fn config(durable: bool) -> BrokerConfig {
    let pairs = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("log.dirs", "/slow,/fast"),
        ("metadata.log.dir", FAST),
        ("log.flush.interval.ms", "20"),
        ("ottla.http.listener", ""),
        ("ottla.durable.acks", if durable { "true" } else { "false" }),
    ];
    let texts = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    BrokerConfig::parse(&BTreeMap::from(texts)).expect("the settings are valid")
}

async fn produce(client: &mut Client, partition: i32) -> Duration {
    let (code, took) = client.produce(partition).await;
    assert_eq!(code, 0);
    took
}

async fn fetch(client: &mut Client, partition: i32) -> Duration {
    let fetched = client.fetch(partition, 0, Duration::ZERO).await;
    assert_eq!(fetched.code, 0);
    fetched.took
}

/// The longest that a kind of request took, in ns.
#[derive(Default)]
struct Longest(AtomicU64);

impl Longest {
    fn note(&self, took: Duration) {
        self.0.fetch_max(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Ordering::Relaxed))
    }
}

/// Starts a broker with a topic of one partition in each directory; the partition in the slow one.
async fn start(sim: &Sim, node: &Node, durable: bool) -> i32 {
    format_dirs(node, &[SLOW, FAST], FAST);
    let started: Arc<Mutex<Option<i32>>> = Arc::default();
    let (answer, host) = (started.clone(), node.host());
    node.spawn("broker", async move {
        let broker = Broker::start(host, config(durable)).await.expect("it starts");
        let topic = NewTopic { name: "t".into(), partitions: 2, replication_factor: 1, ..NewTopic::default() };
        let command = Command::CreateTopics { topics: vec![topic], validate_only: false };
        broker.server.cx.control().submit(&command).await.expect("it takes commands");
        let topic = broker.server.cx.topic("t").expect("the topic was made");
        let is_slow = |index: &i32| {
            let partition = topic.partition(*index).expect("both partitions are here");
            partition.view().log_dir().path() == Path::new(SLOW)
        };
        let slow: Vec<i32> = (0..2).filter(is_slow).collect();
        assert_eq!(slow.len(), 1, "a partition in each directory");
        *answer.lock() = Some(slow[0]);
        broker.failed().await;
    });
    loop {
        sim.sleep(Duration::from_millis(1)).await;
        if let Some(slow) = *started.lock() {
            return slow;
        }
    }
}

fn run(seed: u64, durable: bool) {
    Sim::run(seed, async |sim: Sim| {
        let node = sim.node("broker");
        node.set_workers(2);
        let slow = start(&sim, &node, durable).await;
        let client = sim.node("client");
        let [writes, reads, facts, slow_writes] = std::array::from_fn(|_| Arc::<Longest>::default());
        let go_on =
            |longest: &Arc<Longest>, work: fn(&mut Client, i32) -> ottla_host::BoxFuture<'_, Duration>, on: i32| {
                let (longest, host) = (longest.clone(), client.host());
                client.spawn("client", async move {
                    let mut client = Client::connect(&host).await;
                    loop {
                        longest.note(work(&mut client, on).await);
                        host.tasks.sleep_until(host.clock.monotonic() + Duration::from_micros(1_500)).await;
                    }
                });
            };
        go_on(&slow_writes, |client, on| Box::pin(produce(client, on)), slow);
        for _ in 0..3 {
            go_on(&writes, |client, on| Box::pin(produce(client, on)), 1 - slow);
        }
        go_on(&reads, |client, on| Box::pin(fetch(client, on)), 1 - slow);
        go_on(&facts, |client, _| Box::pin(client.metadata()), 0);
        sim.sleep(Duration::from_millis(300)).await;
        let before = [writes.take(), reads.take(), facts.take()];
        slow_writes.take();
        node.disk().stall(Path::new(SLOW), STALL);
        sim.sleep(STALL + Duration::from_millis(100)).await;
        assert!(slow_writes.take() >= STALL - Duration::from_millis(100), "the stall was not met");
        for (longest, before) in [writes, reads, facts].into_iter().zip(before) {
            let during = longest.take();
            assert!(during <= before + DELAY_MAX, "{during:?} where {before:?} was the longest before");
        }
    });
}

#[test]
fn a_stalled_disk_delays_no_request_that_does_not_touch_it() {
    run(1, false);
}

#[test]
fn a_stalled_disk_delays_no_durable_request_that_does_not_touch_it() {
    run(2, true);
}
