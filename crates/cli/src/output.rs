//! Lines for the user: on standard output what was asked for, on standard error what there is to tell about it.

use std::fmt;
use std::io::{ErrorKind, Write};

/// Exit code when standard output takes no more, as Kafka's tools have it for whatever went wrong.
const FAILED: i32 = 1;

/// Prints a line.
pub(crate) fn line(line: impl fmt::Display) {
    text(format_args!("{line}\n"));
}

/// Prints text. Whoever stops reading, as `head` does, has seen enough: the process ends well then.
pub(crate) fn text(text: impl fmt::Display) {
    let Err(error) = write!(std::io::stdout().lock(), "{text}") else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    note(format_args!("could not write to standard output: {error}"));
    std::process::exit(FAILED);
}

/// Tells something beside the output; where nobody listens, nothing is lost.
pub(crate) fn note(text: impl fmt::Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
