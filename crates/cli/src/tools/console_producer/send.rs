//! Batches on their way: lines gathered per partition, sent to its leader, retried while the error allows it.

use super::line::Line;
use super::partitioner;
use crate::client::cluster::{Cluster, Topic};
use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_wire::Records;
use ottla_wire::batch::{BatchBuilder, Header, NewRecord};
use ottla_wire::codec::{Codec, Compression};
use ottla_wire::error::ErrorCode;
use ottla_wire::ids::Offset;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Times that a batch is sent again after an error that may pass.
const RETRIES_MAX: usize = 10;
/// Between two tries.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Where and how to send.
pub(super) struct Settings {
    /// Brokers, `host:port,…`.
    pub(super) bootstrap: String,
    /// The topic.
    pub(super) topic: String,
    /// How batches are compressed.
    pub(super) codec: Codec,
    /// -1 for all, 1 or 0.
    pub(super) acks: i16,
    /// How long the broker may wait for replicas, in milliseconds.
    pub(super) timeout_ms: i32,
}

/// Gathers lines and sends them.
pub(super) struct Sender<'a> {
    settings: &'a Settings,
    cluster: Cluster,
    topic: Topic,
    waiting: BTreeMap<usize, Vec<(i64, Line)>>,
    bytes: usize,
    sticky: usize,
}

/// The codec of a name.
pub(super) fn codec(name: &str) -> Result<Codec, Failure> {
    Codec::from_name(name).ok_or_else(|| {
        Failure::new(format!("--compression-codec must be none, gzip, snappy, lz4 or zstd, not {name:?}"))
    })
}

impl<'a> Sender<'a> {
    /// Connects and finds the topic, creating it where the broker allows that.
    pub(super) fn new(settings: &'a Settings) -> Result<Sender<'a>, Failure> {
        let mut cluster = Cluster::connect(&settings.bootstrap)?;
        let topic = cluster.topic(&settings.topic, true)?;
        Ok(Sender { settings, cluster, topic, waiting: BTreeMap::new(), bytes: 0, sticky: 0 })
    }

    /// Puts a line into the batch of its partition.
    pub(super) fn add(&mut self, line: Line) -> Result<(), Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).during(|| "read the clock".to_owned())?;
        let partition = match &line.key {
            Some(key) => partitioner::of_key(key, self.topic.leaders.len()),
            None => self.sticky % self.topic.leaders.len(),
        };
        self.bytes += line.key.as_ref().map_or(0, Vec::len) + line.value.as_ref().map_or(0, Vec::len);
        self.waiting.entry(partition).or_default().push((now.as_millis() as i64, line));
        Ok(())
    }

    /// Whether `limit` bytes are gathered.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.bytes >= limit
    }

    /// Sends all that is gathered and waits for the acknowledgements.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        for (partition, lines) in std::mem::take(&mut self.waiting) {
            let batch = self.batch(&lines)?;
            self.send(partition as i32, &batch)?;
        }
        self.bytes = 0;
        // The next records without a key go to the next partition.
        self.sticky += 1;
        Ok(())
    }

    fn batch(&self, lines: &[(i64, Line)]) -> Result<Vec<u8>, Failure> {
        let mut builder = BatchBuilder::new(Offset(0)).compression(Compression::of(self.settings.codec));
        for (timestamp, line) in lines {
            let headers: Vec<Header<'_>> = line
                .headers
                .iter()
                .map(|(key, value)| Header { key: key.as_bytes(), value: value.as_deref() })
                .collect();
            let record = NewRecord {
                timestamp: *timestamp,
                key: line.key.as_deref(),
                value: line.value.as_deref(),
                headers: &headers,
            };
            builder.append(&record).during(|| "put a line into a batch".to_owned())?;
        }
        Ok(builder.finish())
    }

    fn send(&mut self, partition: i32, batch: &[u8]) -> Result<(), Failure> {
        let mut error = ErrorCode::NONE;
        for _ in 0..RETRIES_MAX {
            let (code, message) = self.try_send(partition, batch)?;
            if !code.is_error() {
                return Ok(());
            }
            error = code;
            if !error.retriable() {
                let why = message.unwrap_or_else(|| error.text().to_owned());
                return Err(Failure::new(format!(
                    "{}-{partition} refused the records: {why} ({error})",
                    self.topic.name
                )));
            }
            std::thread::sleep(RETRY_AFTER);
            self.topic = self.cluster.topic(&self.settings.topic, true)?;
        }
        Err(Failure::new(format!(
            "{}-{partition} did not take the records: {} ({error})",
            self.topic.name,
            error.text()
        )))
    }

    fn try_send(&mut self, partition: i32, batch: &[u8]) -> Result<(ErrorCode, Option<String>), Failure> {
        let data = PartitionProduceData { index: partition, records: Some(Records::Bytes(batch)) };
        let topic = TopicProduceData {
            name: self.topic.name.as_str().into(),
            topic_id: self.topic.id,
            partition_data: vec![data],
        };
        let request = ProduceRequest {
            acks: self.settings.acks,
            timeout_ms: self.settings.timeout_ms,
            topic_data: vec![topic],
            ..Default::default()
        };
        let Some(leader) = self.topic.leaders.get(&partition).cloned() else {
            return Ok((ErrorCode::LEADER_NOT_AVAILABLE, None));
        };
        let link = self.cluster.at(&leader)?;
        if self.settings.acks == 0 {
            link.tell(ApiKey::Produce, |out, version| request.encode(out, version))?;
            return Ok((ErrorCode::NONE, None));
        }
        let answer = link.call(ApiKey::Produce, |out, version| request.encode(out, version))?;
        let (mut cursor, version) = answer.body();
        let response = ProduceResponse::decode(&mut cursor, version).during(|| "read a produce answer".to_owned())?;
        let answers = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        Ok(answers
            .map(|answer| (ErrorCode::from_code(answer.error_code), answer.error_message.as_deref().map(str::to_owned)))
            .next()
            .unwrap_or((ErrorCode::UNKNOWN_SERVER_ERROR, None)))
    }
}
