use super::*;
use crate::codec::{Codec, CodecError, Compression};
use crate::error::ErrorCode;
use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000_000;
const LIMIT: usize = 1 << 20;

type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);

/// A record that owns its parts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<OwnedHeader>,
}

fn keyed(key: &str, value: &str) -> Owned {
    Owned { timestamp: NOW, key: Some(key.into()), value: Some(value.into()), headers: vec![] }
}

fn fill(mut builder: BatchBuilder, records: &[Owned]) -> Vec<u8> {
    for record in records {
        let headers: Vec<Header<'_>> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let new = NewRecord {
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        };
        builder.append(&new).unwrap();
    }
    builder.finish()
}

fn built(codec: Codec, records: &[Owned]) -> Vec<u8> {
    fill(BatchBuilder::new(Offset(0)).compression(Compression::of(codec)), records)
}

fn listed(batch: &ValidBatch<'_>) -> Result<Vec<Owned>, BatchError> {
    let mut scratch = Vec::new();
    batch
        .records(&mut scratch, LIMIT)?
        .map(|record| {
            let record = record?;
            Ok(Owned {
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record
                    .headers
                    .iter()
                    .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                    .collect(),
            })
        })
        .collect()
}

fn sealed(mut batch: Vec<u8>) -> Vec<u8> {
    let crc = crc(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A batch of two records with `bytes` written over at `at`, its CRC right again.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = built(Codec::None, &[keyed("a", "1"), keyed("b", "2")]);
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    sealed(batch)
}

fn refusal(batch: &[u8]) -> BatchError {
    refusal_by(batch, &DoorRules::default())
}

fn refusal_by(batch: &[u8], rules: &DoorRules) -> BatchError {
    ValidBatch::check(batch, rules, NOW).expect_err("it must be refused")
}

#[test]
fn what_was_built_passes_and_reads_back_with_every_codec() {
    let records = [
        Owned { timestamp: NOW, ..Owned::default() },
        Owned {
            timestamp: NOW - 5,
            key: Some(vec![]),
            value: Some(vec![9; 3_000]),
            headers: vec![(b"h".to_vec(), None), (b"h".to_vec(), Some(vec![])), (b"".to_vec(), Some(b"x".to_vec()))],
        },
        keyed("k", "v"),
    ];
    for codec in Codec::ALL {
        let bytes = built(codec, &records);
        let batch = ValidBatch::check(&bytes, &DoorRules::default(), NOW).unwrap();
        assert_eq!(listed(&batch).unwrap(), records, "{codec}");
        assert_eq!((batch.codec(), batch.record_count(), batch.last_offset_delta()), (codec, 3, 2));
        assert_eq!((batch.max_timestamp(), batch.base_timestamp(), batch.size()), (NOW, NOW, bytes.len()));
        assert_eq!(ValidBatch::trusted(&bytes).unwrap().bytes(), &bytes[..]);
    }
}

#[test]
fn offsets_and_sequences_count_from_the_base() {
    let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(3), base_sequence: i32::MAX };
    let bytes = fill(BatchBuilder::new(Offset(100)).producer(producer), &[keyed("a", "1"), keyed("b", "2")]);
    let batch = ValidBatch::trusted(&bytes).unwrap();
    assert_eq!((batch.last_offset(), batch.next_offset(), batch.last_sequence()), (Offset(101), Offset(102), 0));
    let mut scratch = Vec::new();
    let seen: Vec<_> = batch
        .records(&mut scratch, LIMIT)
        .unwrap()
        .map(|record| record.map(|record| (record.offset.0, record.sequence)).unwrap())
        .collect();
    assert_eq!(seen, [(100, i32::MAX), (101, 0)]);
}

#[test]
fn a_header_that_lies_is_refused_with_the_error_of_kafka() {
    let whole = built(Codec::None, &[keyed("a", "1"), keyed("b", "2")]);
    let invalid = ErrorCode::INVALID_RECORD;
    let corrupt = ErrorCode::CORRUPT_MESSAGE;
    let cases: Vec<(&str, Vec<u8>, ErrorCode)> = vec![
        ("nothing", vec![], invalid),
        ("cut", whole[..whole.len() - 1].to_vec(), invalid),
        ("cut header", whole[..30].to_vec(), invalid),
        ("two", [&whole[..], &whole[..]].concat(), invalid),
        ("length", changed(8, &[0, 0, 0, 48]), corrupt),
        ("negative length", changed(8, &[0x80, 0, 0, 0]), corrupt),
        ("magic 1", changed(16, &[1]), invalid),
        ("magic 3", changed(16, &[3]), corrupt),
        (
            "crc",
            {
                let mut bytes = whole.clone();
                bytes[20] ^= 1;
                bytes
            },
            corrupt,
        ),
        ("base offset", changed(7, &[1]), invalid),
        ("codec 5", changed(22, &[5]), invalid),
        ("control", changed(22, &[0x20]), invalid),
        ("delete horizon", changed(22, &[0x40]), invalid),
        ("transaction of nobody", changed(22, &[0x10]), invalid),
        ("producer without sequence", changed(43, &[0; 8]), invalid),
        ("last offset delta", changed(26, &[2]), invalid),
        ("count 0", changed(60, &[0]), invalid),
        ("count 3", changed(57, &[0, 0, 0, 3]), invalid),
        (
            "both 3",
            {
                let mut bytes = changed(57, &[0, 0, 0, 3]);
                bytes[26] = 2;
                sealed(bytes)
            },
            invalid,
        ),
        (
            "both 1",
            {
                let mut bytes = changed(57, &[0, 0, 0, 1]);
                bytes[26] = 0;
                sealed(bytes)
            },
            invalid,
        ),
        ("not gzip", changed(22, &[1]), invalid),
    ];
    for (name, bytes, code) in cases {
        let error = refusal(&bytes);
        assert_eq!(error.code(), code, "{name}: {error}");
    }
}

#[test]
fn a_record_that_lies_is_refused() {
    // Record 0 is 61: length 9, attributes, timestamp 0, offset 0, key 1 'a', value 1 '1', headers 0.
    for (at, bytes) in [
        (61, vec![0]),
        (61, vec![1]),
        (61, vec![0x7e]),
        (61, vec![0xff; 6]),
        (64, vec![2]),
        (65, vec![0x20]),
        (67, vec![0x10]),
        (69, vec![1]),
        (69, vec![2]),
    ] {
        let error = refusal(&changed(at, &bytes));
        assert!(matches!(error, BatchError::Malformed { .. }), "{at} {bytes:?}: {error:?}");
    }
}

#[test]
fn limits_of_topic_and_request_are_held() {
    let bytes = built(Codec::Zstd, &[keyed("a", "1")]);
    let small = DoorRules { message_bytes_max: bytes.len() - 1, ..DoorRules::default() };
    assert_eq!(refusal_by(&bytes, &small).code(), ErrorCode::MESSAGE_TOO_LARGE);
    let old = DoorRules { zstd_allowed: false, ..DoorRules::default() };
    assert_eq!(refusal_by(&bytes, &old).code(), ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
}

#[test]
fn each_record_that_breaks_a_rule_is_named() {
    let late = Owned { timestamp: NOW + 3_600_001, ..keyed("k", "v") };
    let early = Owned { timestamp: NOW - 11, ..keyed("k", "v") };
    let undated = Owned { timestamp: NO_TIMESTAMP, ..keyed("k", "v") };
    let keyless = Owned { timestamp: NOW, ..Owned::default() };
    let rules = DoorRules { key_required: true, timestamp_before_max_ms: 10, ..DoorRules::default() };
    for codec in Codec::ALL {
        let bytes = built(codec, &[keyless.clone(), late.clone(), undated.clone(), early.clone()]);
        let error = refusal_by(&bytes, &rules);
        assert_eq!(error.faults().iter().map(|fault| fault.index).collect::<Vec<_>>(), [0, 1, 3], "{codec}");
        assert_eq!(error.code(), ErrorCode::INVALID_TIMESTAMP);
        let bytes = built(codec, &[keyless.clone(), keyless.clone(), undated.clone()]);
        assert_eq!(refusal_by(&bytes, &rules).code(), ErrorCode::INVALID_RECORD);
        let anything = DoorRules { timestamp_type: TimestampType::LogAppendTime, ..DoorRules::default() };
        assert!(ValidBatch::check(&bytes, &anything, NOW).is_ok());
    }
}

#[test]
fn a_stamp_changes_offset_and_epoch_and_no_crc() {
    let bytes = built(Codec::None, &[keyed("a", "1"), keyed("b", "2")]);
    let batch = ValidBatch::check(&bytes, &DoorRules::default(), NOW).unwrap();
    let stamp = batch.stamp(Offset(1_000), LeaderEpoch(7));
    assert_eq!(stamp.len(), 21);
    let stored = [stamp.bytes(), batch.rest_after(&stamp)].concat();
    let stored = ValidBatch::trusted(&stored).unwrap();
    assert_eq!(
        (stored.base_offset(), stored.leader_epoch(), stored.crc()),
        (Offset(1_000), LeaderEpoch(7), batch.crc())
    );
    assert_eq!(&stored.bytes()[21..], &bytes[21..]);
}

#[test]
fn append_time_is_stamped_with_a_new_crc() {
    for codec in Codec::ALL {
        let bytes = built(codec, &[keyed("a", "1"), keyed("b", "2")]);
        let batch = ValidBatch::check(&bytes, &DoorRules::default(), NOW).unwrap();
        let stamp = batch.stamp_append_time(Offset(5), LeaderEpoch(2), NOW + 77);
        assert_eq!(stamp.len(), 61);
        let stored = [stamp.bytes(), batch.rest_after(&stamp)].concat();
        let stored = ValidBatch::trusted(&stored).unwrap();
        assert_eq!((stored.timestamp_type(), stored.max_timestamp()), (TimestampType::LogAppendTime, NOW + 77));
        assert!(listed(&stored).unwrap().iter().all(|record| record.timestamp == NOW + 77));
        assert_eq!(stamp.header().codec(), Some(codec));
    }
}

#[test]
fn a_largest_timestamp_that_is_not_the_records_is_put_right() {
    let bytes = changed(35, &(NOW + 999).to_be_bytes());
    let batch = ValidBatch::check(&bytes, &DoorRules::default(), NOW).unwrap();
    assert_eq!(batch.max_timestamp(), NOW);
    let stamp = batch.stamp(Offset(3), LeaderEpoch(1));
    let stored = [stamp.bytes(), batch.rest_after(&stamp)].concat();
    assert_eq!(ValidBatch::trusted(&stored).unwrap().max_timestamp(), NOW);
}

#[test]
fn a_client_that_claims_append_time_is_treated_as_kafka_does() {
    let append_time = DoorRules { timestamp_type: TimestampType::LogAppendTime, ..DoorRules::default() };
    let claim = changed(22, &[8]);
    assert_eq!(refusal_by(&claim, &append_time), BatchError::AppendTime);
    assert_eq!(BatchError::AppendTime.code(), ErrorCode::INVALID_TIMESTAMP);
    let batch = ValidBatch::check(&claim, &DoorRules::default(), NOW).unwrap();
    let stamp = batch.stamp(Offset(3), LeaderEpoch(1));
    let stored = [stamp.bytes(), batch.rest_after(&stamp)].concat();
    assert_eq!(ValidBatch::trusted(&stored).unwrap().timestamp_type(), TimestampType::CreateTime);
    assert_eq!(refusal_by(&claim, &DoorRules { timestamp_after_max_ms: -1, ..DoorRules::default() }).faults().len(), 1);
    let own = ValidBatch::trusted(&claim).unwrap().stamp(Offset(3), LeaderEpoch(1));
    assert_eq!(own.header().timestamp_type(), TimestampType::LogAppendTime);
}

#[test]
fn a_bomb_is_refused_in_a_small_window() {
    let value = vec![0; 6 << 20];
    let record = Owned { timestamp: NOW, value: Some(value), ..Owned::default() };
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bytes = built(codec, std::slice::from_ref(&record));
        let rules = DoorRules { inflated_bytes_max: 1 << 20, ..DoorRules::default() };
        let error = refusal_by(&bytes, &rules);
        assert_eq!(error, BatchError::Codec(CodecError::TooLarge { codec, limit: 1 << 20 }));
        assert_eq!(error.code(), ErrorCode::MESSAGE_TOO_LARGE);
        let generous = DoorRules { inflated_bytes_max: 7 << 20, ..DoorRules::default() };
        assert!(ValidBatch::check(&bytes, &generous, NOW).is_ok());
        let trusted = ValidBatch::trusted(&bytes).unwrap();
        assert!(trusted.records(&mut Vec::new(), 1 << 20).is_err());
    }
}

#[test]
fn batches_in_a_row_come_one_by_one_and_a_cut_one_stays() {
    let one = built(Codec::None, &[keyed("a", "1")]);
    let two = built(Codec::Lz4, &[keyed("b", "2")]);
    let row = [&one[..], &two[..], &one[..20]].concat();
    let mut batches = Batches::new(&row);
    let sizes: Vec<usize> = batches.by_ref().map(|batch| batch.unwrap().1.len()).collect();
    assert_eq!(sizes, [one.len(), two.len()]);
    assert_eq!(batches.rest().len(), 20);
    let mut broken = [&one[..], &[0xff; 40][..]].concat();
    assert_eq!(Batches::new(&broken).map(|batch| batch.is_ok()).collect::<Vec<_>>(), [true, false]);
    broken.truncate(one.len() + 3);
    assert_eq!(Batches::new(&broken).count(), 1);
}

#[test]
fn control_records_say_what_they_are() {
    let producer = Producer { id: ProducerId(4), epoch: ProducerEpoch(1), base_sequence: -1 };
    let bytes = BatchBuilder::end_of_transaction(producer, ControlKind::Commit, EndTxn { coordinator_epoch: 9 }, NOW);
    let batch = ValidBatch::trusted(&bytes).unwrap();
    assert!(batch.is_control() && batch.is_transactional());
    let record = listed(&batch).unwrap().remove(0);
    assert_eq!(ControlKind::parse(record.key.as_deref()), Ok(ControlKind::Commit));
    assert_eq!(EndTxn::parse(record.value.as_deref()), Ok(EndTxn { coordinator_epoch: 9 }));
    for id in -1..10 {
        assert_eq!(ControlKind::from_id(id).id(), id);
    }
    assert!(ControlKind::parse(None).is_err() && ControlKind::parse(Some(&[0, 0, 0])).is_err());
    assert!(EndTxn::parse(Some(&[0xff, 0xff, 0, 0, 0, 0])).is_err());
}

#[test]
fn cleaned_batches_keep_gaps_horizon_and_last_offset() {
    let mut builder = BatchBuilder::new(Offset(10)).delete_horizon(NOW + 5);
    let record = NewRecord { timestamp: NOW, key: Some(b"k"), ..NewRecord::default() };
    builder.append_at(Offset(12), &record).unwrap();
    builder.cover(Offset(19));
    let bytes = builder.finish();
    let batch = ValidBatch::trusted(&bytes).unwrap();
    assert_eq!((batch.last_offset(), batch.record_count()), (Offset(19), 1));
    assert_eq!(batch.delete_horizon_ms(), Some(NOW + 5));
    let mut scratch = Vec::new();
    let record = batch.records(&mut scratch, LIMIT).unwrap().next().unwrap().unwrap();
    assert_eq!((record.offset, record.timestamp), (Offset(12), NOW));
}

fn any_record() -> impl Strategy<Value = Owned> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let header = (proptest::collection::vec(any::<u8>(), 0..10), bytes());
    let headers = proptest::collection::vec(header, 0..4);
    (-1_i64..3_000_000_000_000, bytes(), bytes(), headers).prop_map(|(timestamp, key, value, headers)| Owned {
        timestamp,
        key,
        value,
        headers,
    })
}

fn any_codec() -> impl Strategy<Value = Codec> {
    (0_u8..5).prop_map(|id| Codec::from_id(id).unwrap())
}

/// Everything but the CRC counts.
fn open_rules() -> DoorRules {
    DoorRules { timestamp_after_max_ms: i64::MAX, ..DoorRules::default() }
}

proptest! {
    #[test]
    fn build_check_and_read_agree(
        records in proptest::collection::vec(any_record(), 1..20),
        codec in any_codec(),
    ) {
        let bytes = built(codec, &records);
        let batch = ValidBatch::check(&bytes, &open_rules(), NOW).unwrap();
        prop_assert_eq!(batch.max_timestamp(), records.iter().map(|record| record.timestamp).max().unwrap());
        prop_assert_eq!(batch.header().max_timestamp(), batch.max_timestamp());
        prop_assert_eq!(listed(&batch).unwrap(), records);
    }

    #[test]
    fn another_codec_keeps_records_and_producer(
        records in proptest::collection::vec(any_record(), 1..20),
        codec in any_codec(),
        other in any_codec(),
    ) {
        let bytes = built(codec, &records);
        let batch = ValidBatch::check(&bytes, &open_rules(), NOW).unwrap();
        let again = batch.recompressed(Compression::of(other), LIMIT).unwrap();
        let again = ValidBatch::check(&again, &open_rules(), NOW).unwrap();
        prop_assert_eq!(again.codec(), other);
        prop_assert_eq!(listed(&again).unwrap(), records);
        let producer = |batch: &ValidBatch<'_>| (batch.producer_id(), batch.producer_epoch(), batch.base_sequence());
        prop_assert_eq!(producer(&again), producer(&batch));
        prop_assert_eq!((again.max_timestamp(), again.last_offset_delta()), (batch.max_timestamp(), batch.last_offset_delta()));
    }

    #[test]
    fn a_flipped_byte_is_refused(
        records in proptest::collection::vec(any_record(), 1..5),
        codec in any_codec(),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut bytes = built(codec, &records);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        // Only the leader epoch is covered by nothing: the leader sets it.
        prop_assert_eq!(ValidBatch::check(&bytes, &open_rules(), NOW).is_ok(), (12..16).contains(&at));
    }

    #[test]
    fn with_a_right_crc_whatever_passes_the_door_can_be_read(
        records in proptest::collection::vec(any_record(), 1..5),
        codec in any_codec(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = built(codec, &records);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let bytes = sealed(bytes);
        if let Ok(batch) = ValidBatch::check(&bytes, &open_rules(), NOW) {
            let read = listed(&batch).unwrap();
            prop_assert_eq!(read.len(), batch.record_count() as usize);
            prop_assert_eq!(read.iter().map(|record| record.timestamp).max().unwrap().max(-1), batch.max_timestamp());
        }
        let _ = ValidBatch::trusted(&bytes).map(|batch| listed(&batch));
    }

    #[test]
    fn both_walks_say_the_same(
        body in proptest::collection::vec(any::<u8>(), 0..60),
        count in 0_i32..4,
        key_required in any::<bool>(),
    ) {
        let rules = walk::RecordRules { count, base_timestamp: 0, timestamps: None, key_required };
        let flat = walk::walk(&body, rules);
        let streamed = inflate::walk(Codec::None, &body, rules, LIMIT);
        prop_assert_eq!(flat.is_ok(), streamed.is_ok());
        if let Ok(max) = flat {
            prop_assert_eq!(streamed, Ok(max));
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ValidBatch::check(&bytes, &open_rules(), NOW);
        for batch in Batches::new(&bytes) {
            let _ = batch.map(|(_, bytes)| ValidBatch::trusted(bytes).map(|batch| listed(&batch)));
        }
    }
}
