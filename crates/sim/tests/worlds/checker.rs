//! What must hold whatever happens: nothing acknowledged is lost, repeated, reordered or changed.

use crate::producer::Failure;
use ottla_host::disk::read_exact_at;
use ottla_log::{Slice, View};
use ottla_wire::batch::{Batches, ValidBatch};
use ottla_wire::ids::Offset;
use std::collections::BTreeMap;

/// A record's content: who wrote it, and which of theirs it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Value {
    pub(crate) producer: u32,
    pub(crate) number: u32,
}

impl Value {
    /// Always as long, so that a batch may come to lie exactly where another was.
    pub(crate) fn bytes(self) -> [u8; 24] {
        let mut bytes = [b'.'; 24];
        bytes[..4].copy_from_slice(&self.producer.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Value> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        Some(Value { producer: word(0)?, number: word(4)? })
    }
}

/// What the world has seen of the log.
#[derive(Default)]
pub(crate) struct Checker {
    /// Producers that may not repeat.
    pub(crate) idempotent: Vec<u32>,
    acknowledged: BTreeMap<Offset, Value>,
    seen: BTreeMap<Offset, Value>,
    pub(crate) acknowledgements: u64,
    pub(crate) failures: u64,
}

impl Checker {
    /// A producer was told that its batch lies at `base`.
    pub(crate) fn acknowledged(&mut self, base: Offset, values: &[Value]) {
        self.acknowledgements += 1;
        for (offset, value) in (base.0..).zip(values) {
            let before = self.acknowledged.insert(Offset(offset), *value);
            assert!(
                before.is_none_or(|before| before == *value),
                "{offset} was acknowledged for {before:?} and {value:?}"
            );
        }
    }

    /// A batch was not acknowledged.
    pub(crate) fn failed(&mut self, _failure: Failure) {
        self.failures += 1;
    }

    /// A reader was shown this slice.
    pub(crate) fn saw(&mut self, slice: &Slice) {
        for (offset, value) in records_of(slice) {
            let before = self.seen.insert(offset, value);
            assert!(before.is_none_or(|before| before == value), "{offset:?} was {before:?} and is {value:?}");
        }
    }

    /// Reads the whole log and compares it with all that is known.
    pub(crate) fn check(&self, view: &View) {
        let records = read_all(view);
        for (offset, value) in self.acknowledged.iter().chain(&self.seen) {
            let found = records.get(offset);
            assert!(
                found == Some(value),
                "{offset:?} has {found:?}, not {value:?}, in a log that ends at {:?}",
                view.end()
            );
        }
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for (offset, value) in &records {
            let before = last.insert(value.producer, value.number);
            let is_idempotent = self.idempotent.contains(&value.producer);
            let next = before.map_or(0, |before| before + 1);
            let in_order = if is_idempotent { value.number == next } else { value.number >= next };
            assert!(in_order, "{offset:?} has {value:?} where {next} was due");
        }
    }
}

fn read_all(view: &View) -> BTreeMap<Offset, Value> {
    let mut records = BTreeMap::new();
    let mut at = view.start();
    while at < view.end() {
        let slice = view.read(at, view.end(), 1000, true).expect("the log is readable up to its end");
        let found = records_of(&slice);
        let (first, last) = (found.first().expect("a slice is not empty").0, found.last().expect("a slice").0);
        assert!(first == at, "a read at {at:?} begins at {first:?}");
        at = Offset(last.0 + 1);
        records.extend(found);
    }
    records
}

fn records_of(slice: &Slice) -> Vec<(Offset, Value)> {
    let Some(file) = &slice.file else { return Vec::new() };
    let mut bytes = vec![0; slice.length as usize];
    read_exact_at(&**file, &mut bytes, slice.position).expect("a slice lies in its file");
    let mut found: Vec<(Offset, Value)> = Vec::new();
    let mut scratch = Vec::new();
    for batch in Batches::new(&bytes) {
        let (_, batch) = batch.expect("a slice holds whole batches");
        let batch = ValidBatch::trusted(batch).expect("a batch is as it was checked");
        for record in batch.records(&mut scratch, 0).unwrap() {
            let record = record.unwrap();
            let value = Value::parse(record.value.unwrap()).unwrap();
            assert!(found.last().is_none_or(|(last, _)| last.0 + 1 == record.offset.0), "offsets follow each other");
            found.push((record.offset, value));
        }
    }
    found
}
