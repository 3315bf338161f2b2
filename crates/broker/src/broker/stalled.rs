//! A disk that stops answering, in the simulated world: who does not need it does not notice.

use super::Broker;
use super::crashes::format_dirs;
use super::tests::raw::{frame, open};
use bytes::BytesMut;
use ottla_host::Host;
use ottla_host::net::Stream;
use ottla_messages::api::ApiKey;
use ottla_messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use ottla_messages::metadata::{MetadataRequest, MetadataResponse};
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_metadata::BrokerConfig;
use ottla_metadata::controller::{Command, NewTopic};
use ottla_sim::{Node, Sim};
use ottla_wire::batch::{BatchBuilder, NewRecord};
use ottla_wire::ids::Offset;
use ottla_wire::{Records, Uuid};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SLOW: &str = "/slow";
const FAST: &str = "/fast";
const STALL: Duration = Duration::from_secs(1);
/// What a request that does not need the disk may take longer for it.
const DELAY_MAX: Duration = Duration::from_millis(5);

fn config(durable: bool) -> BrokerConfig {
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

/// A connection of a simulated client.
struct Client {
    host: Host,
    stream: Box<dyn Stream>,
    received: BytesMut,
}

impl Client {
    async fn connect(host: &Host) -> Client {
        let stream = host.net.connect("broker", 9092).await.expect("the broker listens");
        Client { host: host.clone(), stream, received: BytesMut::with_capacity(64 << 10) }
    }

    /// Sends a frame and waits for its answer; the answer and how long that took.
    async fn ask(&mut self, frame: &[u8]) -> (Vec<u8>, Duration) {
        let begun = self.host.clock.monotonic();
        let mut left = frame;
        while !left.is_empty() {
            let sent = poll_fn(|cx| self.stream.poll_write(cx, &[IoSlice::new(left)])).await;
            left = &left[sent.expect("the broker reads")..];
        }
        loop {
            if let Some(length) = self.received.first_chunk::<4>() {
                let length = 4 + i32::from_be_bytes(*length) as usize;
                if self.received.len() >= length {
                    let answer = self.received.split_to(length)[4..].to_vec();
                    return (answer, self.host.clock.monotonic().since(begun));
                }
            }
            self.received.reserve(16 << 10);
            let read = poll_fn(|cx| self.stream.poll_read(cx, &mut self.received)).await.expect("the broker answers");
            assert!(read > 0, "the broker has closed the connection");
        }
    }

    async fn produce(&mut self, partition: i32) -> Duration {
        let mut builder = BatchBuilder::new(Offset(0));
        let now = self.host.clock.wall().0;
        builder.append(&NewRecord { timestamp: now, value: Some(&[7; 300]), ..NewRecord::default() }).expect("small");
        let records = builder.finish();
        let data = PartitionProduceData { index: partition, records: Some(Records::Bytes(&records)) };
        let topic = TopicProduceData { name: "t".into(), topic_id: Uuid::ZERO, partition_data: vec![data] };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 5_000, topic_data: vec![topic], ..ProduceRequest::default() };
        let sent = frame(ApiKey::Produce, 9, 1, |out, version| request.encode(out, version));
        let (answer, took) = self.ask(&sent).await;
        let (_, code) = open(&answer, ApiKey::Produce, 9, |cursor, version| {
            ProduceResponse::decode(cursor, version).expect("a response").responses[0].partition_responses[0].error_code
        });
        assert_eq!(code, 0);
        took
    }

    async fn fetch(&mut self, partition: i32) -> Duration {
        let partition = FetchPartition { partition, partition_max_bytes: 4096, ..FetchPartition::default() };
        let topic = FetchTopic { topic: "t".into(), partitions: vec![partition], ..FetchTopic::default() };
        let request = FetchRequest { max_bytes: 4096, topics: vec![topic], ..FetchRequest::default() };
        let sent = frame(ApiKey::Fetch, 11, 1, |out, version| request.encode(out, version));
        let (answer, took) = self.ask(&sent).await;
        let (_, code) = open(&answer, ApiKey::Fetch, 11, |cursor, version| {
            FetchResponse::decode(cursor, version).expect("a response").responses[0].partitions[0].error_code
        });
        assert_eq!(code, 0);
        took
    }

    async fn metadata(&mut self) -> Duration {
        let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let sent = frame(ApiKey::Metadata, 9, 1, |out, version| request.encode(out, version));
        let (answer, took) = self.ask(&sent).await;
        let (_, topics) = open(&answer, ApiKey::Metadata, 9, |cursor, version| {
            MetadataResponse::decode(cursor, version).expect("a response").topics.len()
        });
        assert_eq!(topics, 1);
        took
    }
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
        go_on(&slow_writes, |client, on| Box::pin(client.produce(on)), slow);
        for _ in 0..3 {
            go_on(&writes, |client, on| Box::pin(client.produce(on)), 1 - slow);
        }
        go_on(&reads, |client, on| Box::pin(client.fetch(on)), 1 - slow);
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
