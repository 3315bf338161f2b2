//! How keys and values are read: as text, or as records of the metadata log.

use ottla_messages::records::metadata::MetadataRecord;
use ottla_wire::batch::ControlKind;

/// A reader of keys and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decoder {
    /// UTF-8 text.
    Text,
    /// Records of `__cluster_metadata`.
    Metadata,
}

impl Decoder {
    /// A key, readable.
    pub(super) fn key(self, key: &[u8]) -> String {
        String::from_utf8_lossy(key).into_owned()
    }

    /// A value, readable.
    pub(super) fn value(self, value: &[u8]) -> String {
        match self {
            Decoder::Text => String::from_utf8_lossy(value).into_owned(),
            Decoder::Metadata => match MetadataRecord::decode(value) {
                Ok((record, version)) => format!("{record:?} version {}", version.0),
                Err(error) => format!("unreadable: {error}"),
            },
        }
    }
}

/// A control record of the metadata log, readable.
pub(super) fn control(kind: ControlKind, value: &[u8]) -> String {
    format!(" {kind:?} of {} bytes", value.len())
}
