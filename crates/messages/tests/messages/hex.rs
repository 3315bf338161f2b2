//! Instances as lines of text: name, version, bytes in hex.

use crate::entry::Entry;
use crate::list::MESSAGES;
use ottla_wire::{ApiVersion, Encoder};
use std::fmt::Write;

/// The message that `name` names.
pub(crate) fn entry(name: &str) -> &'static Entry {
    MESSAGES.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no message {name}"))
}

/// Bytes as hex digits.
pub(crate) fn write(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

/// The bytes that hex digits say.
pub(crate) fn read(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The version that `text` says.
pub(crate) fn version(text: &str) -> ApiVersion {
    ApiVersion(text.parse().unwrap())
}

/// Reads an instance, writes it again and compares.
pub(crate) fn passes(name: &str, in_version: &str, data: &str) {
    let bytes = read(data);
    let mut out = Encoder::new();
    assert_eq!((entry(name).pass)(&bytes, version(in_version), &mut out), Ok(()), "{name} {in_version}: {data}");
    assert_eq!(write(out.bytes()), data, "{name} {in_version}");
}
