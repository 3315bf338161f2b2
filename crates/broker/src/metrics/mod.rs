//! What topics, partitions and the broker show, gathered when it is asked for (names as Kafka's JMX exporter spells them).

pub(crate) mod lag;

use crate::cx::Cx;
use crate::partitions::Meters;
use ottla_host::metric::{Metric, Scrape, Unit};
use ottla_metadata::image::{NO_LEADER, Partition};
use std::sync::atomic::{AtomicU64, Ordering};

const fn of_topic(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric::counter(name, unit, doc).with_labels(&["topic"])
}

const fn of_partition(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric::gauge(name, unit, doc).with_labels(&["topic", "partition"])
}

type Read = fn(&Meters) -> &AtomicU64;

/// Counters of each topic, shown by topic and summed without.
const TOPIC: [(Metric, Read); 8] = [
    (
        of_topic("kafka_server_brokertopicmetrics_messagesin_total", Unit::Records, "Records appended by producers"),
        |meters| &meters.records_in,
    ),
    (
        of_topic("kafka_server_brokertopicmetrics_bytesin_total", Unit::Bytes, "Bytes of batches from producers"),
        |meters| &meters.bytes_in,
    ),
    (
        of_topic("kafka_server_brokertopicmetrics_bytesout_total", Unit::Bytes, "Bytes of batches to consumers"),
        |meters| &meters.bytes_out,
    ),
    (
        of_topic("kafka_server_brokertopicmetrics_bytesrejected_total", Unit::Bytes, "Bytes of batches too large"),
        |meters| &meters.bytes_rejected,
    ),
    (
        of_topic(
            "kafka_server_brokertopicmetrics_totalproducerequests_total",
            Unit::Requests,
            "Produce requests that name the topic",
        ),
        |meters| &meters.produce_requests,
    ),
    (
        of_topic("kafka_server_brokertopicmetrics_failedproducerequests_total", Unit::Requests, "Batches refused"),
        |meters| &meters.produce_failures,
    ),
    (
        of_topic(
            "kafka_server_brokertopicmetrics_totalfetchrequests_total",
            Unit::Requests,
            "Partitions answered to fetches",
        ),
        |meters| &meters.fetch_requests,
    ),
    (
        of_topic(
            "kafka_server_brokertopicmetrics_failedfetchrequests_total",
            Unit::Requests,
            "Partitions answered to fetches with an error",
        ),
        |meters| &meters.fetch_failures,
    ),
];

const LOG_SIZE: Metric = of_partition("kafka_log_log_size", Unit::Bytes, "Bytes of the log on this broker");
const LOG_START: Metric = of_partition("kafka_log_log_logstartoffset", Unit::Offsets, "First offset of the log");
const LOG_END: Metric = of_partition("kafka_log_log_logendoffset", Unit::Offsets, "Offset after the last record");
const SEGMENTS: Metric = of_partition("kafka_log_log_numlogsegments", Unit::Count, "Segments of the log");
const CURRENT: Metric =
    of_partition("kafka_topic_partition_current_offset", Unit::Offsets, "Offset after the last committed record");
const OLDEST: Metric = of_partition("kafka_topic_partition_oldest_offset", Unit::Offsets, "First offset of the log");
const PARTITIONS: Metric =
    Metric::gauge("kafka_server_replicamanager_partitioncount", Unit::Count, "Replicas on this broker");
const LEADERS: Metric =
    Metric::gauge("kafka_server_replicamanager_leadercount", Unit::Count, "Partitions led by this broker");
const OFFLINE: Metric =
    Metric::gauge("kafka_server_replicamanager_offlinereplicacount", Unit::Count, "Replicas in failed log directories");
const UNDER_REPLICATED: Metric = Metric::gauge(
    "kafka_server_replicamanager_underreplicatedpartitions",
    Unit::Count,
    "Partitions led here with fewer replicas in sync than there are",
);
const ACTIVE_CONTROLLERS: Metric =
    Metric::gauge("kafka_controller_kafkacontroller_activecontrollercount", Unit::Count, "1 on the active controller");
const TOPICS_IN_ALL: Metric =
    Metric::gauge("kafka_controller_kafkacontroller_globaltopiccount", Unit::Count, "Topics of the cluster");
const PARTITIONS_IN_ALL: Metric =
    Metric::gauge("kafka_controller_kafkacontroller_globalpartitioncount", Unit::Count, "Partitions of the cluster");
const WITHOUT_LEADER: Metric = Metric::gauge(
    "kafka_controller_kafkacontroller_offlinepartitionscount",
    Unit::Count,
    "Partitions without a leader",
);
const STATE: Metric = Metric::gauge(
    "kafka_server_kafkaserver_brokerstate",
    Unit::State,
    "2 is opening partitions, 3 is running, 6 is stopping",
);
const SESSIONS: Metric =
    Metric::gauge("kafka_server_fetchsessioncache_numincrementalfetchsessions", Unit::Count, "Fetch sessions open");

/// What the broker is at, by Kafka's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Partitions are being opened.
    Recovery = 2,
    Running = 3,
    Stopping = 6,
}

impl State {
    pub(crate) fn of(cx: &Cx, is_open: bool) -> State {
        match (cx.is_stopping(), is_open) {
            (true, _) => State::Stopping,
            (false, true) => State::Running,
            (false, false) => State::Recovery,
        }
    }
}

/// Puts what the broker knows of itself and of what it holds.
pub(crate) fn collect(cx: &Cx, state: State, scrape: &mut Scrape<'_>) {
    let mut sums = [0_u64; TOPIC.len()];
    cx.registry().each_topic(|topic| {
        for ((metric, read), sum) in TOPIC.iter().zip(&mut sums) {
            let value = read(&topic.meters).load(Ordering::Relaxed);
            *sum += value;
            if value > 0 {
                scrape.put(metric, &[&topic.name], value as f64);
            }
        }
    });
    for ((metric, _), sum) in TOPIC.iter().zip(sums) {
        scrape.put(metric, &[], sum as f64);
    }
    collect_partitions(cx, scrape);
    collect_cluster(cx, scrape);
    scrape.put(&STATE, &[], f64::from(state as u8));
    scrape.put(&SESSIONS, &[], cx.sessions().count().0 as f64);
}

fn collect_partitions(cx: &Cx, scrape: &mut Scrape<'_>) {
    let (mut all, mut led, mut offline) = (0_u64, 0_u64, 0_u64);
    cx.registry().each(|topic, partition| {
        let view = partition.view();
        all += 1;
        led += u64::from(partition.serves().is_ok());
        offline += u64::from(view.log_dir().is_offline());
        let index = partition.index().to_string();
        let labels = [&*topic.name, &index];
        scrape.put(&LOG_SIZE, &labels, view.size() as f64);
        scrape.put(&LOG_START, &labels, view.start().0 as f64);
        scrape.put(&LOG_END, &labels, view.end().0 as f64);
        scrape.put(&SEGMENTS, &labels, view.segment_count() as f64);
        scrape.put(&CURRENT, &labels, partition.watermark().0 as f64);
        scrape.put(&OLDEST, &labels, view.start().0 as f64);
    });
    scrape.put(&PARTITIONS, &[], all as f64);
    scrape.put(&LEADERS, &[], led as f64);
    scrape.put(&OFFLINE, &[], offline as f64);
}

fn collect_cluster(cx: &Cx, scrape: &mut Scrape<'_>) {
    let image = cx.image();
    let partitions = || image.topics().flat_map(|topic| topic.partitions.values());
    let own = cx.config().node_id;
    let lacking = |partition: &&Partition| {
        partition.leader == own && partition.isr.as_slice().len() < partition.replicas.as_slice().len()
    };
    let leads = cx.control().quorum().is_some_and(|quorum| quorum.leadership().borrow().leader == Some(own));
    scrape.put(&ACTIVE_CONTROLLERS, &[], f64::from(u8::from(leads)));
    scrape.put(&TOPICS_IN_ALL, &[], image.topic_count() as f64);
    scrape.put(&PARTITIONS_IN_ALL, &[], image.partition_count() as f64);
    scrape.put(&UNDER_REPLICATED, &[], partitions().filter(lacking).count() as f64);
    scrape.put(&WITHOUT_LEADER, &[], partitions().filter(|partition| partition.leader == NO_LEADER).count() as f64);
}
