//! What the tables of records are made of.

/// Which part of a log's record a layout is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A coordinator record's key.
    Key,
    /// A coordinator record's value.
    Value,
    /// Neither: all there is.
    Whole,
}

/// How a record lies in bytes.
#[derive(Debug)]
pub struct Layout {
    /// The folder of its definition: `metadata`, `group`, `transaction`, `share`, `control`, …
    pub group: &'static str,
    /// Kafka's name.
    pub name: &'static str,
    /// Which part it is.
    pub kind: Kind,
    /// The number by which its log names it; -1 without one.
    pub key: i16,
    /// First and last version.
    pub(crate) versions: (i16, i16),
    pub(crate) flexible_from: i16,
    pub(crate) fields: &'static [Field],
}

/// One field of a layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// As in JSON.
    pub(crate) name: &'static str,
    pub(crate) base: Base,
    pub(crate) is_array: bool,
    /// Versions that have it.
    pub(crate) versions: (i16, i16),
    /// Versions in which it may be null.
    pub(crate) null_versions: (i16, i16),
    /// Tag, and the versions that have it as a tagged field.
    pub(crate) tag: Option<(u32, (i16, i16))>,
    /// Default of a tagged field as JSON: that one is not shown.
    pub(crate) default: &'static str,
}

/// What a field, or each element of an array, is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    Text,
    Bytes,
    Struct(&'static [Field]),
}

const NEVER: (i16, i16) = (i16::MAX, -1);

/// A field of every version that is never null and has no tag.
pub(crate) const fn field(name: &'static str, base: Base) -> Field {
    let versions = (0, i16::MAX);
    Field { name, base, is_array: false, versions, null_versions: NEVER, tag: None, default: "" }
}

impl Field {
    /// Whether it is one struct.
    pub(crate) fn is_struct(&self) -> bool {
        matches!(self.base, Base::Struct(_)) && !self.is_array
    }

    pub(crate) const fn array(self) -> Field {
        Field { is_array: true, ..self }
    }

    pub(crate) const fn within(self, first: i16, last: i16) -> Field {
        Field { versions: (first, last), ..self }
    }

    pub(crate) const fn null_within(self, first: i16, last: i16) -> Field {
        Field { null_versions: (first, last), ..self }
    }

    pub(crate) const fn tagged(self, tag: u32, first: i16, last: i16, default: &'static str) -> Field {
        Field { tag: Some((tag, (first, last))), default, ..self }
    }
}
