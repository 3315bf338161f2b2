//! Metadata records in their frame: frame version, type and version as varints, then the body.

use crate::records::metadata::MetadataRecord;
use ottla_wire::{ApiVersion, Cursor, DecodeError, EncodeError, Encoder};

/// The frame that Kafka writes since 3.0.
const FRAME_VERSION: u32 = 1;

/// Why a metadata record could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// A frame this code does not know.
    #[error("metadata record in frame version {version}; only 1 is known")]
    Frame {
        /// Frame version as written.
        version: u32,
    },
    /// A type this code does not know, written by a newer release.
    #[error("metadata record of unknown type {key} (version {version})")]
    UnknownType {
        /// Type as written.
        key: i16,
        /// Version as written.
        version: i16,
    },
    /// The bytes are not such a record.
    #[error("metadata record: {0}")]
    Decode(#[from] DecodeError),
}

impl<'a> MetadataRecord<'a> {
    /// Reads a whole record value of the metadata log; answers the version it was written in too.
    pub fn decode(value: &'a [u8]) -> Result<(MetadataRecord<'a>, ApiVersion), RecordError> {
        let mut cursor = Cursor::new(value);
        let frame = cursor.uvarint()?;
        if frame != FRAME_VERSION {
            return Err(RecordError::Frame { version: frame });
        }
        let key = number(cursor.uvarint()?, "metadata record type")?;
        let version = ApiVersion(number(cursor.uvarint()?, "metadata record version")?);
        let record = MetadataRecord::decode_body(key, &mut cursor, version)?;
        cursor.finish(record.name())?;
        Ok((record, version))
    }

    /// Writes the record with its frame.
    pub fn encode(&self, out: &mut Encoder, version: ApiVersion) -> Result<(), EncodeError> {
        out.uvarint(FRAME_VERSION);
        out.uvarint(self.key() as u32);
        out.uvarint(version.0 as u32);
        self.encode_body(out, version)
    }
}

fn number(value: u32, what: &'static str) -> Result<i16, DecodeError> {
    i16::try_from(value).map_err(|_| DecodeError::Invalid { what, value: i64::from(value) })
}

#[cfg(test)]
mod tests {
    use super::RecordError;
    use crate::records::metadata::{MetadataRecord, TopicRecord};
    use ottla_wire::{ApiVersion, Encoder, Uuid};
    use std::borrow::Cow;

    #[test]
    fn framed_record_reads_back_with_its_version() {
        let topic = TopicRecord { name: Cow::Borrowed("a"), topic_id: Uuid([7; 16]) };
        let record = MetadataRecord::Topic(topic);
        let mut out = Encoder::new();
        record.encode(&mut out, ApiVersion(0)).unwrap();
        assert_eq!(out.bytes()[..3], [1, 2, 0]);
        assert_eq!(MetadataRecord::decode(out.bytes()), Ok((record, ApiVersion(0))));
    }

    #[test]
    fn unknown_type_and_frame_are_named() {
        assert_eq!(MetadataRecord::decode(&[1, 100, 3]), Err(RecordError::UnknownType { key: 100, version: 3 }));
        assert_eq!(MetadataRecord::decode(&[0, 2, 0]), Err(RecordError::Frame { version: 0 }));
    }
}
