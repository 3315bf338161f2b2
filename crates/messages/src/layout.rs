//! Records as tables of fields, for those who show or compare records of any kind without knowing each.
//!
//! ```
//! use ottla_messages::layout::{Kind, Layout};
//! use ottla_wire::ApiVersion;
//!
//! let key = Layout::find("group", Kind::Key, 1).expect("group coordinators write offsets");
//! let bytes = b"\0\x01g\0\x01t\0\0\0\x07";
//! assert_eq!(key.json(bytes, ApiVersion(0)).unwrap(), r#"{"group":"g","topic":"t","partition":7}"#);
//! ```

pub use crate::table::{Kind, Layout};

use crate::generated::layouts::LAYOUTS;
use crate::json::{self, Value};
use ottla_wire::{ApiVersion, Cursor, DecodeError};

impl Layout {
    /// Every record's.
    pub fn all() -> impl Iterator<Item = &'static Layout> {
        LAYOUTS.iter()
    }

    /// The layout that a log of `group` means by the number `key`.
    #[must_use]
    pub fn find(group: &str, kind: Kind, key: i16) -> Option<&'static Layout> {
        LAYOUTS.iter().find(|layout| layout.group == group && layout.kind == kind && layout.key == key)
    }

    /// The layout with Kafka's name `name` in `group`.
    #[must_use]
    pub fn named(group: &str, name: &str) -> Option<&'static Layout> {
        LAYOUTS.iter().find(|layout| layout.group == group && layout.name == name)
    }

    /// Whether the version exists.
    #[must_use]
    pub fn has(&self, version: ApiVersion) -> bool {
        (self.versions.0..=self.versions.1).contains(&version.0)
    }

    /// Kafka's name of the record's type, as its tools print it: `REGISTER_BROKER_RECORD`.
    #[must_use]
    pub fn type_name(&self) -> String {
        let mut out = String::new();
        for letter in self.name.chars() {
            if letter.is_ascii_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.push(letter.to_ascii_uppercase());
        }
        out
    }

    /// The record in `bytes` as the JSON of Kafka's tools. Bytes behind it are passed over.
    pub fn json(&self, bytes: &[u8], version: ApiVersion) -> Result<String, DecodeError> {
        self.json_with(bytes, version, &mut |_, _| None)
    }

    /// As `json`; `replace` sees each text, number and byte string by name, and may answer other JSON for it.
    pub fn json_with(
        &self,
        bytes: &[u8],
        version: ApiVersion,
        replace: &mut dyn FnMut(&str, &Value<'_>) -> Option<String>,
    ) -> Result<String, DecodeError> {
        let flexible = version.0 >= self.flexible_from;
        json::Writer { version: version.0, flexible, replace }.object(self.fields, &mut Cursor::new(bytes))
    }
}
