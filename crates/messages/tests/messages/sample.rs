//! Canonical bytes of random instances, made from the definitions alone: a second reading of them beside the generator.

use crate::chance::Chance;
use crate::entry::Entry;
use ottla_wire::{ApiVersion, Encoder, Uuid};
use std::collections::BTreeMap;
use std::path::Path;
use xtask::definition::{Field, Message};

/// Every message by name.
pub(crate) fn definitions() -> BTreeMap<String, Message> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let documents = xtask::convert::read_definitions(&root).unwrap();
    let messages = documents.into_iter().flat_map(|(_, document)| document.messages);
    messages.map(|message| (message.name.clone(), message)).collect()
}

/// Bytes of a random instance of `entry` in `version`.
pub(crate) fn random(message: &Message, entry: &Entry, version: ApiVersion, round: u64) -> Vec<u8> {
    let mut chance = Chance::new(entry.name, version.0, round);
    let mut out = Encoder::new();
    Writer { message, version: version.0 }.body(&message.fields, Some(&mut chance), &mut out);
    out.into_parts().0
}

struct Writer<'m> {
    message: &'m Message,
    version: i16,
}

/// Where values come from: chance, or None for the defaults.
type Source<'c> = Option<&'c mut Chance>;

impl Writer<'_> {
    fn body(&self, fields: &[Field], mut source: Source<'_>, out: &mut Encoder) {
        let present: Vec<&Field> = fields.iter().filter(|field| field.versions.contains(self.version)).collect();
        let tagged = |field: &Field| field.tag.is_some_and(|(_, versions)| versions.contains(self.version));
        for field in present.iter().filter(|field| !tagged(field)) {
            self.field(field, source.as_deref_mut(), out);
        }
        if !self.flexible(None) {
            return;
        }
        let mut tags = BTreeMap::new();
        for field in present.iter().filter(|field| tagged(field)) {
            let (mut value, mut default) = (Encoder::new(), Encoder::new());
            let left_out = source.as_deref_mut().is_none_or(|chance| chance.once_in(3));
            self.tagged(field, source.as_deref_mut().filter(|_| !left_out), &mut value);
            self.tagged(field, None, &mut default);
            if value.bytes() != default.bytes() {
                tags.insert(field.tag.unwrap().0, value.into_parts().0);
            }
        }
        out.uvarint(tags.len() as u32);
        for (tag, value) in tags {
            out.uvarint(tag);
            out.uvarint(value.len() as u32);
            out.raw(&value);
        }
    }

    fn flexible(&self, field: Option<&Field>) -> bool {
        let own = field.and_then(|field| field.flexible);
        own.or(self.message.flexible).is_some_and(|versions| versions.contains(self.version))
    }

    fn is_null(&self, field: &Field, source: &mut Source<'_>) -> bool {
        let allowed = field.nullable.is_some_and(|versions| versions.contains(self.version));
        let by_default = field.default.as_deref() == Some("null") || field.base == "records";
        allowed && source.as_deref_mut().map_or(by_default, |chance| chance.once_in(4))
    }

    /// A tagged struct that may be null is marked by a varint, any other by a byte.
    fn tagged(&self, field: &Field, mut source: Source<'_>, out: &mut Encoder) {
        if !field.is_struct() || field.array || field.nullable.is_none() {
            return self.field(field, source, out);
        }
        let null = self.is_null(field, &mut source);
        out.uvarint(u32::from(!null));
        if !null {
            self.body(self.struct_of(field), source, out);
        }
    }

    fn field(&self, field: &Field, mut source: Source<'_>, out: &mut Encoder) {
        let flexible = self.flexible(Some(field));
        let null = self.is_null(field, &mut source);
        if field.array {
            let count = source.as_deref_mut().map_or(0, |chance| chance.below(4));
            out.count(flexible, (!null).then_some(count)).unwrap();
            for _ in 0..if null { 0 } else { count } {
                self.element(field, source.as_deref_mut(), out);
            }
        } else if field.is_struct() {
            if field.nullable.is_some_and(|versions| versions.contains(self.version)) {
                out.i8(if null { -1 } else { 1 });
            }
            if !null {
                self.body(self.struct_of(field), source, out);
            }
        } else if null && field.base == "string" {
            out.nullable_string(flexible, None).unwrap();
        } else if null {
            out.nullable_bytes(flexible, None).unwrap();
        } else {
            self.element(field, source, out);
        }
    }

    fn struct_of<'s>(&'s self, field: &'s Field) -> &'s [Field] {
        if !field.fields.is_empty() {
            return &field.fields;
        }
        let shared = self.message.shared.iter().find(|shared| shared.name == field.base);
        shared.map(|shared| shared.fields.as_slice()).or_else(|| inline(&self.message.fields, &field.base)).unwrap()
    }

    fn element(&self, field: &Field, source: Source<'_>, out: &mut Encoder) {
        let flexible = self.flexible(Some(field));
        if field.is_struct() {
            return self.body(self.struct_of(field), source, out);
        }
        let number = number(field);
        let Some(chance) = source else {
            return plain(field, number, flexible, out);
        };
        let small = [0, 1, number, number.wrapping_sub(1), -1][chance.below(5)];
        let value = if chance.once_in(2) { chance.next() as i64 } else { small };
        plain_random(field, value, (flexible, chance), out);
    }
}

/// The fields of a struct that is defined in place at another field.
fn inline<'f>(fields: &'f [Field], name: &str) -> Option<&'f [Field]> {
    fields.iter().find_map(|field| {
        if field.base == name && !field.fields.is_empty() {
            return Some(field.fields.as_slice());
        }
        inline(&field.fields, name)
    })
}

fn number(field: &Field) -> i64 {
    let text = field.default.as_deref().unwrap_or("0");
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
        None if text.eq_ignore_ascii_case("true") => 1,
        None => text.parse().unwrap_or(0),
    }
}

/// A scalar: its default is `value`, empty text or bytes.
fn plain(field: &Field, value: i64, flexible: bool, out: &mut Encoder) {
    match field.base.as_str() {
        "string" => out.string(flexible, field.default.as_deref().unwrap_or_default()).unwrap(),
        "bytes" | "records" => out.bytes_field(flexible, &[]).unwrap(),
        "float64" => out.f64(value as f64),
        "uuid" => out.uuid(Uuid::ZERO),
        base => fixed(base, value, out),
    }
}

fn plain_random(field: &Field, value: i64, (flexible, chance): (bool, &mut Chance), out: &mut Encoder) {
    match field.base.as_str() {
        "string" => out.string(flexible, &text(chance)).unwrap(),
        "bytes" | "records" => {
            let bytes: Vec<u8> = (0..chance.below(20)).map(|_| chance.next() as u8).collect();
            out.bytes_field(flexible, &bytes).unwrap();
        }
        "float64" => out.f64(value as f64 / 8.0),
        "uuid" if chance.once_in(4) => out.uuid(Uuid::ZERO),
        "uuid" => {
            let half = u128::from(chance.next());
            out.uuid(Uuid((half << 64 | u128::from(chance.next())).to_be_bytes()));
        }
        base => fixed(base, value, out),
    }
}

fn fixed(base: &str, value: i64, out: &mut Encoder) {
    match base {
        "bool" => out.bool(value & 1 == 1),
        "int8" => out.i8(value as i8),
        "int16" => out.i16(value as i16),
        "uint16" => out.u16(value as u16),
        "int32" => out.i32(value as i32),
        "uint32" => out.u32(value as u32),
        "int64" => out.i64(value),
        other => panic!("no such type: {other}"),
    }
}

fn text(chance: &mut Chance) -> String {
    const LETTERS: [char; 8] = ['a', 'Z', '0', '-', '.', 'é', '語', '🦦'];
    (0..chance.below(12)).map(|_| LETTERS[chance.below(LETTERS.len())]).collect()
}
