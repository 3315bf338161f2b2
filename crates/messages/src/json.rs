//! Bytes of a record to the JSON that Kafka's tools print, by a table of its fields.

use crate::table::{Base, Field};
use ottla_wire::{Cursor, DecodeError, Uuid};
use std::collections::BTreeMap;

/// A value that is no struct and no array.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A number of any width.
    Int(i64),
    /// A double.
    Float(f64),
    /// An id.
    Uuid(Uuid),
    /// A string.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

pub(crate) struct Writer<'r> {
    pub(crate) version: i16,
    pub(crate) flexible: bool,
    pub(crate) replace: &'r mut dyn FnMut(&str, &Value<'_>) -> Option<String>,
}

impl Writer<'_> {
    fn is_in(&self, versions: (i16, i16)) -> bool {
        (versions.0..=versions.1).contains(&self.version)
    }

    /// A struct: its fields in the order of the definition, although tagged ones lie behind the others.
    pub(crate) fn object(&mut self, fields: &[Field], cursor: &mut Cursor<'_>) -> Result<String, DecodeError> {
        cursor.descend()?;
        let mut parts: Vec<Option<String>> = vec![None; fields.len()];
        let mut tagged = BTreeMap::new();
        for (at, field) in fields.iter().enumerate() {
            match field.tag {
                _ if !self.is_in(field.versions) => {}
                Some((tag, versions)) if self.is_in(versions) => drop(tagged.insert(tag, at)),
                Some(_) | None => parts[at] = Some(self.field(field, cursor)?),
            }
        }
        let mut last = None;
        let tags = if self.flexible { cursor.tag_count()? } else { 0 };
        for _ in 0..tags {
            let (tag, mut inner) = cursor.tag(&mut last)?;
            let Some(at) = tagged.get(&tag) else { continue };
            let field = &fields[*at];
            let is_null = field.is_struct() && self.is_in(field.null_versions) && inner.uvarint()? == 0;
            let text = match (is_null, field.base) {
                (true, _) => "null".to_owned(),
                (false, Base::Struct(inside)) if !field.is_array => self.object(inside, &mut inner)?,
                (false, _) => self.field(field, &mut inner)?,
            };
            cursor.close_tag(&inner, field.name)?;
            parts[*at] = Some(text).filter(|text| text != field.default);
        }
        cursor.ascend();
        let shown = fields.iter().zip(parts).filter_map(|(field, part)| Some(format!("\"{}\":{}", field.name, part?)));
        Ok(format!("{{{}}}", shown.collect::<Vec<_>>().join(",")))
    }

    fn field(&mut self, field: &Field, cursor: &mut Cursor<'_>) -> Result<String, DecodeError> {
        if !field.is_array {
            return self.element(field, cursor, self.is_in(field.null_versions));
        }
        // Every element takes a byte at least, so the text is bounded by what is there.
        let Some(count) = cursor.count(self.flexible, 1, field.name)? else {
            return self.null(field);
        };
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.push(self.element(field, cursor, false)?);
        }
        Ok(format!("[{}]", elements.join(",")))
    }

    fn null(&self, field: &Field) -> Result<String, DecodeError> {
        if self.is_in(field.null_versions) {
            Ok("null".to_owned())
        } else {
            Err(DecodeError::Null { what: field.name, length: -1 })
        }
    }

    fn element(&mut self, field: &Field, cursor: &mut Cursor<'_>, nullable: bool) -> Result<String, DecodeError> {
        let (flexible, what) = (self.flexible, field.name);
        let value = match field.base {
            Base::Struct(fields) => {
                // A struct that may be null has a byte in front that says so.
                let is_null = nullable && cursor.i8()? < 0;
                return if is_null { self.null(field) } else { self.object(fields, cursor) };
            }
            Base::Bool => Value::Bool(cursor.bool()?),
            Base::Int8 => Value::Int(cursor.i8()?.into()),
            Base::Int16 => Value::Int(cursor.i16()?.into()),
            Base::Uint16 => Value::Int(cursor.u16()?.into()),
            Base::Int32 => Value::Int(cursor.i32()?.into()),
            Base::Uint32 => Value::Int(cursor.u32()?.into()),
            Base::Int64 => Value::Int(cursor.i64()?),
            Base::Float64 => Value::Float(cursor.f64()?),
            Base::Uuid => Value::Uuid(cursor.uuid()?),
            Base::Text => match cursor.nullable_string(flexible, what)? {
                Some(text) => Value::Text(text),
                None => return self.null(field),
            },
            Base::Bytes => match cursor.nullable_bytes(flexible, what)? {
                Some(bytes) => Value::Bytes(bytes),
                None => return self.null(field),
            },
        };
        Ok((self.replace)(field.name, &value).unwrap_or_else(|| json(&value)))
    }
}

/// A value as JSON.
pub(crate) fn json(value: &Value<'_>) -> String {
    match value {
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => double(*number),
        Value::Uuid(id) => format!("\"{id}\""),
        Value::Text(text) => quoted(text),
        Value::Bytes(bytes) => format!("\"{}\"", base64(bytes)),
    }
}

/// A string in quotes, escaped as Jackson does.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            letter if letter < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// A double as Java writes it: with a point always, with an exponent outside of 0.001 to 10,000,000.
fn double(number: f64) -> String {
    if !number.is_finite() {
        let sign = if number < 0.0 { "-" } else { "" };
        return if number.is_nan() { "\"NaN\"".to_owned() } else { format!("\"{sign}Infinity\"") };
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        let text = format!("{number}");
        return if text.contains('.') { text } else { text + ".0" };
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_usize, |word, byte| (word << 8) | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let is_padding = at > chunk.len();
            let letter = LETTERS[(word >> (18 - 6 * at)) & 63];
            out.push(if is_padding { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{base64, double, quoted};

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        let pairs =
            [(0.0, "0.0"), (1.0, "1.0"), (-2.5, "-2.5"), (1e7, "1.0E7"), (1.25e-4, "1.25E-4"), (123_456.0, "123456.0")];
        for (number, text) in pairs {
            assert_eq!(double(number), text);
        }
        assert_eq!(double(f64::NAN), "\"NaN\"");
    }

    #[test]
    fn bytes_are_padded_and_text_is_escaped() {
        let texts: [(&[u8], &str); 4] = [(b"", ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v")];
        for (bytes, text) in texts {
            assert_eq!(base64(bytes), text);
        }
        assert_eq!(quoted("a\"\\\n\u{1}é"), "\"a\\\"\\\\\\n\\u0001é\"");
    }
}
