//! Rules of a log.
