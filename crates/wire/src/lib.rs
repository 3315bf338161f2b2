//! Bytes of the Kafka protocol: ids, primitives, cursor and encoder, record batches and codecs, the error table.
#![forbid(unsafe_code)]

pub mod batch;
pub mod codec;
pub mod cursor;
pub mod encoder;
pub mod error;
pub mod frame;
pub mod ids;
pub mod version;

pub use batch::ValidBatch;
pub use codec::Codec;
pub use cursor::{Cursor, DecodeError};
pub use encoder::{EncodeError, Encoder, Records};
pub use error::ErrorCode;
pub use ids::Uuid;
pub use version::ApiVersion;
