//! Message definitions: the model, the compact text it is kept in, and Kafka's schema JSON.

pub mod json;
mod parse;
mod print;
mod versions;

#[cfg(test)]
mod tests;

pub use parse::parse;
pub use print::print;
pub use versions::Versions;

/// What a message is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Sent by a client.
    Request,
    /// Answer to a request.
    Response,
    /// Before each request or response.
    Header,
    /// Record of `__cluster_metadata` or of the remote log.
    Metadata,
    /// Key of a coordinator record.
    CoordinatorKey,
    /// Value of a coordinator record.
    CoordinatorValue,
    /// Anything else with a layout.
    Data,
}

impl Kind {
    /// Every kind with the word that Kafka's schemas use for it.
    pub const ALL: [(Kind, &'static str); 7] = [
        (Kind::Request, "request"),
        (Kind::Response, "response"),
        (Kind::Header, "header"),
        (Kind::Metadata, "metadata"),
        (Kind::CoordinatorKey, "coordinator-key"),
        (Kind::CoordinatorValue, "coordinator-value"),
        (Kind::Data, "data"),
    ];

    /// The kind that `word` names.
    #[must_use]
    pub fn named(word: &str) -> Option<Kind> {
        Kind::ALL.iter().find(|(_, name)| *name == word).map(|(kind, _)| *kind)
    }

    /// The word for this kind.
    #[must_use]
    pub fn word(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

/// One field of a struct.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Kafka's name.
    pub name: String,
    /// Whether it is an array of `base`.
    pub array: bool,
    /// Kafka's type name, or the name of a struct.
    pub base: String,
    /// The struct's fields where it is defined in place; empty for a reference to a shared struct.
    pub fields: Vec<Field>,
    /// Versions that have the field.
    pub versions: Versions,
    /// Versions that allow null.
    pub nullable: Option<Versions>,
    /// Default as written, None for the type's own.
    pub default: Option<String>,
    /// Tag and the versions that have it as a tagged field.
    pub tag: Option<(u32, Versions)>,
    /// Dropped silently where the version lacks it.
    pub ignorable: bool,
    /// Part of the key by which Kafka indexes the array.
    pub map_key: bool,
    /// Kafka keeps the bytes in place.
    pub zero_copy: bool,
    /// What the value identifies.
    pub entity: Option<String>,
    /// Flexible versions where they differ from the message's.
    pub flexible: Option<Versions>,
}

impl Field {
    /// Whether the base type is a struct.
    #[must_use]
    pub fn is_struct(&self) -> bool {
        self.base.starts_with(|first: char| first.is_ascii_uppercase())
    }
}

/// A struct that several fields share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// Kafka's name.
    pub name: String,
    /// Versions that have it.
    pub versions: Versions,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is for.
    pub kind: Kind,
    /// Kafka's name.
    pub name: String,
    /// API key, record type or None.
    pub key: Option<i16>,
    /// Listeners that serve the request.
    pub listeners: Vec<String>,
    /// Versions that exist.
    pub valid: Versions,
    /// Versions in the flexible encoding; None where the schema is silent.
    pub flexible: Option<Versions>,
    /// The last version is not final.
    pub unstable: bool,
    /// Fields in order.
    pub fields: Vec<Field>,
    /// Structs that several fields share.
    pub shared: Vec<Shared>,
}

/// One definition file: an API with both directions, or the records that belong together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Document {
    /// The API's name, None for a file of records.
    pub api: Option<String>,
    /// Lines of our own (`may`, `can`, `advertise`), kept through a conversion.
    pub own: Vec<String>,
    /// The messages in order.
    pub messages: Vec<Message>,
}

impl Document {
    /// Capabilities that the `can` lines declare: name and first version.
    pub fn capabilities(&self) -> impl Iterator<Item = (&str, i16)> {
        self.own.iter().filter_map(|line| {
            let mut words = line.strip_prefix("can ")?.split_whitespace();
            let name = words.next()?;
            let since = words.next()?.strip_suffix('+')?.parse().ok()?;
            Some((name, since))
        })
    }

    /// The lowest version that is announced though it is not served, from an `advertise` line.
    #[must_use]
    pub fn advertised_from(&self) -> Option<i16> {
        let line = self.own.iter().find_map(|line| line.strip_prefix("advertise "))?;
        line.split_whitespace().next()?.strip_suffix('+')?.parse().ok()
    }
}
