//! Which topic names are allowed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_wire::error::ErrorCode;

use super::Refusal;
use crate::image::Image;

const NAME_LENGTH_MAX: usize = 249;
/// The metadata log looks like a topic and is none.
pub(super) const METADATA_TOPIC: &str = "__cluster_metadata";

/// Checks a topic name: 1 to 249 of `a-z A-Z 0-9 . _ -`, but not `.` or `..`.
///
/// # Errors
/// What is wrong with it, in Kafka's words.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let wrong = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if matches!(name, "." | "..") {
        format!("'{name}' is not allowed")
    } else if name.encode_utf16().count() > NAME_LENGTH_MAX {
        format!("the length of '{name}' is longer than the max allowed length {NAME_LENGTH_MAX}")
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {wrong}"))
}

/// Whether a topic belongs to the cluster itself.
#[must_use]
pub fn is_internal_topic(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Names asked for at once, up to which looking through the existing ones is cheaper than sorting them.
const FEW: usize = 16;

/// Existing names by what metrics make of them: `.` and `_` are one there, so two names may not differ in them alone.
pub(super) enum Collisions<'a> {
    /// Look through the names of the image.
    Seek(&'a Image),
    /// All of them, sorted.
    Sorted(BTreeMap<String, Arc<str>>),
}

impl<'a> Collisions<'a> {
    pub(super) fn of(image: &'a Image, wanted: usize) -> Collisions<'a> {
        if wanted <= FEW {
            return Collisions::Seek(image);
        }
        let names = image.topics().map(|topic| &topic.name).filter(|name| has_collision_characters(name));
        Collisions::Sorted(names.map(|name| (name.replace('.', "_"), Arc::clone(name))).collect())
    }

    pub(super) fn check(&self, name: &str) -> Result<(), Refusal> {
        let wrong = |text| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text);
        check_topic_name(name).map_err(wrong)?;
        match self.existing(name) {
            Some(other) => Err(wrong(format!("Topic '{name}' collides with existing topic: {other}"))),
            None => Ok(()),
        }
    }

    fn existing(&self, name: &str) -> Option<&Arc<str>> {
        if !has_collision_characters(name) {
            return None;
        }
        match self {
            Collisions::Seek(image) => image.topics().map(|topic| &topic.name).find(|other| collide(other, name)),
            Collisions::Sorted(names) => names.get(&name.replace('.', "_")),
        }
    }
}

fn collide(one: &str, other: &str) -> bool {
    let is_one = |byte: u8| if byte == b'.' { b'_' } else { byte };
    one.len() == other.len() && one.bytes().map(is_one).eq(other.bytes().map(is_one))
}

fn has_collision_characters(name: &str) -> bool {
    name.contains(['.', '_'])
}
