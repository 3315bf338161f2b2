//! A range of versions, as Kafka's schemas and our definitions write it.

use std::fmt;

/// A range of versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Versions {
    /// No version.
    None,
    /// From the first to the last, which may be open.
    Range(i16, Option<i16>),
}

impl Versions {
    /// Every version.
    pub const ALL: Versions = Versions::Range(0, None);

    /// Reads Kafka's notation: `none`, `3`, `3+`, `0-4`.
    #[must_use]
    pub fn from_kafka(text: &str) -> Option<Versions> {
        Versions::read(text, "-")
    }

    /// Reads our notation: `none`, `3`, `3+`, `0..4`, `..4`.
    #[must_use]
    pub fn from_ours(text: &str) -> Option<Versions> {
        match text.strip_prefix("..") {
            Some(last) => Some(Versions::Range(0, Some(last.parse().ok()?))),
            None => Versions::read(text, ".."),
        }
    }

    fn read(text: &str, between: &str) -> Option<Versions> {
        if text == "none" {
            return Some(Versions::None);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Some(Versions::Range(first.parse().ok()?, None));
        }
        let (first, last) = text.split_once(between).unwrap_or((text, text));
        Some(Versions::Range(first.parse().ok()?, Some(last.parse().ok()?)))
    }

    /// Kafka's notation.
    #[must_use]
    pub fn to_kafka(self) -> String {
        match self {
            Versions::None => "none".to_owned(),
            Versions::Range(first, None) => format!("{first}+"),
            Versions::Range(first, Some(last)) if first == last => format!("{first}"),
            Versions::Range(first, Some(last)) => format!("{first}-{last}"),
        }
    }

    /// Whether `version` is among them.
    #[must_use]
    pub fn contains(self, version: i16) -> bool {
        match self {
            Versions::None => false,
            Versions::Range(first, last) => version >= first && last.is_none_or(|last| version <= last),
        }
    }

    /// First and last version; None for an empty or open range.
    #[must_use]
    pub fn bounds(self) -> Option<(i16, i16)> {
        match self {
            Versions::Range(first, Some(last)) => Some((first, last)),
            Versions::Range(_, None) | Versions::None => None,
        }
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Versions::None => write!(f, "none"),
            Versions::Range(first, None) => write!(f, "{first}+"),
            Versions::Range(first, Some(last)) if first == last => write!(f, "{first}"),
            Versions::Range(0, Some(last)) => write!(f, "..{last}"),
            Versions::Range(first, Some(last)) => write!(f, "{first}..{last}"),
        }
    }
}
