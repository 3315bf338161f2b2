//! The decoder of a struct.

use super::layout::{Base, Slot, Struct, When};
use crate::definition::Versions;
use std::fmt::Write;

const INFALLIBLE: &str = "writing to a string never fails";

/// `pub fn decode` of `of`.
pub(super) fn function(of: &Struct) -> String {
    let life = if of.borrows { "'a" } else { "'_" };
    let (cursor, version) = used(of);
    let mut out = String::new();
    writeln!(out, "    /// Reads the value as `version` lays it out.").expect(INFALLIBLE);
    writeln!(
        out,
        "    pub fn decode({cursor}: &mut wire::Cursor<{life}>, {version}: wire::ApiVersion) -> Result<Self, wire::DecodeError> {{"
    )
    .expect(INFALLIBLE);
    if of.top {
        writeln!(out, "        read::check_version(\"{}\", version, {}, {})?;", of.name, of.range.0, of.range.1)
            .expect(INFALLIBLE);
    }
    let body = body(of);
    out += &prelude(of, &body);
    out += &body;
    out.push_str("    }\n");
    out
}

fn used(of: &Struct) -> (&'static str, &'static str) {
    let body = body(of);
    let cursor = if body.contains("cursor") { "cursor" } else { "_cursor" };
    let version = uses_version(&body) || uses_v(&body) || uses_flexible(&body) || of.top;
    (cursor, if version { "version" } else { "_version" })
}

pub(super) fn uses_version(body: &str) -> bool {
    ["version)", "version,", "version."]
        .iter()
        .any(|end| ["(", " "].iter().any(|start| body.contains(&format!("{start}{end}"))))
}

pub(super) fn uses_v(body: &str) -> bool {
    ["v >= ", "v <= ", "v < ", "v > ", "(&v)"].iter().any(|needle| body.contains(needle))
}

pub(super) fn uses_flexible(body: &str) -> bool {
    body.contains("flexible")
}

/// The locals `v` and `flexible`, where the body uses them.
pub(super) fn prelude(of: &Struct, body: &str) -> String {
    let mut out = String::new();
    let flexible = uses_flexible(body).then(|| When::of(of.flexible, of.range));
    if uses_v(body) || flexible.is_some() {
        out += "        let v = version.0;\n";
    }
    if let Some(flexible) = flexible {
        writeln!(out, "        let flexible = {};", flexible.text()).expect(INFALLIBLE);
    }
    out
}

fn body(of: &Struct) -> String {
    if of.fields.is_empty() && When::of(of.flexible, of.range) == When::Never {
        return "        Ok(Self {})\n".to_owned();
    }
    let mut out = String::new();
    let mutable = if of.fields.is_empty() { "" } else { "mut " };
    writeln!(out, "        let {mutable}value = Self::default();").expect(INFALLIBLE);
    for slot in of.fields.iter().filter(|slot| slot.field.tag.is_none()) {
        let read = read(slot, false);
        match &slot.present {
            When::Never => {}
            When::Always => read.iter().for_each(|line| writeln!(out, "        {line}").expect(INFALLIBLE)),
            When::If(condition) => {
                writeln!(out, "        if {condition} {{").expect(INFALLIBLE);
                read.iter().for_each(|line| writeln!(out, "            {line}").expect(INFALLIBLE));
                out += "        }\n";
            }
        }
    }
    out += &tags(of);
    out += "        Ok(value)\n";
    out
}

fn tags(of: &Struct) -> String {
    let (open, close, pad) = match When::of(of.flexible, of.range) {
        When::Never => return String::new(),
        When::Always => ("", "", "        "),
        When::If(_) => ("        if flexible {\n", "        }\n", "            "),
    };
    let tagged: Vec<&Slot> =
        of.fields.iter().filter(|slot| slot.field.tag.is_some() && slot.present != When::Never).collect();
    if tagged.is_empty() {
        return format!("{open}{pad}cursor.skip_tags()?;\n{close}");
    }
    let mut out = open.to_owned();
    let mut line = |depth: usize, text: &str| {
        writeln!(out, "{pad}{:1$}{text}", "", depth * 4).expect(INFALLIBLE);
    };
    line(0, "let mut last = None;");
    line(0, "for _ in 0..cursor.tag_count()? {");
    line(1, "let (tag, mut inner) = cursor.tag(&mut last)?;");
    line(1, "match tag {");
    for slot in tagged {
        let (tag, versions) = slot.field.tag.expect("filtered by tag");
        let guard = match When::of(versions, of.range) {
            When::If(condition) if versions != of.flexible => format!(" if {condition}"),
            _ => String::new(),
        };
        line(2, &format!("{tag}{guard} => {{"));
        read(slot, true)
            .iter()
            .for_each(|text| line(3, &text.replace("cursor.", "inner.").replace("cursor,", "&mut inner,")));
        line(2, "}");
    }
    line(2, "_ => continue,");
    line(1, "}");
    line(1, &format!("cursor.close_tag(&inner, \"tagged field of {}\")?;", of.name));
    line(0, "}");
    out + close
}

/// The statements that read one present field.
fn read(slot: &Slot, tagged: bool) -> Vec<String> {
    let flexible = if tagged { "true" } else { slot.flexible.text() };
    let name = &slot.name;
    let what = &slot.what;
    if slot.field.array {
        return array(slot, flexible);
    }
    let or_null = |value: &str| match &slot.nullable {
        Some(When::Always) => value.to_owned(),
        Some(when) => format!("read::null_if({}, {value}, \"{what}\")?", when.text()),
        None => value.to_owned(),
    };
    let nullable = slot.nullable.is_some();
    let text = match slot.kind {
        Base::Fixed { method, .. } => format!("cursor.{method}()?"),
        Base::Text if nullable => {
            format!("{}.map(Cow::Borrowed)", or_null(&format!("cursor.nullable_string({flexible}, \"{what}\")?")))
        }
        Base::Text => format!("Cow::Borrowed(cursor.string({flexible}, \"{what}\")?)"),
        Base::Bytes if nullable => {
            format!("{}.map(Cow::Borrowed)", or_null(&format!("cursor.nullable_bytes({flexible}, \"{what}\")?")))
        }
        Base::Bytes => format!("Cow::Borrowed(cursor.bytes({flexible}, \"{what}\")?)"),
        Base::Records if nullable => {
            format!("{}.map(wire::Records::Bytes)", or_null(&format!("cursor.nullable_bytes({flexible}, \"{what}\")?")))
        }
        Base::Records => format!("wire::Records::Bytes(cursor.bytes({flexible}, \"{what}\")?)"),
        Base::Struct => one_struct(slot, tagged),
    };
    vec![format!("value.{name} = {text};")]
}

fn one_struct(slot: &Slot, tagged: bool) -> String {
    let target = &slot.target.as_ref().expect("a struct field has its target").name;
    let decode = format!("{target}::decode(cursor, version)?");
    let absent = if tagged { "cursor.uvarint()? == 0" } else { "cursor.i8()? < 0" };
    match &slot.nullable {
        None => decode,
        Some(When::Always) => format!("if {absent} {{ None }} else {{ Some({decode}) }}"),
        Some(when) => format!("if {} && {absent} {{ None }} else {{ Some({decode}) }}", when.text()),
    }
}

fn array(slot: &Slot, flexible: &str) -> Vec<String> {
    let (name, what, size) = (&slot.name, &slot.what, slot.element_size());
    let count = match &slot.nullable {
        None => format!("cursor.count_required({flexible}, {size}, \"{what}\")?"),
        Some(When::Always) => format!("cursor.count({flexible}, {size}, \"{what}\")?"),
        Some(when) => {
            format!("read::null_if({}, cursor.count({flexible}, {size}, \"{what}\")?, \"{what}\")?", when.text())
        }
    };
    let suffix = if slot.nullable.is_some() { "_or_null" } else { "" };
    let items = match slot.kind {
        Base::Fixed { method, .. } => format!("read::list{suffix}(cursor, count, wire::Cursor::{method})?"),
        Base::Text => format!("read::texts{suffix}(cursor, count, {flexible}, \"{what}\")?"),
        Base::Bytes | Base::Records => format!("read::blobs{suffix}(cursor, count, {flexible}, \"{what}\")?"),
        Base::Struct => {
            let target = &slot.target.as_ref().expect("a struct field has its target").name;
            format!("read::structs{suffix}(cursor, count, version, {target}::decode)?")
        }
    };
    vec![format!("let count = {count};"), format!("value.{name} = {items};")]
}

/// `fn size_min` of a struct whose least size depends on the version.
pub(super) fn size_min(sizes: &[(i16, usize)]) -> String {
    let mut out = String::from("    fn size_min(version: wire::ApiVersion) -> usize {\n        match version.0 {\n");
    for (at, pair) in sizes.windows(2).enumerate() {
        let from = if at == 0 { String::new() } else { pair[0].0.to_string() };
        writeln!(out, "            {from}..{} => {},", pair[1].0, pair[0].1).expect(INFALLIBLE);
    }
    let last = sizes.last().map_or(0, |(_, size)| *size);
    writeln!(out, "            _ => {last},\n        }}\n    }}").expect(INFALLIBLE);
    out
}

/// Whether the tagged encoding of any version is used.
pub(super) fn flexible_at_all(of: &Struct) -> bool {
    of.flexible != Versions::None && When::of(of.flexible, of.range) != When::Never
}
