//! Records of `__consumer_offsets`: keys, values, and the versions that values are written in.

use ottla_messages::records::group as schema;
use ottla_wire::{ApiVersion, Cursor, DecodeError, EncodeError, Encoder};

/// Kind of committed offsets in logs of the oldest releases; laid out as its successor.
const OLD_OFFSET: i16 = 0;

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident($key:ident, $value:ty),)*) => {
        /// A record; a value that is None takes back what the key says.
        #[derive(Clone, PartialEq, Debug)]
        pub enum Record<'a> {
            $($(#[$doc])* $name(schema::$key<'a>, Option<$value>),)*
        }

        impl<'a> Record<'a> {
            /// Reads key and value; None for a kind that groups do not have.
            pub fn decode(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Option<Record<'a>>, DecodeError> {
                let mut key = Cursor::new(key);
                let kind = match key.i16()? {
                    OLD_OFFSET => schema::OffsetCommitKey::KEY,
                    kind => kind,
                };
                Ok(match kind {
                    $(schema::$key::KEY => {
                        let key = schema::$key::decode(&mut key, ApiVersion(0))?;
                        let value = value
                            .map(|value| {
                                let mut value = Cursor::new(value);
                                let version = ApiVersion(value.i16()?);
                                <$value>::decode(&mut value, version)
                            })
                            .transpose()?;
                        Some(Record::$name(key, value))
                    })*
                    _ => None,
                })
            }

            /// Writes key and value, the value in the version that Kafka 4.4 writes.
            ///
            /// # Errors
            /// A text or a list longer than its length field can say.
            pub fn encode(&self) -> Result<(Vec<u8>, Option<Vec<u8>>), EncodeError> {
                let version = self.version();
                match self {
                    $(Record::$name(key, value) => {
                        let mut out = Encoder::new();
                        out.i16(schema::$key::KEY);
                        key.encode(&mut out, ApiVersion(0))?;
                        let value = value
                            .as_ref()
                            .map(|value| {
                                let mut out = Encoder::new();
                                out.i16(version.0);
                                value.encode(&mut out, version)?;
                                Ok(out.into_parts().0)
                            })
                            .transpose()?;
                        Ok((out.into_parts().0, value))
                    })*
                }
            }
        }
    };
}

records! {
    /// Key 1 (and 0): a committed offset.
    Offset(OffsetCommitKey, schema::OffsetCommitValue<'a>),
    /// Key 2: a classic group.
    Classic(GroupMetadataKey, schema::GroupMetadataValue<'a>),
    /// Key 3: epoch and metadata hash of a KIP-848 group.
    Consumer(ConsumerGroupMetadataKey, schema::ConsumerGroupMetadataValue),
    /// Key 5: a member and what it subscribes to.
    Member(ConsumerGroupMemberMetadataKey, schema::ConsumerGroupMemberMetadataValue<'a>),
    /// Key 6: epoch of the target assignment.
    Target(ConsumerGroupTargetAssignmentMetadataKey, schema::ConsumerGroupTargetAssignmentMetadataValue),
    /// Key 7: what a member shall have.
    MemberTarget(ConsumerGroupTargetAssignmentMemberKey, schema::ConsumerGroupTargetAssignmentMemberValue),
    /// Key 8: what a member has.
    MemberCurrent(ConsumerGroupCurrentMemberAssignmentKey, schema::ConsumerGroupCurrentMemberAssignmentValue),
    /// Key 16: the topics that a pattern matches.
    Pattern(ConsumerGroupRegularExpressionKey, schema::ConsumerGroupRegularExpressionValue<'a>),
    /// Key 4: topics as a group of an older release knew them; read, and taken back.
    Topics(ConsumerGroupPartitionMetadataKey, schema::ConsumerGroupPartitionMetadataValue<'a>),
}

impl Record<'_> {
    /// The version that values are written in: none of `group.version`'s levels changes one.
    fn version(&self) -> ApiVersion {
        match self {
            // The only version that says when an offset ends; old clients want that.
            Record::Offset(_, Some(value)) if value.expire_timestamp != -1 => ApiVersion(1),
            Record::Offset(..) => ApiVersion(4),
            Record::Classic(..) => ApiVersion(3),
            Record::Consumer(..)
            | Record::Member(..)
            | Record::Target(..)
            | Record::MemberTarget(..)
            | Record::MemberCurrent(..)
            | Record::Pattern(..)
            | Record::Topics(..) => ApiVersion(0),
        }
    }
}
