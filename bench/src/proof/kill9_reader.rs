//! Reads a partition from its beginning and checks that record `n` lies at offset `n`.

use ottla_messages::fetch::FetchResponse;
use ottla_wire::Cursor;
use ottla_wire::batch::{Batches, INFLATED_BYTES_MAX, ValidBatch};

use crate::failure::{Failure, Result, accept};
use crate::protocol::{Client, frame};

const FETCH_BYTES: i32 = 4 << 20;

/// Reads up to `end`; each value must begin with the record's own offset.
pub(crate) fn check_numbers(client: &mut Client, topic: &str, partition: i32, end: i64) -> Result<()> {
    let mut next = 0;
    while next < end {
        let answer = client.exchange(frame::fetch(topic, partition, next, FETCH_BYTES)?, true)?;
        let answer = FetchResponse::decode(&mut Cursor::new(&answer), frame::FETCH)?;
        let data = answer.responses.first().and_then(|topic| topic.partitions.first());
        let data = data.ok_or_else(|| Failure::Said("Fetch answered no partition".to_owned()))?;
        accept(|| format!("fetching {topic}-{partition}"), data.error_code)?;
        let reached = check_batches(data.records.map_or(&[][..], |records| records.bytes()), next)?;
        if reached == next {
            return Err(Failure::Said(format!("partition {partition} gives nothing at {next}, its end is {end}")));
        }
        next = reached;
    }
    Ok(())
}

fn check_batches(bytes: &[u8], mut next: i64) -> Result<i64> {
    let mut scratch = Vec::new();
    for batch in Batches::new(bytes) {
        // A fetch may end in the middle of a batch.
        let Ok((_, batch)) = batch else { break };
        let batch = ValidBatch::trusted(batch)?;
        for record in batch.records(&mut scratch, INFLATED_BYTES_MAX)? {
            let record = record?;
            let number =
                record.value.and_then(|value| value.first_chunk::<8>()).map(|bytes| i64::from_be_bytes(*bytes));
            if record.offset.0 < next {
                continue;
            }
            if record.offset.0 != next || number != Some(next) {
                return Err(Failure::Said(format!(
                    "offset {} holds record {number:?}; {next} was due",
                    record.offset.0
                )));
            }
            next += 1;
        }
    }
    Ok(next)
}
