//! The encoder of a struct.

use super::decode::{flexible_at_all, prelude, uses_flexible, uses_v, uses_version};
use super::layout::{Base, Slot, Struct, When};
use std::fmt::Write;

const INFALLIBLE: &str = "writing to a string never fails";

/// `pub fn encode` of `of`.
pub(super) fn function(of: &Struct) -> String {
    let body = body(of);
    let version = of.top || uses_version(&body) || uses_v(&body) || uses_flexible(&body);
    let version = if version { "version" } else { "_version" };
    let encoder = if body.contains("out.") || body.contains("out,") { "out" } else { "_out" };
    let mut out = String::new();
    writeln!(out, "    /// Writes the value as `version` lays it out.").expect(INFALLIBLE);
    writeln!(
        out,
        "    pub fn encode(&self, {encoder}: &mut wire::Encoder, {version}: wire::ApiVersion) -> Result<(), wire::EncodeError> {{"
    )
    .expect(INFALLIBLE);
    if of.top {
        writeln!(out, "        write::check_version(\"{}\", version, {}, {})?;", of.name, of.range.0, of.range.1)
            .expect(INFALLIBLE);
    }
    out += &prelude(of, &body);
    out += &body;
    out += "        Ok(())\n    }\n";
    out
}

fn body(of: &Struct) -> String {
    let mut out = String::new();
    for slot in of.fields.iter().filter(|slot| slot.field.tag.is_none()) {
        let lines = write_field(slot, "        ", false);
        let refuse = (!slot.field.ignorable).then(|| refusal(slot));
        match (&slot.present, refuse) {
            (When::Always, _) => lines.iter().for_each(|line| writeln!(out, "        {line}").expect(INFALLIBLE)),
            (When::Never, None) => {}
            (When::Never, Some((differs, error))) => {
                writeln!(out, "        if {differs} {{\n            {error}\n        }}").expect(INFALLIBLE);
            }
            (When::If(condition), refuse) => {
                writeln!(out, "        if {condition} {{").expect(INFALLIBLE);
                lines.iter().for_each(|line| writeln!(out, "            {line}").expect(INFALLIBLE));
                if let Some((differs, error)) = refuse {
                    writeln!(out, "        }} else if {differs} {{\n            {error}").expect(INFALLIBLE);
                }
                out += "        }\n";
            }
        }
    }
    out + &tags(of)
}

fn refusal(slot: &Slot) -> (String, String) {
    (slot.differs(), format!("return write::unsupported(\"{}\", version);", slot.what))
}

fn tags(of: &Struct) -> String {
    let mut tagged: Vec<&Slot> = of.fields.iter().filter(|slot| slot.field.tag.is_some()).collect();
    tagged.sort_by_key(|slot| slot.field.tag.map(|(tag, _)| tag));
    let mut out = String::new();
    for slot in tagged.iter().filter(|slot| !slot.field.ignorable && slot.present != When::Always) {
        let (differs, error) = refusal(slot);
        let absent = match &slot.present {
            when @ When::If(_) => format!("{} && {differs}", when.negated()),
            _ => differs,
        };
        writeln!(out, "        if {absent} {{\n            {error}\n        }}").expect(INFALLIBLE);
    }
    if !flexible_at_all(of) {
        return out;
    }
    let conditional = matches!(When::of(of.flexible, of.range), When::If(_));
    let pad = if conditional { "            " } else { "        " };
    if conditional {
        out += "        if flexible {\n";
    }
    tagged.retain(|slot| slot.present != When::Never);
    if tagged.is_empty() {
        writeln!(out, "{pad}out.uvarint(0);").expect(INFALLIBLE);
    } else {
        out += &tagged_fields(&tagged, of, pad);
    }
    if conditional {
        out += "        }\n";
    }
    out
}

fn tagged_fields(tagged: &[&Slot], of: &Struct, pad: &str) -> String {
    let mut out = String::new();
    let mut names = Vec::new();
    for slot in tagged {
        let (tag, versions) = slot.field.tag.expect("filtered by tag");
        let set = match When::of(versions, of.range) {
            When::If(condition) if versions != of.flexible => format!("{condition} && {}", slot.differs()),
            _ => slot.differs(),
        };
        writeln!(out, "{pad}let tag_{tag} = {set};").expect(INFALLIBLE);
        names.push(format!("u32::from(tag_{tag})"));
    }
    writeln!(out, "{pad}out.uvarint({});", names.join(" + ")).expect(INFALLIBLE);
    for slot in tagged {
        let (tag, _) = slot.field.tag.expect("filtered by tag");
        writeln!(out, "{pad}if tag_{tag} {{\n{pad}    out.tagged({tag}, |out| {{").expect(INFALLIBLE);
        for line in write_field(slot, "", true) {
            writeln!(out, "{pad}        {line}").expect(INFALLIBLE);
        }
        writeln!(out, "{pad}        Ok(())\n{pad}    }})?;\n{pad}}}").expect(INFALLIBLE);
    }
    out
}

/// The statements that write one present field.
fn write_field(slot: &Slot, _pad: &str, tagged: bool) -> Vec<String> {
    let flexible = if tagged { "true" } else { slot.flexible.text() };
    let name = format!("self.{}", slot.name);
    let mut lines = Vec::new();
    let guarded = slot.nullable.as_ref().filter(|when| **when != When::Always);
    if let Some(when) = guarded {
        let (condition, what) = (when.text(), &slot.what);
        lines.push(format!("write::null_if({condition}, {name}.is_none(), \"{what}\", version)?;"));
    }
    if slot.field.array {
        lines.extend(array(slot, flexible));
        return lines;
    }
    let optional = slot.nullable.is_some();
    match slot.kind {
        Base::Fixed { method, .. } => lines.push(format!("out.{method}({name});")),
        Base::Text if optional => lines.push(format!("out.nullable_string({flexible}, {name}.as_deref())?;")),
        Base::Text => lines.push(format!("out.string({flexible}, &{name})?;")),
        Base::Bytes if optional => lines.push(format!("out.nullable_bytes({flexible}, {name}.as_deref())?;")),
        Base::Bytes => lines.push(format!("out.bytes_field({flexible}, &{name})?;")),
        Base::Records if optional => lines.push(format!("out.records({flexible}, {name})?;")),
        Base::Records => lines.push(format!("out.records({flexible}, Some({name}))?;")),
        Base::Struct => lines.extend(one_struct(slot, &name, tagged)),
    }
    lines
}

fn one_struct(slot: &Slot, name: &str, tagged: bool) -> Vec<String> {
    let (absent, present) = if tagged { ("uvarint(0)", "uvarint(1)") } else { ("i8(-1)", "i8(1)") };
    let marker = match &slot.nullable {
        None => return vec![format!("{name}.encode(out, version)?;")],
        Some(When::Always) => format!("    out.{present};"),
        Some(when) => format!("    if {} {{ out.{present}; }}", when.text()),
    };
    vec![
        format!("if let Some(value) = &{name} {{"),
        marker,
        "    value.encode(out, version)?;".to_owned(),
        "} else {".to_owned(),
        format!("    out.{absent};"),
        "}".to_owned(),
    ]
}

fn array(slot: &Slot, flexible: &str) -> Vec<String> {
    let name = format!("self.{}", slot.name);
    let (count, items) = if slot.nullable.is_some() {
        (format!("{name}.as_ref().map(Vec::len)"), format!("{name}.iter().flatten()"))
    } else {
        (format!("Some({name}.len())"), format!("&{name}"))
    };
    let each = match slot.kind {
        Base::Fixed { method, .. } => format!("out.{method}(*item);"),
        Base::Text => format!("out.string({flexible}, item)?;"),
        Base::Bytes | Base::Records => format!("out.bytes_field({flexible}, item)?;"),
        Base::Struct => "item.encode(out, version)?;".to_owned(),
    };
    vec![
        format!("out.count({flexible}, {count})?;"),
        format!("for item in {items} {{"),
        format!("    {each}"),
        "}".to_owned(),
    ]
}
