//! What must hold of committed offsets, whoever owns their partitions.

use ottla_coordinator::group::Record;
use ottla_wire::batch::{Batches, ValidBatch};
use std::collections::BTreeMap;

/// What was promised, and who may commit what.
#[derive(Default)]
pub(super) struct Checker {
    /// The highest offset that somebody was told is committed, by partition.
    told: BTreeMap<i32, i64>,
    /// What the members own as far as they know.
    pub(super) owned: BTreeMap<(u32, i32), ()>,
    pub(super) acknowledgements: u64,
    pub(super) failures: u64,
    pub(super) handovers: u64,
}

impl Checker {
    /// An offset is committed, as somebody was told.
    pub(super) fn told(&mut self, partition: i32, offset: i64) {
        let told = self.told.entry(partition).or_insert(-1);
        *told = offset.max(*told);
    }

    /// What a fetch that begins now must answer at least.
    pub(super) fn floor(&self, partition: i32) -> i64 {
        self.told.get(&partition).copied().unwrap_or(-1)
    }

    /// A fetch that began when `floor` was the least is answered.
    pub(super) fn fetched(&mut self, partition: i32, offset: i64, floor: i64) {
        assert!(offset >= floor, "partition {partition}: offset {floor} was committed, {offset} is fetched");
        self.told(partition, offset);
    }

    /// Looks through the whole log: a partition that has passed to another owner does not come back under the same
    /// lease, and its offset never goes back.
    pub(super) fn check_log(&mut self, log: &[u8]) {
        let mut last: BTreeMap<i32, (String, i64)> = BTreeMap::new();
        let mut past: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        let mut handovers = 0;
        each_commit(log, |partition, offset, lease| {
            let (owner, before) = last.entry(partition).or_insert_with(|| (lease.to_owned(), -1));
            assert!(
                offset >= *before,
                "partition {partition}: {lease} moves the offset back from {before} to {offset}"
            );
            if owner != lease {
                let past = past.entry(partition).or_default();
                assert!(!past.iter().any(|one| one == lease), "partition {partition}: both {owner} and {lease} commit");
                past.push(std::mem::replace(owner, lease.to_owned()));
                handovers += 1;
            }
            *before = offset;
        });
        self.handovers = self.handovers.max(handovers);
        for (partition, told) in &self.told {
            let logged = last.get(partition).map_or(-1, |(_, offset)| *offset);
            assert!(logged >= *told, "partition {partition}: offset {told} was committed, the log ends with {logged}");
        }
    }
}

fn each_commit(log: &[u8], mut visit: impl FnMut(i32, i64, &str)) {
    for (_, batch) in Batches::new(log).map(|found| found.unwrap()) {
        let batch = ValidBatch::trusted(batch).unwrap();
        for record in batch.records(&mut Vec::new(), 1 << 20).unwrap() {
            let record = record.unwrap();
            if let Some(Record::Offset(key, Some(value))) = Record::decode(record.key.unwrap(), record.value).unwrap() {
                visit(key.partition, value.offset, &value.metadata);
            }
        }
    }
}
