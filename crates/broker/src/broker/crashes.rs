//! Metadata under crashes, in the simulated world: what was answered is there again, and no producer id is given twice.

use super::Broker;
use ottla_metadata::BrokerConfig;
use ottla_metadata::controller::{Answer, Command, NewTopic};
use ottla_raft::format::{Plan, Quorum, format};
use ottla_raft::state::ids::Endpoint;
use ottla_sim::{Crash, Node, Sim, seeds};
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, ProducerId};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const DIR: &str = "/data";
const ROUNDS: usize = 4;

/// What was answered before a crash.
#[derive(Default)]
struct Answered {
    topics: BTreeMap<String, Uuid>,
    producer_ids: Vec<ProducerId>,
    starts: usize,
}

fn config() -> BrokerConfig {
    let pairs = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("log.dirs", DIR),
        ("metadata.log.max.record.bytes.between.snapshots", "2000"),
        ("ottla.http.listener", ""),
    ];
    let texts = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    BrokerConfig::parse(&BTreeMap::from(texts)).expect("the settings are valid")
}

fn format_disk(node: &Node) {
    format_dirs(node, &[DIR], DIR);
}

/// Formats log directories as the only node of a cluster.
pub(super) fn format_dirs(node: &Node, dirs: &[&str], metadata_dir: &str) {
    let endpoint = Endpoint { listener: "CONTROLLER".to_owned(), host: "localhost".to_owned(), port: 9093 };
    let plan = Plan {
        cluster_id: "AAAAAAAAAAAAAAAAAAAAAQ".to_owned(),
        node_id: BrokerId(1),
        log_dirs: dirs.iter().map(PathBuf::from).collect(),
        metadata_dir: PathBuf::from(metadata_dir),
        controller: true,
        release: None,
        features: BTreeMap::new(),
        quorum: Quorum::Standalone(vec![endpoint]),
        ignore_formatted: true,
    };
    let host = node.host();
    format(&*host.disk, &*host.chance, host.clock.wall(), &plan).expect("the disk can be formatted");
}

/// Creates topics and draws producer ids until the node dies, and checks first that all that was answered is there.
async fn live(node: Node, answered: Arc<Mutex<Answered>>, round: usize) {
    let broker = Broker::start(node.host(), config())
        .await
        .expect("a start after a crash succeeds whatever the crash left behind");
    let control = broker.server.cx.control();
    {
        let mut answered = answered.lock();
        answered.starts += 1;
        let image = broker.server.cx.image();
        for (name, id) in &answered.topics {
            let topic = image.topic(name).unwrap_or_else(|| panic!("{name} was answered and is gone"));
            assert_eq!(topic.id, *id);
            let partition = topic.partitions.values().next().expect("a topic is answered together with its partitions");
            assert_eq!(partition.leader, BrokerId(1), "{name} is not served");
            assert!(broker.server.cx.topic(name).is_some(), "{name} is not open");
        }
    }
    for number in 0.. {
        let name = format!("t-{round}-{number}");
        let topic = NewTopic { name: name.clone(), partitions: 2, replication_factor: 1, ..NewTopic::default() };
        let command = Command::CreateTopics { topics: vec![topic], validate_only: false };
        if let Ok(Answer::CreatedTopics(outcomes)) = control.submit(&command).await
            && let Some((_, Ok(created))) = outcomes.into_iter().next()
        {
            answered.lock().topics.insert(name, created.id);
        }
        if let Ok(id) = control.producer_id().await {
            answered.lock().producer_ids.push(id);
        }
    }
}

#[test]
fn what_the_controller_answered_outlives_every_crash() {
    let mut made = 0;
    for seed in seeds(6) {
        let outcome = Sim::run(seed, async |sim: Sim| {
            let node = sim.node("a");
            format_disk(&node);
            let answered: Arc<Mutex<Answered>> = Arc::default();
            let mut random = sim.random("crash times");
            for round in 0..ROUNDS {
                node.spawn("broker", live(node.clone(), answered.clone(), round));
                sim.sleep(Duration::from_micros(2_000 + random.below(40_000))).await;
                node.crash(if random.coin() { Crash::Power } else { Crash::Process });
                node.restart();
            }
            let answered = answered.lock();
            let distinct: BTreeSet<_> = answered.producer_ids.iter().collect();
            assert_eq!(distinct.len(), answered.producer_ids.len(), "a producer id was given twice");
            (answered.topics.len(), answered.starts)
        });
        made += outcome.answer.0;
        assert!(outcome.answer.1 > 0, "seed {seed}: no start was as quick as its crash");
    }
    assert!(made > 30, "only {made} topics were made: the crashes leave no time");
}
