//! What the generator knows of a struct: Rust types, when fields are present, least sizes.

use crate::definition::{Document, Field, Kind, Message, Versions};
use crate::names;
use std::collections::BTreeMap;

/// A condition on the version, within the versions in which the struct occurs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum When {
    Always,
    Never,
    If(String),
}

impl When {
    /// When `versions` hold, given that the version lies in `range`.
    pub(super) fn of(versions: Versions, range: (i16, i16)) -> When {
        let Versions::Range(first, last) = versions else {
            return When::Never;
        };
        let last = last.unwrap_or(i16::MAX);
        if first > range.1 || last < range.0 {
            return When::Never;
        }
        match (first > range.0, last < range.1) {
            (false, false) => When::Always,
            (true, false) => When::If(format!("v >= {first}")),
            (false, true) => When::If(format!("v <= {last}")),
            (true, true) => When::If(format!("({first}..={last}).contains(&v)")),
        }
    }

    /// The opposite of the condition, as an expression.
    pub(super) fn negated(&self) -> String {
        match self {
            When::Always => "false".to_owned(),
            When::Never => "true".to_owned(),
            When::If(text) if text.starts_with("v >= ") => text.replace(">=", "<"),
            When::If(text) if text.starts_with("v <= ") => text.replace("<=", ">"),
            When::If(text) => format!("!{text}"),
        }
    }

    /// The condition as an expression.
    pub(super) fn text(&self) -> &str {
        match self {
            When::Always => "true",
            When::Never => "false",
            When::If(text) => text,
        }
    }
}

/// A struct to generate.
pub(super) struct Struct {
    /// Name in Rust.
    pub(super) name: String,
    pub(super) fields: Vec<Slot>,
    /// Versions in which it occurs.
    pub(super) range: (i16, i16),
    /// Flexible versions of its message.
    pub(super) flexible: Versions,
    /// Kafka's name of the message; Some for the message itself.
    pub(super) top: bool,
    pub(super) borrows: bool,
    pub(super) records: bool,
    /// Least bytes, by run of versions.
    pub(super) sizes: Vec<(i16, usize)>,
}

/// A field with what the generator derives.
pub(super) struct Slot {
    pub(super) field: Field,
    /// Name in Rust.
    pub(super) name: String,
    /// `Message.field` for errors.
    pub(super) what: String,
    pub(super) kind: Base,
    pub(super) present: When,
    /// When null is allowed, given that the field is present; None where it never is and the type is plain.
    pub(super) nullable: Option<When>,
    /// Whether this field's encoding is flexible.
    pub(super) flexible: When,
    /// The struct's name in Rust and whether it borrows, for struct types.
    pub(super) target: Option<Target>,
}

#[derive(Clone)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) borrows: bool,
    /// Least bytes, by run of versions.
    pub(super) sizes: Vec<(i16, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    Fixed { rust: &'static str, method: &'static str, size: usize },
    Text,
    Bytes,
    Records,
    Struct,
}

impl Base {
    fn of(name: &str) -> Base {
        let fixed = |rust, method, size| Base::Fixed { rust, method, size };
        match name {
            "int8" => fixed("i8", "i8", 1),
            "int16" => fixed("i16", "i16", 2),
            "uint16" => fixed("u16", "u16", 2),
            "int32" => fixed("i32", "i32", 4),
            "uint32" => fixed("u32", "u32", 4),
            "int64" => fixed("i64", "i64", 8),
            "float64" => fixed("f64", "f64", 8),
            "bool" => fixed("bool", "bool", 1),
            "uuid" => fixed("wire::Uuid", "uuid", 16),
            "string" => Base::Text,
            "bytes" => Base::Bytes,
            "records" => Base::Records,
            _ => Base::Struct,
        }
    }

    fn size_min(self, flexible: bool) -> usize {
        match (self, flexible) {
            (Base::Fixed { size, .. }, _) => size,
            (Base::Struct, _) => 0,
            (_, true) => 1,
            (Base::Text, false) => 2,
            (Base::Bytes | Base::Records, false) => 4,
        }
    }
}

impl Slot {
    /// The Rust type without `Option` or `Vec`.
    pub(super) fn element(&self) -> String {
        match self.kind {
            Base::Fixed { rust, .. } => rust.to_owned(),
            Base::Text => "Cow<'a, str>".to_owned(),
            Base::Bytes => "Cow<'a, [u8]>".to_owned(),
            Base::Records => "wire::Records<'a>".to_owned(),
            Base::Struct => {
                let target = self.target.as_ref().expect("a struct field has its target");
                format!("{}{}", target.name, if target.borrows { "<'a>" } else { "" })
            }
        }
    }

    /// The Rust type.
    pub(super) fn rust(&self) -> String {
        let element = self.element();
        let whole = if self.field.array { format!("Vec<{element}>") } else { element };
        if self.nullable.is_some() { format!("Option<{whole}>") } else { whole }
    }

    pub(super) fn borrows(&self) -> bool {
        match self.kind {
            Base::Fixed { .. } => false,
            Base::Struct => self.target.as_ref().is_some_and(|target| target.borrows),
            Base::Text | Base::Bytes | Base::Records => true,
        }
    }

    /// Whether Kafka's default is null.
    pub(super) fn null_default(&self) -> bool {
        self.nullable.is_some() && (self.field.default.as_deref() == Some("null") || self.kind == Base::Records)
    }

    /// The default without `Some`.
    fn plain_default(&self) -> String {
        let given = self.field.default.as_deref().filter(|text| !text.is_empty());
        if self.field.array {
            return "Vec::new()".to_owned();
        }
        match self.kind {
            Base::Fixed { rust: "bool", .. } => given.unwrap_or("false").to_ascii_lowercase(),
            Base::Fixed { rust: "f64", .. } => {
                format!("{:?}", given.and_then(|text| text.parse().ok()).unwrap_or(0.0_f64))
            }
            Base::Fixed { rust: "wire::Uuid", .. } => "wire::Uuid::ZERO".to_owned(),
            Base::Fixed { .. } => given.unwrap_or("0").to_owned(),
            Base::Text => format!("Cow::Borrowed({:?})", given.unwrap_or_default()),
            Base::Bytes => "Cow::Borrowed(&[])".to_owned(),
            Base::Records => "wire::Records::Bytes(&[])".to_owned(),
            Base::Struct => {
                format!("{}::default()", self.target.as_ref().expect("a struct field has its target").name)
            }
        }
    }

    /// The default as an expression.
    pub(super) fn default(&self) -> String {
        match (self.null_default(), self.nullable.is_some()) {
            (true, _) => "None".to_owned(),
            (false, true) => format!("Some({})", self.plain_default()),
            (false, false) => self.plain_default(),
        }
    }

    /// Whether the default is what Rust gives the type.
    pub(super) fn rust_default(&self) -> bool {
        let plain =
            ["0", "false", "0.0", "wire::Uuid::ZERO", "Vec::new()", "Cow::Borrowed(\"\")", "Cow::Borrowed(&[])"];
        let default = self.default();
        default == "None" || plain.contains(&default.as_str()) || (self.kind == Base::Struct && self.nullable.is_none())
    }

    /// An expression that is true when `self.name` differs from the default.
    pub(super) fn differs(&self) -> String {
        let name = format!("self.{}", self.name);
        let optional = self.nullable.is_some();
        if self.null_default() {
            return format!("{name}.is_some()");
        }
        let empty_default = self.field.default.as_deref().is_none_or(str::is_empty);
        match self.kind {
            _ if self.field.array && optional => format!("!{name}.as_ref().is_some_and(Vec::is_empty)"),
            _ if self.field.array => format!("!{name}.is_empty()"),
            Base::Fixed { rust: "bool", .. } if self.plain_default() == "true" => format!("!{name}"),
            Base::Fixed { rust: "bool", .. } => name,
            Base::Fixed { .. } => format!("{name} != {}", self.plain_default()),
            Base::Text | Base::Bytes if optional => format!("!{name}.as_ref().is_some_and(|value| value.is_empty())"),
            Base::Text | Base::Bytes if empty_default => format!("!{name}.is_empty()"),
            Base::Records => format!("!{name}.is_empty()"),
            Base::Text | Base::Bytes | Base::Struct => format!("{name} != {}", self.default()),
        }
    }

    /// Least bytes of one array element, as an expression over `v` and `flexible`.
    pub(super) fn element_size(&self) -> String {
        match &self.target {
            Some(target) if target.sizes.len() == 1 => target.sizes[0].1.to_string(),
            Some(target) => format!("{}::size_min(version)", target.name),
            None => {
                let (rigid, flexible) = (self.kind.size_min(false), self.kind.size_min(true));
                match self.flexible.text() {
                    _ if rigid == flexible => rigid.to_string(),
                    "true" => flexible.to_string(),
                    "false" => rigid.to_string(),
                    _ => format!("if flexible {{ {flexible} }} else {{ {rigid} }}"),
                }
            }
        }
    }

    fn size_min(&self, version: i16, flexible: bool) -> usize {
        let tagged = self.field.tag.is_some_and(|(_, versions)| versions.contains(version));
        if !self.field.versions.contains(version) || tagged {
            return 0;
        }
        let flexible = self.field.flexible.map_or(flexible, |own| own.contains(version));
        if self.field.array {
            return if flexible { 1 } else { 4 };
        }
        match &self.target {
            Some(_) if self.field.nullable.is_some_and(|nullable| nullable.contains(version)) => 1,
            Some(target) => size_at(&target.sizes, version),
            None => self.kind.size_min(flexible),
        }
    }
}

fn size_at(sizes: &[(i16, usize)], version: i16) -> usize {
    sizes.iter().take_while(|(first, _)| *first <= version).last().map_or(0, |(_, size)| *size)
}

/// The structs of every message of a document, inner ones before those that hold them.
pub(super) fn structs(document: &Document) -> Vec<Vec<Struct>> {
    let clashes = clashes(document);
    document
        .messages
        .iter()
        .filter(|message| message.valid.bounds().is_some())
        .map(|message| Builder::new(message, &clashes).run())
        .collect()
}

/// Names that two messages of one file use for their structs.
fn clashes(document: &Document) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for message in &document.messages {
        let mut names = Vec::new();
        inline_names(&message.fields, &mut names);
        for shared in &message.shared {
            names.push(shared.name.clone());
            inline_names(&shared.fields, &mut names);
        }
        names.sort();
        names.dedup();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
}

fn inline_names(fields: &[Field], names: &mut Vec<String>) {
    for field in fields {
        if field.is_struct() && !field.fields.is_empty() {
            names.push(field.base.clone());
        }
        inline_names(&field.fields, names);
    }
}

struct Builder<'m> {
    message: &'m Message,
    clashes: &'m [String],
    done: Vec<Struct>,
    targets: BTreeMap<String, Target>,
    /// Structs being built: one that holds itself has no least size and no bounded depth, and is refused.
    open: Vec<String>,
}

impl<'m> Builder<'m> {
    fn new(message: &'m Message, clashes: &'m [String]) -> Builder<'m> {
        Builder { message, clashes, done: Vec::new(), targets: BTreeMap::new(), open: Vec::new() }
    }

    fn run(mut self) -> Vec<Struct> {
        let message = self.message;
        let range = message.valid.bounds().expect("only messages with versions are generated");
        self.build(&message.name, &message.fields, range, true);
        self.done
    }

    fn rust_name(&self, name: &str) -> String {
        if !self.clashes.iter().any(|clash| clash == name) {
            return name.to_owned();
        }
        let prefix = match self.message.kind {
            Kind::Request => "Request",
            Kind::Response => "Response",
            Kind::CoordinatorKey => "Key",
            _ => "Value",
        };
        format!("{prefix}{name}")
    }

    fn build(&mut self, name: &str, fields: &[Field], range: (i16, i16), top: bool) -> Target {
        assert!(!self.open.iter().any(|open| open == name), "{}: {name} holds itself", self.message.name);
        self.open.push(name.to_owned());
        let rust = if top { name.to_owned() } else { self.rust_name(name) };
        let slots: Vec<Slot> = fields.iter().map(|field| self.slot(&rust, field, range)).collect();
        let flexible = self.message.flexible.unwrap_or(Versions::None);
        let size = |version: i16| {
            let body: usize = slots.iter().map(|slot| slot.size_min(version, flexible.contains(version))).sum();
            body + usize::from(flexible.contains(version))
        };
        let mut sizes: Vec<(i16, usize)> = Vec::new();
        for version in range.0..=range.1 {
            if sizes.last().is_none_or(|(_, last)| *last != size(version)) {
                sizes.push((version, size(version)));
            }
        }
        let borrows = slots.iter().any(Slot::borrows);
        let records = slots.iter().any(|slot| slot.kind == Base::Records || self.holds_records(slot));
        let target = Target { name: rust.clone(), borrows, sizes: sizes.clone() };
        self.targets.insert(name.to_owned(), target.clone());
        self.open.pop();
        self.done.push(Struct { name: rust, fields: slots, range, flexible, top, borrows, records, sizes });
        target
    }

    fn holds_records(&self, slot: &Slot) -> bool {
        let name = slot.target.as_ref().map(|target| target.name.as_str());
        self.done.iter().any(|done| Some(done.name.as_str()) == name && done.records)
    }

    fn slot(&mut self, owner: &str, field: &Field, range: (i16, i16)) -> Slot {
        let kind = Base::of(&field.base);
        let target = (kind == Base::Struct).then(|| self.target(field, range));
        let inner = clamp(field.versions, range);
        let nullable = field.nullable.map(|versions| When::of(versions, inner));
        let flexible = field.flexible.or(self.message.flexible).unwrap_or(Versions::None);
        let flexible = match When::of(flexible, range) {
            When::If(_) => When::If("flexible".to_owned()),
            known => known,
        };
        Slot {
            name: names::field(&field.name),
            what: format!("{owner}.{}", names::field(&field.name)),
            kind,
            present: When::of(field.versions, range),
            nullable,
            flexible,
            target,
            field: field.clone(),
        }
    }

    fn target(&mut self, field: &Field, range: (i16, i16)) -> Target {
        if let Some(target) = self.targets.get(&field.base) {
            return target.clone();
        }
        let message = self.message;
        if !field.fields.is_empty() {
            return self.build(&field.base, &field.fields, clamp(field.versions, range), false);
        }
        let shared = message
            .shared
            .iter()
            .find(|shared| shared.name == field.base)
            .unwrap_or_else(|| panic!("{}: no struct {}", message.name, field.base));
        let whole = message.valid.bounds().expect("only messages with versions are generated");
        self.build(&shared.name, &shared.fields, clamp(shared.versions, whole), false)
    }
}

/// The versions of `range` that `versions` hold; the whole range if they hold none.
fn clamp(versions: Versions, range: (i16, i16)) -> (i16, i16) {
    let Versions::Range(first, last) = versions else {
        return range;
    };
    let clamped = (first.max(range.0), last.unwrap_or(i16::MAX).min(range.1));
    if clamped.0 <= clamped.1 { clamped } else { range }
}
