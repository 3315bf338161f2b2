//! How far groups are behind, by kafka_exporter's names: committed offsets from the coordinators, ends and times from the logs.
//!
//! A group is told of by its coordinator alone and a partition's lag by the partition's leader, so that sums over brokers are right.

use crate::cx::Cx;
use crate::cx::groups::{Answer, Command, Surveyed};
use crate::cx::{Partition, Reading, Upto};
use ottla_host::disk::read_exact_at;
use ottla_host::metric::{Metric, Scrape, Unit};
use ottla_wire::batch::{Batches, ValidBatch};
use ottla_wire::ids::Offset;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Offsets shown at one scrape; groups beyond are left out, and a line of the log says so.
const OFFSETS_MAX: usize = 100_000;
/// Records looked up at one scrape; the others show their seconds at one of the next.
const LOOKS_MAX: usize = 2000;
/// Time that one scrape takes for look-ups.
const LOOKS_TIME_MAX: Duration = Duration::from_secs(1);
/// Time that all of it takes: whoever scrapes does not wait for a coordinator that waits for a disk.
const REFRESH_TIME_MAX: Duration = Duration::from_secs(3);
/// Bytes of a log that are read for one look-up, unless the batch is larger.
const LOOK_BYTES: u32 = 4096;
/// Most bytes that a compressed batch may unfold to for the time of one record; of a larger one the first record's time counts.
const UNFOLDED_BYTES_MAX: usize = 1 << 20;

const fn of_partition(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric::gauge(name, unit, doc).with_labels(&["consumergroup", "topic", "partition"])
}

const fn of_topic(name: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric::gauge(name, unit, doc).with_labels(&["consumergroup", "topic"])
}

const CURRENT: Metric =
    of_partition("kafka_consumergroup_current_offset", Unit::Offsets, "Next offset that the group reads");
const LAG: Metric =
    of_partition("kafka_consumergroup_lag", Unit::Offsets, "Offsets from the group's to the end of the partition");
const LAG_SECONDS: Metric = of_partition(
    "kafka_consumergroup_lag_seconds",
    Unit::Seconds,
    "Age of the first record that the group has not read; 0 when it has read all",
);
const CURRENT_SUM: Metric =
    of_topic("kafka_consumergroup_current_offset_sum", Unit::Offsets, "Sum of the group's offsets over partitions");
const LAG_SUM: Metric =
    of_topic("kafka_consumergroup_lag_sum", Unit::Offsets, "Sum of the group's lag over partitions");
const MEMBERS: Metric =
    Metric::gauge("kafka_consumergroup_members", Unit::Count, "Members of the group").with_labels(&["consumergroup"]);

/// A partition of which a group has an offset.
type Place = (Arc<str>, i32);

/// Lag as it was found last.
#[derive(Default)]
pub(crate) struct Lags {
    /// Lock order: a leaf.
    found: Mutex<Arc<Found>>,
}

#[derive(Default)]
struct Found {
    groups: Vec<Group>,
    /// Time of the record at an offset, ms since 1970: it never changes, so that it is looked up once.
    times: BTreeMap<(Place, i64), i64>,
}

struct Group {
    id: Arc<str>,
    members: usize,
    /// Sorted by topic and partition.
    offsets: Vec<Behind>,
}

struct Behind {
    place: Place,
    offset: i64,
    /// None where another broker leads the partition.
    lag: Option<i64>,
    /// None where it has not been looked up yet.
    lag_ms: Option<i64>,
}

impl Lags {
    /// Finds out anew how far groups are behind. Where that takes too long, what was found last is shown.
    pub(crate) async fn refresh(&self, cx: &Cx) {
        tokio::select! {
            biased;
            () = self.find(cx) => {}
            () = cx.sleep_until(cx.monotonic() + REFRESH_TIME_MAX) => {
                tracing::warn!("the lag of groups is not known in time: the metrics show it as it was");
            }
        }
    }

    async fn find(&self, cx: &Cx) {
        let before = self.found.lock().clone();
        let mut found = Found { groups: survey(cx).await, times: BTreeMap::new() };
        let deadline = cx.monotonic() + LOOKS_TIME_MAX;
        let now = cx.wall().0;
        let mut looks = LOOKS_MAX;
        for behind in found.groups.iter_mut().flat_map(|group| &mut group.offsets) {
            let (topic, index) = &behind.place;
            let hosted = cx.topic(topic);
            let partition = hosted.as_ref().and_then(|hosted| hosted.partition(*index));
            let Some(partition) = partition.filter(|partition| partition.serves().is_ok()) else { continue };
            let lag = (partition.watermark().0 - behind.offset).max(0);
            behind.lag = Some(lag);
            if lag == 0 {
                behind.lag_ms = Some(0);
                continue;
            }
            let unread = behind.offset.max(partition.view().start().0);
            let key = (behind.place.clone(), unread);
            let known = found.times.get(&key).or_else(|| before.times.get(&key)).copied();
            let time = match known {
                None if looks > 0 && cx.monotonic() < deadline => {
                    looks -= 1;
                    time_at(cx, partition, Offset(unread)).await
                }
                known => known,
            };
            if let Some(time) = time {
                found.times.insert(key, time);
                behind.lag_ms = Some((now - time).max(0));
            }
        }
        *self.found.lock() = Arc::new(found);
    }

    /// Puts what was found.
    pub(crate) fn collect(&self, scrape: &mut Scrape<'_>) {
        let found = self.found.lock().clone();
        for group in &found.groups {
            scrape.put(&MEMBERS, &[&group.id], group.members as f64);
            let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
            for behind in &group.offsets {
                let (topic, index) = &behind.place;
                let index = index.to_string();
                let labels = [&*group.id, topic, &index];
                scrape.put(&CURRENT, &labels, behind.offset as f64);
                let sum = sums.entry(topic).or_default();
                sum.0 += behind.offset;
                if let Some(lag) = behind.lag {
                    scrape.put(&LAG, &labels, lag as f64);
                    sum.1 += lag;
                }
                if let Some(ms) = behind.lag_ms {
                    scrape.put(&LAG_SECONDS, &labels, ms as f64 / 1000.0);
                }
            }
            for (topic, (offset, lag)) in sums {
                scrape.put(&CURRENT_SUM, &[&group.id, topic], offset as f64);
                scrape.put(&LAG_SUM, &[&group.id, topic], lag as f64);
            }
        }
    }
}

/// What the groups coordinated here have committed, page by page.
async fn survey(cx: &Cx) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut left = OFFSETS_MAX;
    for (_, shard) in cx.coordinators().all() {
        let mut after = None;
        // A coordinator that is still loading, or no longer here, tells nothing at this scrape.
        while let Ok(Answer::Surveyed(page)) = shard.ask(Command::Survey(after.take())).await {
            after = page.groups.last().map(|last| last.group.clone());
            for surveyed in page.groups {
                if surveyed.offsets.len() > left {
                    tracing::warn!(group = &*surveyed.group, "lag of more than {OFFSETS_MAX} offsets is not shown");
                    return groups;
                }
                left -= surveyed.offsets.len();
                groups.extend(shown(surveyed));
            }
            if page.is_last || after.is_none() {
                break;
            }
        }
    }
    groups
}

/// A group's series; None for one without members and offsets.
fn shown(surveyed: Surveyed) -> Option<Group> {
    if surveyed.offsets.is_empty() && surveyed.members == 0 {
        return None;
    }
    let behind = |(topic, index, offset)| Behind { place: (topic, index), offset, lag: None, lag_ms: None };
    let mut offsets: Vec<Behind> = surveyed.offsets.into_iter().map(behind).collect();
    offsets.sort_by(|left, right| left.place.cmp(&right.place));
    Some(Group { id: surveyed.group, members: surveyed.members, offsets })
}

/// Time of the first record at or behind `offset`, ms since 1970; None where it cannot be read.
async fn time_at(cx: &Cx, partition: &Arc<Partition>, offset: Offset) -> Option<i64> {
    let reading = Reading { from: offset, max_bytes: LOOK_BYTES, at_least_one: true, upto: Upto::Watermark };
    let slice = partition.read(reading).ok()?;
    cx.read_ahead(partition, &slice).await;
    let file = slice.file.as_ref().filter(|_| slice.length > 0)?;
    let mut bytes = vec![0; slice.length as usize];
    read_exact_at(&**file, &mut bytes, slice.position).ok()?;
    if slice.is_valid() { first_time(&bytes, offset) } else { None }
}

fn first_time(bytes: &[u8], offset: Offset) -> Option<i64> {
    for batch in Batches::new(bytes) {
        let batch = ValidBatch::trusted(batch.ok()?.1).ok()?;
        if batch.next_offset() <= offset {
            continue;
        }
        let mut unfolded = Vec::new();
        let Ok(records) = batch.records(&mut unfolded, UNFOLDED_BYTES_MAX) else { return Some(batch.base_timestamp()) };
        let mut unread = records.filter_map(Result::ok).filter(|record| record.offset >= offset);
        return Some(unread.next().map_or(batch.base_timestamp(), |record| record.timestamp));
    }
    None
}
