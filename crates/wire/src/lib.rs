//! Bytes of the Kafka protocol: ids, primitives, cursor and encoder, record batches and codecs, the error table.
#![forbid(unsafe_code)]

pub mod cursor;
pub mod encoder;
pub mod ids;
pub mod version;

pub use cursor::{Cursor, DecodeError};
pub use encoder::{EncodeError, Encoder, Records};
pub use ids::Uuid;
pub use version::ApiVersion;
