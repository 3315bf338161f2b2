//! Batches that other implementations wrote are read, and ours are theirs byte for byte where no codec is between.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ottla_wire::batch::{
    BatchBuilder, BatchHeader, ControlKind, DoorRules, EndTxn, Header, NewRecord, Producer, ValidBatch,
};
use ottla_wire::codec::{Codec, Compression};
use ottla_wire::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Written by data/Batches.java with the classes of Apache Kafka 4.4.
const JAVA: &str = include_str!("data/batches-4.4.txt");
/// The same records, written by kafka-python 3.0.12.
const PYTHON: &str = include_str!("data/batches-kafka-python.txt");
const TIME: i64 = 1_700_000_000_000;
const PRODUCER: Producer = Producer { id: ProducerId(9), epoch: ProducerEpoch(3), base_sequence: 5 };

fn vectors(text: &str) -> Vec<(&str, Vec<u8>)> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.lines()
        .map(|line| {
            let (name, hex) = line.split_once(' ').unwrap();
            (name, hex.as_bytes().chunks(2).map(byte).collect())
        })
        .collect()
}

fn java(name: &str) -> Vec<u8> {
    vectors(JAVA).into_iter().find(|(found, _)| *found == name).unwrap().1
}

fn filled(mut builder: BatchBuilder) -> Vec<u8> {
    let value = [b'v'; 300];
    let headers = [
        Header { key: b"h", value: None },
        Header { key: b"h", value: Some(b"x") },
        Header { key: b"", value: Some(b"") },
    ];
    for record in [
        NewRecord { timestamp: TIME, ..NewRecord::default() },
        NewRecord { timestamp: TIME + 5, key: Some(b"k"), value: Some(b""), headers: &headers },
        NewRecord { timestamp: TIME - 7, key: Some(b""), value: Some(&value), headers: &[] },
    ] {
        builder.append(&record).unwrap();
    }
    builder.finish()
}

/// Everything that a reader sees, as text.
fn listed(bytes: &[u8]) -> Vec<String> {
    let mut scratch = Vec::new();
    let records = ValidBatch::trusted(bytes).unwrap().records(&mut scratch, 1 << 20).unwrap();
    records
        .map(|record| {
            let record = record.unwrap();
            let headers: Vec<_> = record.headers.iter().collect();
            format!("{} {} {:?} {:?} {headers:?}", record.offset, record.timestamp, record.key, record.value)
        })
        .collect()
}

#[test]
fn our_uncompressed_batches_are_those_of_java() {
    let plain = BatchBuilder::new(Offset(0));
    assert_eq!(filled(plain), java("none"));
    let idempotent = || BatchBuilder::new(Offset(12)).leader_epoch(LeaderEpoch(7)).producer(PRODUCER);
    assert_eq!(filled(idempotent()), java("idempotent"));
    assert_eq!(filled(idempotent().transactional()), java("transactional"));
    assert_eq!(filled(BatchBuilder::new(Offset(3)).append_time(TIME + 100)), java("append-time"));
}

#[test]
fn our_end_of_a_transaction_is_that_of_java() {
    let producer = Producer { base_sequence: -1, ..PRODUCER };
    let end = EndTxn { coordinator_epoch: 11 };
    let ours = BatchBuilder::end_of_transaction(producer, ControlKind::Commit, end, TIME);
    let batch = ValidBatch::trusted(&ours).unwrap();
    let stamp = batch.stamp(Offset(40), LeaderEpoch(7));
    assert_eq!([stamp.bytes(), batch.rest_after(&stamp)].concat(), java("commit"));
}

#[test]
fn compressed_batches_of_others_pass_the_door_and_read_alike() {
    let expected = listed(&filled(BatchBuilder::new(Offset(0))));
    for (name, bytes) in vectors(JAVA).into_iter().chain(vectors(PYTHON)) {
        let Some(codec) = Codec::from_name(name) else { continue };
        let batch = ValidBatch::check(&bytes, &DoorRules::default(), TIME).unwrap();
        assert_eq!((batch.codec(), batch.max_timestamp()), (codec, TIME + 5));
        assert_eq!(listed(&bytes), expected, "{name}");
    }
}

#[test]
fn headers_of_our_compressed_batches_are_those_of_java() {
    for codec in Codec::ALL {
        let ours = filled(BatchBuilder::new(Offset(0)).compression(Compression::of(codec)));
        let theirs = java(codec.name());
        let facts = |bytes: &[u8]| BatchHeader::read(bytes).unwrap().bytes()[21..].to_vec();
        assert_eq!(facts(&ours), facts(&theirs), "{codec}");
        assert_eq!(listed(&ours), listed(&theirs), "{codec}");
    }
}

#[test]
fn the_crc_is_castagnolis() {
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    for (name, bytes) in vectors(JAVA).into_iter().chain(vectors(PYTHON)) {
        assert_eq!(BatchHeader::read(&bytes).unwrap().crc(), crc32c::crc32c(&bytes[21..]), "{name}");
    }
    let batch = java("gzip");
    for end in 0..batch.len() {
        assert_eq!(crc_fast::crc32_iscsi(&batch[..end]), crc32c::crc32c(&batch[..end]));
    }
}
