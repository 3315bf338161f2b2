//! A line of input as a record: key, value and headers by the reader's properties.

use std::collections::BTreeMap;

/// How lines are read: Kafka's `LineMessageReader` properties.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineFormat {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    null_marker: Option<String>,
    ignore_error: bool,
}

/// Headers in order; a header's value may be null.
pub(crate) type LineHeaders = Vec<(String, Option<Vec<u8>>)>;

/// A record as typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The key, if one is read.
    pub(crate) key: Option<Vec<u8>>,
    /// The value; None for a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    /// Headers in order.
    pub(crate) headers: LineHeaders,
}

impl LineFormat {
    /// Reads the properties; unknown ones are named.
    pub(crate) fn new(properties: &BTreeMap<String, String>) -> Result<LineFormat, String> {
        const KNOWN: [&str; 8] = [
            "parse.key",
            "key.separator",
            "parse.headers",
            "headers.delimiter",
            "headers.separator",
            "headers.key.separator",
            "null.marker",
            "ignore.error",
        ];
        if let Some(unknown) = properties.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(format!("unknown reader property {unknown:?}; known are {}", KNOWN.join(", ")));
        }
        let text = |key: &str, default: &str| properties.get(key).map_or(default, String::as_str).to_owned();
        let flag = |key: &str| properties.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        Ok(LineFormat {
            parse_key: flag("parse.key"),
            key_separator: text("key.separator", "\t"),
            parse_headers: flag("parse.headers"),
            headers_delimiter: text("headers.delimiter", "\t"),
            headers_separator: text("headers.separator", ","),
            headers_key_separator: text("headers.key.separator", ":"),
            null_marker: properties.get("null.marker").cloned(),
            ignore_error: flag("ignore.error"),
        })
    }

    /// Reads line `number` (from 1, for the error's text).
    pub(crate) fn read(&self, number: usize, line: &str) -> Result<Line, String> {
        let mut rest = line;
        let mut headers = Vec::new();
        if self.parse_headers {
            let part = self.cut(&mut rest, &self.headers_delimiter, "headers delimiter", number)?;
            headers = self.headers(part.unwrap_or_default(), number)?;
        }
        let key =
            if self.parse_key { self.cut(&mut rest, &self.key_separator, "key separator", number)? } else { None };
        Ok(Line { key: key.and_then(|key| self.bytes(key)), value: self.bytes(rest), headers })
    }

    /// The part before `separator`, which moves `rest` behind it.
    fn cut<'a>(
        &self,
        rest: &mut &'a str,
        separator: &str,
        what: &str,
        number: usize,
    ) -> Result<Option<&'a str>, String> {
        if let Some((part, after)) = rest.split_once(separator) {
            *rest = after;
            return Ok(Some(part));
        }
        if self.ignore_error {
            return Ok(None);
        }
        Err(format!("line {number}: no {what} {separator:?} found"))
    }

    fn headers(&self, text: &str, number: usize) -> Result<LineHeaders, String> {
        if self.null_marker.as_deref() == Some(text) || text.is_empty() {
            return Ok(Vec::new());
        }
        let mut headers = Vec::new();
        for pair in text.split(&self.headers_separator) {
            match pair.split_once(&self.headers_key_separator) {
                Some((key, value)) => headers.push((key.to_owned(), self.bytes(value))),
                None if self.ignore_error => headers.push((pair.to_owned(), None)),
                None => {
                    let separator = &self.headers_key_separator;
                    return Err(format!("line {number}: header {pair:?} has no key separator {separator:?}"));
                }
            }
        }
        Ok(headers)
    }

    fn bytes(&self, text: &str) -> Option<Vec<u8>> {
        (self.null_marker.as_deref() != Some(text)).then(|| text.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, LineFormat};

    fn read(properties: &[(&str, &str)], line: &str) -> Result<Line, String> {
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        LineFormat::new(&properties).unwrap().read(1, line)
    }

    #[test]
    fn a_plain_line_is_a_value() {
        let line = read(&[], "a\tb").unwrap();
        assert_eq!((line.key, line.value), (None, Some(b"a\tb".to_vec())));
    }

    #[test]
    fn keys_headers_and_nulls_are_read_as_kafkas_reader_does() {
        let properties = [("parse.key", "true"), ("parse.headers", "true"), ("null.marker", "NULL")];
        let line = read(&properties, "a:1,a:NULL\tkey\tNULL").unwrap();
        assert_eq!(line.key, Some(b"key".to_vec()));
        assert_eq!(line.value, None);
        assert_eq!(line.headers, [("a".to_owned(), Some(b"1".to_vec())), ("a".to_owned(), None)]);
    }

    #[test]
    fn a_missing_separator_is_an_error_unless_ignored() {
        assert!(read(&[("parse.key", "true")], "nokey").unwrap_err().contains("line 1"));
        let line = read(&[("parse.key", "true"), ("ignore.error", "true")], "nokey").unwrap();
        assert_eq!((line.key, line.value), (None, Some(b"nokey".to_vec())));
    }

    #[test]
    fn an_unknown_property_is_named() {
        let properties = [("parse.kay".to_owned(), "true".to_owned())].into();
        assert!(LineFormat::new(&properties).unwrap_err().contains("parse.kay"));
    }
}
