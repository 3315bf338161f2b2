//! Bytes that nobody meant well with: an error, never a panic.

use crate::chance::Chance;
use crate::list::MESSAGES;
use crate::sample;
use ottla_wire::Encoder;

#[test]
fn every_shorter_prefix_is_refused() {
    let definitions = sample::definitions();
    for entry in MESSAGES {
        for version in entry.versions() {
            let bytes = sample::random(&definitions[entry.name], entry, version, 3);
            for end in 0..bytes.len() {
                assert!(!(entry.read)(&bytes[..end], version), "{} version {version:?} cut at {end}", entry.name);
            }
        }
    }
}

#[test]
fn overwritten_bytes_never_panic() {
    let definitions = sample::definitions();
    for entry in MESSAGES {
        for version in entry.versions() {
            let bytes = sample::random(&definitions[entry.name], entry, version, 5);
            let mut chance = Chance::new(entry.name, version.0, 11);
            for _ in 0..40.min(bytes.len() * 4) {
                let mut broken = bytes.clone();
                for _ in 0..=chance.below(3) {
                    let at = chance.below(broken.len());
                    broken[at] = [0xff, 0x7f, 0x80, chance.next() as u8][chance.below(4)];
                }
                let mut out = Encoder::new();
                let passed = (entry.pass)(&broken, version, &mut out);
                assert!(passed.is_err() || (entry.read)(out.bytes(), version), "{} wrote what it refuses", entry.name);
            }
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    for entry in MESSAGES {
        for version in entry.versions() {
            let mut chance = Chance::new(entry.name, version.0, 17);
            for length in [0, 1, 2, 7, 30, 200] {
                let bytes: Vec<u8> = (0..length).map(|_| chance.next() as u8).collect();
                (entry.read)(&bytes, version);
            }
        }
    }
}

#[test]
fn unknown_tagged_fields_are_skipped() {
    use ottla_messages::metadata::MetadataRequest;
    use ottla_wire::{ApiVersion, Cursor};
    let version = ApiVersion(12);
    let mut out = Encoder::new();
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    request.encode(&mut out, version).unwrap();
    let mut bytes = out.into_parts().0;
    assert_eq!(bytes.pop(), Some(0), "no tagged fields");
    bytes.extend([2, 40, 3, 1, 2, 3, 90, 0]);
    let mut cursor = Cursor::new(&bytes);
    assert_eq!(MetadataRequest::decode(&mut cursor, version), Ok(request));
    assert_eq!(cursor.remaining(), 0);
}

#[test]
fn a_known_tagged_field_must_fill_its_size() {
    use ottla_messages::header::{RequestHeader, ResponseHeader};
    use ottla_messages::records::transaction::TransactionLogValue;
    use ottla_wire::{ApiVersion, Cursor, DecodeError};
    let mut out = Encoder::new();
    TransactionLogValue::default().encode(&mut out, ApiVersion(1)).unwrap();
    let mut bytes = out.into_parts().0;
    assert_eq!(bytes.pop(), Some(0), "no tagged fields");
    bytes.extend([1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 99]);
    let refused = TransactionLogValue::decode(&mut Cursor::new(&bytes), ApiVersion(1));
    assert!(matches!(refused, Err(DecodeError::Trailing { left: 1, .. })), "{refused:?}");
    // Headers: the client id keeps its old form in the flexible header (KIP-482).
    let bytes = [0, 3, 0, 12, 0, 0, 0, 7, 0, 1, b'x', 0];
    let header = RequestHeader::decode(&mut Cursor::new(&bytes), ApiVersion(2)).unwrap();
    assert_eq!((header.correlation_id, header.client_id.as_deref()), (7, Some("x")));
    assert_eq!(ResponseHeader::decode(&mut Cursor::new(&bytes[4..]), ApiVersion(0)).unwrap().correlation_id, 7);
}
