//! Records from the leaders of partitions, in order within each.

use super::format::Printed;
use super::position::{self, From};
use super::records::{Aborted, print_batch};
use crate::client::cluster::{Cluster, Topic};
use crate::client::groups::Committed;
use crate::client::member::Owner;
use crate::client::offsets::{TopicPartition, by_topic};
use crate::failure::{Failure, While};
use crate::output;
use ottla_messages::api::ApiKey;
use ottla_messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData};
use ottla_wire::batch::{Batches, ValidBatch};
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much and what is read; each field is the consumer setting of its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// `isolation.level=read_committed`.
    pub(super) committed: bool,
    /// `auto.offset.reset`.
    pub(super) reset: From,
    /// `fetch.max.bytes`.
    pub(super) answer_bytes: i32,
    /// `max.partition.fetch.bytes`.
    pub(super) partition_bytes: i32,
}

/// What is handed every record; says whether it took it. The first it does not take ends the poll, and is not read.
pub(super) type Taker<'a> = &'a mut dyn FnMut(&Printed<'_>) -> bool;

/// Reads partitions from given positions on.
pub(super) struct Reader {
    reading: Reading,
    topics: BTreeMap<String, Topic>,
    positions: BTreeMap<TopicPartition, Committed>,
}

impl Reader {
    /// A reader of nothing yet.
    pub(super) fn new(reading: Reading) -> Reader {
        Reader { reading, topics: BTreeMap::new(), positions: BTreeMap::new() }
    }

    /// Starts reading partitions that are not read yet, each at its offset or else where `from` says.
    pub(super) fn start(
        &mut self,
        cluster: &mut Cluster,
        partitions: BTreeMap<TopicPartition, Option<Committed>>,
        from: From,
    ) -> Result<(), Failure> {
        let names: BTreeSet<&str> = partitions.keys().map(|place| place.topic.as_str()).collect();
        for name in names {
            if !self.topics.contains_key(name) {
                self.topics.insert(name.to_owned(), cluster.topic(name, false)?);
            }
        }
        let unknown: Vec<TopicPartition> =
            partitions.iter().filter(|(_, offset)| offset.is_none()).map(|(place, _)| place.clone()).collect();
        let found = position::find(cluster, &self.leaders(&unknown)?, from)?;
        for (place, offset) in partitions {
            let start = offset.or_else(|| found.get(&place).map(|offset| at(*offset)));
            if let Some(start) = start {
                self.positions.entry(place).or_insert(start);
            }
        }
        Ok(())
    }

    /// Whether it reads nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.positions.is_empty()
    }

    /// Where it stands.
    pub(super) fn places(&self) -> BTreeMap<TopicPartition, Committed> {
        self.positions.clone()
    }

    /// Goes back to where it stood: what came since then has not been shown to anybody.
    pub(super) fn go_back(&mut self, places: BTreeMap<TopicPartition, Committed>) {
        self.positions = places;
    }

    fn leaders(&self, places: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, String>, Failure> {
        let mut leaders = BTreeMap::new();
        for place in places {
            let leader = self.topics.get(&place.topic).and_then(|topic| topic.leaders.get(&place.partition));
            let leader = leader
                .ok_or_else(|| Failure::new(format!("topic {} has no partition {}", place.topic, place.partition)))?;
            leaders.insert(place.clone(), leader.clone());
        }
        Ok(leaders)
    }

    /// Fetches once from each leader and hands every record to `take`. Nothing comes of a fetch that `go_on` gave up.
    pub(super) fn poll(
        &mut self,
        cluster: &mut Cluster,
        wait: Duration,
        go_on: &mut dyn FnMut() -> bool,
        take: Taker<'_>,
    ) -> Result<(), Failure> {
        let mut by_leader: BTreeMap<String, Vec<TopicPartition>> = BTreeMap::new();
        for place in self.positions.keys() {
            let leader = self.topics.get(&place.topic).and_then(|topic| topic.leaders.get(&place.partition));
            by_leader.entry(leader.cloned().unwrap_or_default()).or_default().push(place.clone());
        }
        let wait = wait / u32::try_from(by_leader.len().max(1)).unwrap_or(u32::MAX);
        let mut stale = BTreeSet::new();
        for (leader, places) in by_leader {
            let request = self.request(&places, wait);
            let link = cluster.at(&leader)?;
            let answer = link.call_while(ApiKey::Fetch, |out, version| request.encode(out, version), go_on)?;
            let Some(answer) = answer else {
                cluster.forget(&leader);
                return Ok(());
            };
            let (mut cursor, version) = answer.body();
            let response = FetchResponse::decode(&mut cursor, version).during(|| "read a fetch answer".to_owned())?;
            if !self.answered(cluster, &response, &mut stale, take)? {
                return Ok(());
            }
        }
        for name in stale {
            self.topics.insert(name.clone(), cluster.topic(&name, false)?);
        }
        Ok(())
    }

    fn request(&self, places: &[TopicPartition], wait: Duration) -> FetchRequest<'static> {
        let positions = places.iter().filter_map(|place| Some((place, self.positions.get(place)?.offset)));
        let partition = |(partition, fetch_offset)| FetchPartition {
            partition,
            fetch_offset,
            partition_max_bytes: self.reading.partition_bytes,
            ..Default::default()
        };
        let topics = by_topic(positions).into_iter().map(|(name, partitions)| FetchTopic {
            topic: name.to_owned().into(),
            topic_id: self.topics.get(name).map(|topic| topic.id).unwrap_or_default(),
            partitions: partitions.into_iter().map(partition).collect(),
        });
        FetchRequest {
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: 1,
            max_bytes: self.reading.answer_bytes,
            isolation_level: i8::from(self.reading.committed),
            topics: topics.collect(),
            ..Default::default()
        }
    }

    /// Takes an answer in; whether more is wanted.
    fn answered(
        &mut self,
        cluster: &mut Cluster,
        response: &FetchResponse<'_>,
        stale: &mut BTreeSet<String>,
        take: Taker<'_>,
    ) -> Result<bool, Failure> {
        for topic in &response.responses {
            let by_id = self.topics.values().find(|known| !known.id.is_zero() && known.id == topic.topic_id);
            let name = by_id.map_or_else(|| topic.topic.to_string(), |known| known.name.clone());
            for data in &topic.partitions {
                let place = TopicPartition::new(name.as_str(), data.partition_index);
                match ErrorCode::from_code(data.error_code) {
                    ErrorCode::NONE => {
                        if !self.records(&place, data, take)? {
                            return Ok(false);
                        }
                    }
                    ErrorCode::OFFSET_OUT_OF_RANGE => self.reset(cluster, &place)?,
                    error if error.retriable() => {
                        stale.insert(name.clone());
                    }
                    error => return Err(Failure::new(format!("{place}: {} ({error})", error.text()))),
                }
            }
        }
        Ok(true)
    }

    /// Goes on where `auto.offset.reset` says.
    fn reset(&mut self, cluster: &mut Cluster, place: &TopicPartition) -> Result<(), Failure> {
        let from = match self.reading.reset {
            From::Offset(_) => From::Latest,
            other => other,
        };
        let leaders = self.leaders(std::slice::from_ref(place))?;
        for (place, offset) in position::find(cluster, &leaders, from)? {
            let was = self.positions.get(&place).map_or(0, |position| position.offset);
            output::note(format_args!("{place} has no offset {was}: going on from {offset}"));
            self.positions.insert(place, at(offset));
        }
        Ok(())
    }

    /// Hands on the records of a partition; whether all were taken.
    fn records(&mut self, place: &TopicPartition, data: &PartitionData<'_>, take: Taker<'_>) -> Result<bool, Failure> {
        let Some(records) = data.records else { return Ok(true) };
        let Some(mut position) = self.positions.get(place).copied() else { return Ok(true) };
        let mut aborted = Aborted::new(data.aborted_transactions.as_deref().unwrap_or_default());
        let mut all = true;
        // A batch that is cut off at the end of the answer comes whole with the next fetch.
        for batch in Batches::new(records.bytes()) {
            let doing = || format!("read {place} at offset {}", position.offset);
            let (_, bytes) = batch.during(doing)?;
            let batch = ValidBatch::trusted(bytes).during(doing)?;
            let hidden = self.reading.committed && aborted.hides(&batch);
            if !batch.is_control() && !hidden {
                all = print_batch(&batch, place.partition, &mut position, take)?;
            }
            if !all {
                break;
            }
            position.offset = position.offset.max(batch.next_offset().0);
        }
        self.positions.insert(place.clone(), position);
        Ok(all)
    }
}

fn at(offset: i64) -> Committed {
    Committed { offset, leader_epoch: None }
}

impl Owner for Reader {
    fn positions(&self) -> BTreeMap<TopicPartition, Committed> {
        self.positions.clone()
    }

    fn give_up(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.positions.retain(|place, _| !partitions.contains(place));
    }

    fn take(
        &mut self,
        cluster: &mut Cluster,
        partitions: BTreeMap<TopicPartition, Option<Committed>>,
    ) -> Result<(), Failure> {
        self.start(cluster, partitions, self.reading.reset)
    }
}
