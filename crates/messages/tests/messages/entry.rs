//! One message as the tests see it: bytes in, bytes out.

use ottla_wire::{ApiVersion, Encoder};

/// A message and what can be done with it.
pub(crate) struct Entry {
    /// Kafka's name.
    pub(crate) name: &'static str,
    /// Path of its definition.
    pub(crate) path: &'static str,
    /// First version.
    pub(crate) first: i16,
    /// Last version, final or not.
    pub(crate) last: i16,
    /// Decodes the whole of the bytes, checks the owned copy, encodes again.
    pub(crate) pass: fn(&[u8], ApiVersion, &mut Encoder) -> Result<(), String>,
    /// Decodes and drops; whether that worked.
    pub(crate) read: fn(&[u8], ApiVersion) -> bool,
    /// Encodes the default value.
    pub(crate) default: fn(ApiVersion, &mut Encoder) -> Result<(), String>,
}

impl Entry {
    /// Every version.
    pub(crate) fn versions(&self) -> impl Iterator<Item = ApiVersion> {
        (self.first..=self.last).map(ApiVersion)
    }
}

macro_rules! entry {
    ($how:ident, $name:literal, $path:literal, $first:literal, $last:literal, $type:path) => {
        Entry {
            name: $name,
            path: $path,
            first: $first,
            last: $last,
            pass: |bytes, version, out| {
                let mut cursor = ottla_wire::Cursor::new(bytes);
                let value = <$type>::decode(&mut cursor, version).map_err(|why| why.to_string())?;
                cursor.finish($name).map_err(|why| why.to_string())?;
                if value.clone() != value {
                    return Err("a clone differs".to_owned());
                }
                $crate::entry::owned!($how, value);
                value.encode(out, version).map_err(|why| why.to_string())
            },
            read: |bytes, version| <$type>::decode(&mut ottla_wire::Cursor::new(bytes), version).is_ok(),
            default: |version, out| <$type>::default().encode(out, version).map_err(|why| why.to_string()),
        }
    };
}

macro_rules! owned {
    (owned, $value:ident) => {
        if $value.clone().into_owned() != $value {
            return Err("the owned copy differs".to_owned());
        }
    };
    ($how:ident, $value:ident) => {};
}

pub(crate) use {entry, owned};
