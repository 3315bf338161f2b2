//! How a command ends when it cannot do what it was asked.

use std::fmt;

/// A failed command: the text for the user and the exit code. Kafka's tools exit with 1 whatever went wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    passing: bool,
}

impl Failure {
    /// A failure with its text: what happened, to which thing, and what to do.
    pub(crate) fn new(text: impl Into<String>) -> Failure {
        Failure { text: text.into(), passing: false }
    }

    /// A failure that may be over in a moment, like a connection that broke.
    pub(crate) fn passing(text: impl Into<String>) -> Failure {
        Failure { text: text.into(), passing: true }
    }

    /// Whether it may be over in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing
    }

    /// A failure that has been told already.
    pub(crate) fn silent() -> Failure {
        Failure { text: String::new(), passing: false }
    }

    /// Whether there is something left to tell.
    pub(crate) fn is_silent(&self) -> bool {
        self.text.is_empty()
    }

    /// The exit code of the process.
    pub(crate) fn code(&self) -> u8 {
        1
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Puts a verb before an error: `could not read server.properties: …`.
pub(crate) trait While<T> {
    /// Turns the error into a failure that says what was being done.
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> While<T> for Result<T, E> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("could not {}: {error}", what())))
    }
}
