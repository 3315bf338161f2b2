//! Why a measurement could not be taken.

use ottla_wire::batch::BatchError;
use ottla_wire::{DecodeError, EncodeError, ErrorCode};

/// Ends the run; the text goes to the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The operating system said no.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as "read the response".
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The broker answered with an error.
    #[error("{request} is refused: {} ({})", .code.name(), .code.text())]
    Refused {
        /// Which request, about what.
        request: String,
        /// Kafka's error.
        code: ErrorCode,
    },
    /// The bytes of an answer make no sense.
    #[error("answer: {0}")]
    Decode(#[from] DecodeError),
    /// A stored batch is not one.
    #[error("stored batch: {0}")]
    Batch(#[from] BatchError),
    /// A request that does not fit its own format.
    #[error("request: {0}")]
    Encode(#[from] EncodeError),
    /// Anything a sentence says best.
    #[error("{0}")]
    Said(String),
}

/// Result of a step of a measurement.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Names what was being done when the system said no.
pub(crate) trait Doing<T> {
    /// Adds the verb to the error.
    fn doing(self, what: &str) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|error| Failure::Io { doing: what.to_owned(), source: error.into() })
    }
}

/// Fails when `code` is not zero.
pub(crate) fn accept(request: impl FnOnce() -> String, code: i16) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    Err(Failure::Refused { request: request(), code: ErrorCode::from_code(code) })
}
