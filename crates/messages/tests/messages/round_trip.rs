//! What the definitions say is read and written back to the byte.

use crate::list::MESSAGES;
use crate::sample;
use ottla_messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use ottla_wire::encoder::Cut;
use ottla_wire::{ApiVersion, Encoder, Records};

const ROUNDS: u64 = 12;

#[test]
fn every_message_in_every_version_passes_unchanged() {
    let definitions = sample::definitions();
    let mut seen = 0;
    for entry in MESSAGES {
        let message = &definitions[entry.name];
        for version in entry.versions() {
            for round in 0..ROUNDS {
                let bytes = sample::random(message, entry, version, round);
                let mut out = Encoder::new();
                let done = (entry.pass)(&bytes, version, &mut out);
                assert_eq!(done, Ok(()), "{} version {version:?} round {round}: {bytes:02x?}", entry.name);
                assert_eq!(out.bytes(), bytes, "{} version {version:?} round {round}", entry.name);
                seen += 1;
            }
        }
    }
    assert!(seen > 600 * ROUNDS as usize, "only {seen} instances");
}

#[test]
fn every_definition_with_versions_is_in_the_list() {
    let definitions = sample::definitions();
    let living = definitions.values().filter(|message| message.valid.bounds().is_some()).count();
    assert_eq!(MESSAGES.len(), living);
    for entry in MESSAGES {
        assert_eq!(definitions[entry.name].valid.bounds(), Some((entry.first, entry.last)), "{}", entry.path);
    }
}

#[test]
fn versions_outside_the_range_are_refused_both_ways() {
    for entry in MESSAGES {
        for version in [entry.first - 1, entry.last + 1, i16::MIN, i16::MAX].map(ApiVersion) {
            assert!(!(entry.read)(&[0; 64], version), "{} read in {version:?}", entry.name);
            assert!((entry.default)(version, &mut Encoder::new()).is_err(), "{} written in {version:?}", entry.name);
        }
    }
}

#[test]
fn default_of_every_message_passes_unchanged() {
    for entry in MESSAGES {
        for version in entry.versions() {
            let mut out = Encoder::new();
            assert_eq!((entry.default)(version, &mut out), Ok(()), "{} version {version:?}", entry.name);
            let mut again = Encoder::new();
            assert_eq!((entry.pass)(out.bytes(), version, &mut again), Ok(()), "{} version {version:?}", entry.name);
            assert_eq!(out.bytes(), again.bytes());
        }
    }
}

#[test]
fn record_data_from_elsewhere_leaves_a_cut_where_its_bytes_go() {
    let response = |records| FetchResponse {
        responses: vec![FetchableTopicResponse {
            partitions: vec![PartitionData { records: Some(records), ..PartitionData::default() }],
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    };
    for version in [ApiVersion(4), ApiVersion(12), ApiVersion(18)] {
        let (mut whole, mut cut) = (Encoder::new(), Encoder::new());
        response(Records::Bytes(b"batches")).encode(&mut whole, version).unwrap();
        response(Records::Elsewhere { id: 9, length: 7 }).encode(&mut cut, version).unwrap();
        let (mut bytes, cuts) = cut.into_parts();
        let [Cut { at, id: 9, length: 7 }] = cuts[..] else {
            panic!("{cuts:?}");
        };
        bytes.splice(at..at, *b"batches");
        assert_eq!(bytes, whole.bytes());
    }
}
