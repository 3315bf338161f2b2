//! Measurements of consumer groups: offsets committed and loaded, members at idle, rebalances, take-overs.

mod classic;
mod consumer;
mod idle;
mod offsets;
mod rebalance;
mod takeover;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ottla_messages::api::ApiKey;
use ottla_messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use ottla_messages::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse};
use ottla_wire::{ApiVersion, Cursor, Uuid};

use crate::failure::{Failure, Result, accept};
use crate::protocol::{Client, topics};
use crate::server::{Kind, Server};

const FIND_COORDINATOR: ApiVersion = ApiVersion(2);
const METADATA: ApiVersion = ApiVersion(12);
const OFFSET_FETCH: ApiVersion = ApiVersion(8);
/// `offsets.topic.num.partitions`.
const OFFSETS_PARTITIONS: u32 = 50;
/// Names that are enough to meet every partition of the offsets topic.
const ASKED: usize = 1_000;
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Settings of every server here: no waiting beyond what is measured.
const SETTINGS: &[(&str, &str)] =
    &[("group.initial.rebalance.delay.ms", "1000"), ("group.consumer.assignment.interval.ms", "0")];
/// Settings of the servers of `takeover`: sessions of 6 s.
const SHORT_SESSIONS: &[(&str, &str)] = &[
    ("group.initial.rebalance.delay.ms", "1000"),
    ("group.consumer.assignment.interval.ms", "0"),
    ("group.consumer.min.session.timeout.ms", "6000"),
    ("group.consumer.session.timeout.ms", "6000"),
];

/// Arguments of `groups`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// What to measure; all without one.
    #[arg(value_enum)]
    works: Vec<Work>,
    /// Servers.
    #[arg(long, value_delimiter = ',', default_value = "ottla,kafka")]
    servers: Vec<Kind>,
    /// Groups of `offsets` (with 100 partitions each) and `idle` (a tenth of it, 10 members each).
    #[arg(long, default_value_t = 10_000)]
    groups: usize,
    /// Folder for the servers' data.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Work {
    /// Commit throughput, load after a restart, memory of an offset.
    Offsets,
    /// CPU of members that do nothing but heartbeat.
    Idle,
    /// CPU of a rebalance of 100 members over 1,000 partitions.
    Rebalance,
    /// From a member's silence or leave to its partitions at another.
    Takeover,
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<()> {
    let all = [Work::Offsets, Work::Idle, Work::Rebalance, Work::Takeover];
    let works = if options.works.is_empty() { &all[..] } else { &options.works };
    raise_descriptors();
    for kind in &options.servers {
        for work in works {
            match (kind, work) {
                (Kind::Floor, Work::Idle) => idle::measure_floor(options.groups / 10)?,
                (Kind::Floor, _) => {}
                (kind, work) => measure(*kind, *work, options)?,
            }
        }
    }
    Ok(())
}

fn measure(kind: Kind, work: Work, options: &Options) -> Result<()> {
    let folder = crate::scratch_folder(options.folder.as_deref())?;
    let settings = if work == Work::Takeover { SHORT_SESSIONS } else { SETTINGS };
    let mut server = Server::prepare_with(kind, folder.path(), settings)?;
    server.format()?;
    server.start()?;
    match work {
        Work::Offsets => offsets::measure(&mut server, options.groups)?,
        Work::Idle => idle::measure(&mut server, options.groups / 10)?,
        Work::Rebalance => rebalance::measure(&mut server)?,
        Work::Takeover => takeover::measure(&mut server)?,
    }
    server.kill()
}

/// Connections of 10,000 members need as many descriptors.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is refused, the connections say so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// A connected client and a topic of so many partitions; the id of the topic.
fn with_topic(server: &mut Server, name: &str, partitions: i32) -> Result<(Client, Uuid)> {
    let mut client = server.connect()?;
    topics::create(&mut client, &topics::NewTopic { name, partitions, configs: &[] })?;
    topics::ack_every_partition(&mut client, name, partitions)?;
    let message = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some(Cow::Borrowed(name)), ..Default::default() }]),
        ..Default::default()
    };
    let answer = client.call(ApiKey::Metadata, METADATA, |out| message.encode(out, METADATA))?;
    let answer = MetadataResponse::decode(&mut Cursor::new(&answer), METADATA)?;
    let topic = answer.topics.first().ok_or_else(|| Failure::Said("Metadata answered no topic".to_owned()))?;
    Ok((client, topic.topic_id))
}

/// Waits until groups of these names are served, one for each partition of the offsets topic, and checks how many offsets
/// each has; number of answers that said to wait.
fn await_coordinators(client: &mut Client, name: impl Fn(usize) -> String, offsets: usize) -> Result<usize> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut refused = 0;
    let by_partition: BTreeMap<u32, String> = (0..ASKED).map(name).map(|group| (partition_of(&group), group)).collect();
    for group in by_partition.into_values() {
        loop {
            match find(client, &group).and_then(|()| offset_count(client, &group)) {
                Ok(found) if found == offsets => break,
                Ok(found) => return Err(Failure::Said(format!("{group} has {found} offsets instead of {offsets}"))),
                Err(error) => topics::retry(error, deadline)?,
            }
            refused += 1;
        }
    }
    Ok(refused)
}

/// The partition of `__consumer_offsets` that a group of ASCII name lies in: Java's hash of it.
fn partition_of(group: &str) -> u32 {
    let hash = group.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
    hash.checked_abs().unwrap_or(0).unsigned_abs() % OFFSETS_PARTITIONS
}

fn find(client: &mut Client, group: &str) -> Result<()> {
    let message = FindCoordinatorRequest { key: Cow::Borrowed(group), ..Default::default() };
    let version = FIND_COORDINATOR;
    let answer = client.call(ApiKey::FindCoordinator, version, |out| message.encode(out, version))?;
    let answer = FindCoordinatorResponse::decode(&mut Cursor::new(&answer), version)?;
    accept(|| format!("finding the coordinator of {group}"), answer.error_code)
}

/// How many offsets the group has committed.
fn offset_count(client: &mut Client, group: &str) -> Result<usize> {
    let message = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup { group_id: Cow::Borrowed(group), topics: None, ..Default::default() }],
        ..Default::default()
    };
    let answer = client.call(ApiKey::OffsetFetch, OFFSET_FETCH, |out| message.encode(out, OFFSET_FETCH))?;
    let answer = OffsetFetchResponse::decode(&mut Cursor::new(&answer), OFFSET_FETCH)?;
    let found = answer.groups.first().ok_or_else(|| Failure::Said("OffsetFetch answered no group".to_owned()))?;
    accept(|| format!("asking for the offsets of {group}"), found.error_code)?;
    Ok(found.topics.iter().map(|topic| topic.partitions.len()).sum())
}
