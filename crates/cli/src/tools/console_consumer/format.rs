//! A record as the console consumer prints it: Kafka's `DefaultMessageFormatter` properties.

use std::collections::BTreeMap;

/// What is printed of a record, and between its parts.
#[derive(Debug)]
pub(crate) struct RecordFormat {
    timestamp: bool,
    partition: bool,
    offset: bool,
    epoch: bool,
    delivery: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
}

/// A record to print.
pub(crate) struct Printed<'a> {
    /// Its timestamp with the type's name: `CreateTime` or `LogAppendTime`.
    pub(crate) timestamp: (&'static str, i64),
    /// Partition it lies in.
    pub(crate) partition: i32,
    /// Its offset.
    pub(crate) offset: i64,
    /// Leader epoch of its batch; None where unknown.
    pub(crate) epoch: Option<i32>,
    /// Headers in order; a header's value may be null.
    pub(crate) headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
    /// Its key.
    pub(crate) key: Option<&'a [u8]>,
    /// Its value.
    pub(crate) value: Option<&'a [u8]>,
}

const KNOWN: [&str; 12] = [
    "print.timestamp",
    "print.partition",
    "print.offset",
    "print.epoch",
    "print.delivery",
    "print.headers",
    "print.key",
    "print.value",
    "key.separator",
    "line.separator",
    "headers.separator",
    "null.literal",
];

impl RecordFormat {
    /// Reads the properties; unknown ones are named.
    pub(crate) fn new(properties: &BTreeMap<String, String>) -> Result<RecordFormat, String> {
        if let Some(unknown) = properties.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("unknown formatter property {unknown:?}; known are {}", KNOWN.join(", ")));
        }
        let text = |key: &str, default: &str| properties.get(key).map_or(default, String::as_str).as_bytes().to_vec();
        let flag = |key: &str, default: bool| {
            properties.get(key).map_or(default, |value| value.trim().eq_ignore_ascii_case("true"))
        };
        Ok(RecordFormat {
            timestamp: flag("print.timestamp", false),
            partition: flag("print.partition", false),
            offset: flag("print.offset", false),
            epoch: flag("print.epoch", false),
            delivery: flag("print.delivery", false),
            headers: flag("print.headers", false),
            key: flag("print.key", false),
            value: flag("print.value", true),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
        })
    }

    /// Appends the record's line to `out`.
    pub(crate) fn write(&self, record: &Printed<'_>, out: &mut Vec<u8>) {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        if self.timestamp {
            let (kind, time) = record.timestamp;
            parts.push(if time < 0 { b"NO_TIMESTAMP".to_vec() } else { format!("{kind}:{time}").into_bytes() });
        }
        if self.partition {
            parts.push(format!("Partition:{}", record.partition).into_bytes());
        }
        if self.offset {
            parts.push(format!("Offset:{}", record.offset).into_bytes());
        }
        if self.delivery {
            parts.push(b"Delivery:NOT_PRESENT".to_vec());
        }
        if self.epoch {
            parts.push(
                record.epoch.map_or(b"Epoch:NOT_PRESENT".to_vec(), |epoch| format!("Epoch:{epoch}").into_bytes()),
            );
        }
        if self.headers {
            parts.push(self.headers(record));
        }
        if self.key {
            parts.push(self.or_null(record.key));
        }
        if self.value {
            parts.push(self.or_null(record.value));
        }
        out.extend_from_slice(&parts.join(&self.key_separator[..]));
        out.extend_from_slice(&self.line_separator);
    }

    fn headers(&self, record: &Printed<'_>) -> Vec<u8> {
        if record.headers.is_empty() {
            return b"NO_HEADERS".to_vec();
        }
        let pairs: Vec<Vec<u8>> =
            record.headers.iter().map(|(key, value)| [*key, b":", &self.or_null(*value)].concat()).collect();
        pairs.join(&self.headers_separator[..])
    }

    fn or_null(&self, bytes: Option<&[u8]>) -> Vec<u8> {
        bytes.map_or_else(|| self.null_literal.clone(), <[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::{Printed, RecordFormat};

    fn printed(properties: &[(&str, &str)]) -> String {
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let record = Printed {
            timestamp: ("CreateTime", 1_700_000_000_000),
            partition: 2,
            offset: 7,
            epoch: Some(4),
            headers: vec![(b"h", Some(b"1")), (b"h", None)],
            key: None,
            value: Some(b"hello"),
        };
        let mut out = Vec::new();
        RecordFormat::new(&properties).unwrap().write(&record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_the_value_is_printed_by_default() {
        assert_eq!(printed(&[]), "hello\n");
    }

    #[test]
    fn parts_stand_in_kafkas_order() {
        let all = ["timestamp", "partition", "offset", "headers", "key"].map(|part| format!("print.{part}"));
        let properties: Vec<(&str, &str)> = all.iter().map(|key| (key.as_str(), "true")).collect();
        assert_eq!(printed(&properties), "CreateTime:1700000000000\tPartition:2\tOffset:7\th:1,h:null\tnull\thello\n");
    }
}
