//! Records from the leaders of a topic's partitions, in order within each.

use super::format::Printed;
use super::position;
use crate::client::cluster::{Cluster, Topic};
use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use ottla_wire::batch::{BatchHeader, Batches, TimestampType, ValidBatch};
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most bytes of one answer, Kafka's `fetch.max.bytes`.
const ANSWER_BYTES: i32 = 50 * 1024 * 1024;
/// Most bytes of one partition in an answer, Kafka's `max.partition.fetch.bytes`.
const PARTITION_BYTES: i32 = 1024 * 1024;
/// Most bytes that one compressed batch may unfold to.
const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;
/// ListOffsets' name for the first offset.
const EARLIEST: i64 = -2;

/// Reads a topic from given positions on.
pub(super) struct Reader {
    cluster: Cluster,
    topic: Topic,
    positions: BTreeMap<i32, i64>,
    committed: bool,
}

impl Reader {
    /// A reader of the partitions in `positions`; of committed records only when `committed`.
    pub(super) fn new(cluster: Cluster, topic: Topic, positions: BTreeMap<i32, i64>, committed: bool) -> Reader {
        Reader { cluster, topic, positions, committed }
    }

    /// Fetches once from each leader and hands every record to `print`.
    pub(super) fn poll(&mut self, wait: Duration, print: &mut dyn FnMut(&Printed<'_>)) -> Result<(), Failure> {
        let mut by_leader: BTreeMap<String, Vec<(i32, i64)>> = BTreeMap::new();
        for (partition, position) in &self.positions {
            let leader = self.topic.leaders.get(partition).cloned().unwrap_or_default();
            by_leader.entry(leader).or_default().push((*partition, *position));
        }
        let wait = wait / by_leader.len().max(1) as u32;
        let mut again = false;
        for (leader, partitions) in by_leader {
            again |= self.fetch(&leader, &partitions, wait, print)?;
        }
        if again {
            self.topic = self.cluster.topic(&self.topic.name, false)?;
        }
        Ok(())
    }

    /// Fetches from one leader; whether another broker has to be asked next time.
    fn fetch(
        &mut self,
        leader: &str,
        partitions: &[(i32, i64)],
        wait: Duration,
        print: &mut dyn FnMut(&Printed<'_>),
    ) -> Result<bool, Failure> {
        let request = self.request(partitions, wait);
        let answer = self.cluster.at(leader)?.call(ApiKey::Fetch, |out, version| request.encode(out, version))?;
        let (mut cursor, version) = answer.body();
        let response = FetchResponse::decode(&mut cursor, version).during(|| "read a fetch answer".to_owned())?;
        let mut again = false;
        for data in response.responses.iter().flat_map(|topic| &topic.partitions) {
            match ErrorCode::from_code(data.error_code) {
                ErrorCode::NONE => self.records(data, print)?,
                ErrorCode::OFFSET_OUT_OF_RANGE => self.reset(leader, data.partition_index)?,
                error if error.retriable() => again = true,
                error => {
                    let (name, partition) = (&self.topic.name, data.partition_index);
                    return Err(Failure::new(format!("{name}-{partition}: {} ({error})", error.text())));
                }
            }
        }
        Ok(again)
    }

    fn request(&self, partitions: &[(i32, i64)], wait: Duration) -> FetchRequest<'static> {
        let asked = partitions.iter().map(|(partition, position)| FetchPartition {
            partition: *partition,
            fetch_offset: *position,
            partition_max_bytes: PARTITION_BYTES,
            ..Default::default()
        });
        let topic =
            FetchTopic { topic: self.topic.name.clone().into(), topic_id: self.topic.id, partitions: asked.collect() };
        FetchRequest {
            max_wait_ms: wait.as_millis() as i32,
            min_bytes: 1,
            max_bytes: ANSWER_BYTES,
            isolation_level: i8::from(self.committed),
            topics: vec![topic],
            ..Default::default()
        }
    }

    fn reset(&mut self, leader: &str, partition: i32) -> Result<(), Failure> {
        let offset = position::list(&mut self.cluster, &self.topic, (partition, leader), EARLIEST)?;
        eprintln!("{}-{partition} begins at offset {offset} now: going on from there", self.topic.name);
        self.positions.insert(partition, offset);
        Ok(())
    }

    fn records(&mut self, data: &PartitionData<'_>, print: &mut dyn FnMut(&Printed<'_>)) -> Result<(), Failure> {
        let Some(records) = data.records else { return Ok(()) };
        let partition = data.partition_index;
        let mut position = self.positions.get(&partition).copied().unwrap_or_default();
        let mut aborted = Aborted::new(data.aborted_transactions.as_deref().unwrap_or_default());
        // A batch that is cut off at the end of the answer comes whole with the next fetch.
        for batch in Batches::new(records.bytes()) {
            let doing = || format!("read {}-{partition} at offset {position}", self.topic.name);
            let (_, bytes) = batch.during(doing)?;
            let batch = ValidBatch::trusted(bytes).during(doing)?;
            let hidden = self.committed && aborted.hides(&batch);
            if !batch.is_control() && !hidden {
                print_batch(&batch, partition, position, print)?;
            }
            position = position.max(batch.next_offset().0);
        }
        self.positions.insert(partition, position);
        Ok(())
    }
}

fn print_batch(
    batch: &ValidBatch<'_>,
    partition: i32,
    from: i64,
    print: &mut dyn FnMut(&Printed<'_>),
) -> Result<(), Failure> {
    let doing = || format!("read the batch at offset {}", batch.base_offset());
    let kind = match batch.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let mut unfolded = Vec::new();
    for record in batch.records(&mut unfolded, BATCH_BYTES_MAX).during(doing)? {
        let record = record.during(doing)?;
        if record.offset.0 < from {
            continue;
        }
        print(&Printed {
            timestamp: (kind, record.timestamp),
            partition,
            offset: record.offset.0,
            epoch: Some(batch.leader_epoch().0),
            headers: record.headers.iter().map(|header| (header.key, header.value)).collect(),
            key: record.key,
            value: record.value,
        });
    }
    Ok(())
}

/// Which producers' records are aborted at the offset reached.
struct Aborted {
    to_come: Vec<(i64, i64)>,
    producers: BTreeSet<i64>,
}

impl Aborted {
    fn new(transactions: &[AbortedTransaction]) -> Aborted {
        let mut to_come: Vec<(i64, i64)> =
            transactions.iter().map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        to_come.sort_unstable_by(|left, right| right.cmp(left));
        Aborted { to_come, producers: BTreeSet::new() }
    }

    /// Whether the batch belongs to an aborted transaction. A marker ends the producer's transaction.
    fn hides(&mut self, batch: &BatchHeader<'_>) -> bool {
        while self.to_come.last().is_some_and(|(first, _)| *first <= batch.last_offset().0) {
            self.producers.extend(self.to_come.pop().map(|(_, producer)| producer));
        }
        if batch.is_control() {
            self.producers.remove(&batch.producer_id().0);
        }
        batch.is_transactional() && self.producers.contains(&batch.producer_id().0)
    }
}
