//! Writes a definition document in our compact text.

use super::{Document, Field, Kind, Message, Versions};
use std::fmt::Write;

/// The text of `document`; `parse` reads it back to an equal document.
#[must_use]
pub fn print(document: &Document) -> String {
    let mut text = String::new();
    if let Some(api) = &document.api {
        let request = &document.messages[0];
        let key = request.key.unwrap_or_default();
        let listeners = request.listeners.join(", ");
        let on = if listeners.is_empty() { String::new() } else { format!(" on {listeners}") };
        line(&mut text, 0, &format!("api {key} {api}{on}"));
    }
    for own in &document.own {
        line(&mut text, 0, own);
    }
    for message in &document.messages {
        if !text.is_empty() {
            text.push('\n');
        }
        line(&mut text, 0, &head(message, document.api.is_some()));
        fields(&mut text, 1, &message.fields);
        for shared in &message.shared {
            line(&mut text, 1, &format!("struct {} {}", shared.name, shared.versions));
            fields(&mut text, 2, &shared.fields);
        }
    }
    text
}

fn line(text: &mut String, depth: usize, content: &str) {
    writeln!(text, "{:1$}{content}", "", depth * 2).expect("writing to a string never fails");
}

fn head(message: &Message, in_api: bool) -> String {
    let mut head = message.kind.word().to_owned();
    if !in_api {
        head += &format!(" {}", message.name);
        if let Some(key) = message.key {
            head += &format!(" key {key}");
        }
    }
    head += &format!(" {}", message.valid);
    if let Some(flexible) = message.flexible {
        head += &format!(" flexible {flexible}");
    }
    if message.unstable {
        head += " unstable";
    }
    debug_assert!(in_api == matches!(message.kind, Kind::Request | Kind::Response));
    head
}

fn fields(text: &mut String, depth: usize, list: &[Field]) {
    for field in list {
        line(text, depth, &one(field));
        fields(text, depth + 1, &field.fields);
    }
}

fn one(field: &Field) -> String {
    let mut out = format!("{} {}{}", field.name, if field.array { "[]" } else { "" }, field.base);
    match field.nullable {
        Some(nullable) if nullable == field.versions => out.push('?'),
        Some(nullable) => out += &format!("?{nullable}"),
        None => {}
    }
    if let Some(default) = &field.default {
        let shown = if default.is_empty() { "\"\"" } else { default };
        out += &format!(" = {shown}");
    }
    if field.versions != Versions::ALL {
        out += &format!(" {}", field.versions);
    }
    if let Some((tag, versions)) = field.tag {
        out += &format!(" tag {tag}");
        if versions != field.versions {
            out += &format!(" {versions}");
        }
    }
    if field.ignorable {
        out += " ~";
    }
    if field.map_key {
        out += " key";
    }
    if let Some(entity) = &field.entity {
        out += &format!(" @{entity}");
    }
    if field.zero_copy {
        out += " zerocopy";
    }
    if let Some(flexible) = field.flexible {
        out += &format!(" flexible {flexible}");
    }
    out
}
