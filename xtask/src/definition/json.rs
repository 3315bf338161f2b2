//! Kafka's schema JSON: reading it into messages, and the canonical form that two schemas are compared in.

use super::{Field, Kind, Message, Shared, Versions};
use serde_json::{Map, Value};

/// Takes the lines that are comments out of a schema file.
#[must_use]
pub fn strip_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

type Object = Map<String, Value>;

/// Reads one schema; unknown keys are an error, so that nothing is dropped unseen.
pub fn message(schema: &Value) -> Result<Message, String> {
    const KNOWN: &[&str] = &[
        "apiKey",
        "type",
        "name",
        "listeners",
        "validVersions",
        "flexibleVersions",
        "latestVersionUnstable",
        "fields",
        "commonStructs",
    ];
    let object = object(schema, KNOWN)?;
    let kind = text(object, "type").and_then(|word| Kind::named(&word)).ok_or("unknown type of schema")?;
    Ok(Message {
        kind,
        name: text(object, "name").ok_or("a schema needs its name")?,
        key: object.get("apiKey").and_then(Value::as_i64).map(|key| key as i16),
        listeners: list(object, "listeners").iter().filter_map(|word| word.as_str().map(str::to_owned)).collect(),
        valid: versions(object, "validVersions")?.ok_or("a schema needs its versions")?,
        flexible: versions(object, "flexibleVersions")?,
        unstable: flag(object, "latestVersionUnstable"),
        fields: fields(object)?,
        shared: list(object, "commonStructs").iter().map(shared).collect::<Result<_, _>>()?,
    })
}

fn object<'v>(value: &'v Value, known: &[&str]) -> Result<&'v Object, String> {
    let object = value.as_object().ok_or("an object is expected")?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key {key}")),
        None => Ok(object),
    }
}

fn text(object: &Object, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn flag(object: &Object, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'o>(object: &'o Object, key: &str) -> &'o [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn versions(object: &Object, key: &str) -> Result<Option<Versions>, String> {
    match text(object, key) {
        None => Ok(None),
        Some(text) => Versions::from_kafka(&text).map(Some).ok_or_else(|| format!("bad versions {text} of {key}")),
    }
}

fn fields(object: &Object) -> Result<Vec<Field>, String> {
    list(object, "fields").iter().map(field).collect()
}

fn shared(value: &Value) -> Result<Shared, String> {
    let object = object(value, &["name", "versions", "fields", "about"])?;
    Ok(Shared {
        name: text(object, "name").ok_or("a struct needs its name")?,
        versions: versions(object, "versions")?.ok_or("a struct needs its versions")?,
        fields: fields(object)?,
    })
}

fn field(value: &Value) -> Result<Field, String> {
    const KNOWN: &[&str] = &[
        "name",
        "type",
        "versions",
        "nullableVersions",
        "taggedVersions",
        "tag",
        "default",
        "ignorable",
        "mapKey",
        "zeroCopy",
        "entityType",
        "flexibleVersions",
        "fields",
        "about",
    ];
    let object = object(value, KNOWN)?;
    let name = text(object, "name").ok_or("a field needs its name")?;
    let shape = text(object, "type").ok_or("a field needs its type")?;
    let tagged = versions(object, "taggedVersions")?;
    let tag = object.get("tag").and_then(Value::as_u64).map(|tag| tag as u32);
    Ok(Field {
        array: shape.starts_with("[]"),
        base: shape.trim_start_matches("[]").to_owned(),
        fields: fields(object)?,
        // A tagged field may leave its versions out: they are the tagged ones then.
        versions: versions(object, "versions")?.or(tagged).ok_or_else(|| format!("{name} needs its versions"))?,
        nullable: versions(object, "nullableVersions")?,
        default: text(object, "default"),
        tag: tag.zip(tagged),
        ignorable: flag(object, "ignorable"),
        map_key: flag(object, "mapKey"),
        zero_copy: flag(object, "zeroCopy"),
        entity: text(object, "entityType"),
        flexible: versions(object, "flexibleVersions")?,
        name,
    })
}

/// `schema` without prose and with what is implied left out, so that equal meaning is an equal value.
#[must_use]
pub fn canonical(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            let mut out: Object =
                keys.into_iter().filter_map(|key| Some((key.clone(), canonical_entry(key, &object[key])?))).collect();
            let tagged = out.get("taggedVersions").cloned();
            if let (false, Some(tagged)) = (out.contains_key("versions"), tagged) {
                out.insert("versions".to_owned(), tagged);
            }
            out.sort_keys();
            Value::Object(out)
        }
        Value::Array(list) => Value::Array(list.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

fn canonical_entry(key: &str, value: &Value) -> Option<Value> {
    match (key, value) {
        ("about", _) | (_, Value::Null | Value::Bool(false)) if key != "default" => None,
        ("default", Value::Null) => None,
        ("default", Value::String(_)) => Some(value.clone()),
        ("default", other) => Some(Value::String(other.to_string())),
        ("fields" | "commonStructs", Value::Array(list)) if list.is_empty() => None,
        (
            "validVersions" | "flexibleVersions" | "versions" | "nullableVersions" | "taggedVersions",
            Value::String(text),
        ) => {
            // "0-0" and "0" are one range.
            Some(Value::String(Versions::from_kafka(text).map_or(text.clone(), Versions::to_kafka)))
        }
        _ => Some(canonical(value)),
    }
}

/// The canonical JSON of a message, as `canonical` gives it for the schema it came from.
#[must_use]
pub fn from_message(message: &Message) -> Value {
    let mut out = Object::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(key.to_owned(), value);
        }
    };
    put("apiKey", message.key.map(Value::from));
    put("type", Some(message.kind.word().into()));
    put("name", Some(message.name.clone().into()));
    put("listeners", (!message.listeners.is_empty()).then(|| message.listeners.clone().into()));
    put("validVersions", Some(message.valid.to_kafka().into()));
    put("flexibleVersions", message.flexible.map(|versions| versions.to_kafka().into()));
    put("latestVersionUnstable", message.unstable.then(|| true.into()));
    put("fields", fields_value(&message.fields));
    let shared: Vec<Value> = message.shared.iter().map(shared_value).collect();
    put("commonStructs", (!shared.is_empty()).then_some(Value::Array(shared)));
    canonical(&Value::Object(out))
}

fn fields_value(fields: &[Field]) -> Option<Value> {
    (!fields.is_empty()).then(|| Value::Array(fields.iter().map(field_value).collect()))
}

fn shared_value(shared: &Shared) -> Value {
    let mut out = Object::new();
    out.insert("name".to_owned(), shared.name.clone().into());
    out.insert("versions".to_owned(), shared.versions.to_kafka().into());
    if let Some(fields) = fields_value(&shared.fields) {
        out.insert("fields".to_owned(), fields);
    }
    Value::Object(out)
}

fn field_value(field: &Field) -> Value {
    let mut out = Object::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(key.to_owned(), value);
        }
    };
    put("name", Some(field.name.clone().into()));
    put("type", Some(format!("{}{}", if field.array { "[]" } else { "" }, field.base).into()));
    put("versions", Some(field.versions.to_kafka().into()));
    put("nullableVersions", field.nullable.map(|versions| versions.to_kafka().into()));
    put("taggedVersions", field.tag.map(|(_, versions)| versions.to_kafka().into()));
    put("tag", field.tag.map(|(tag, _)| tag.into()));
    put("default", field.default.clone().map(Value::from));
    put("ignorable", field.ignorable.then(|| true.into()));
    put("mapKey", field.map_key.then(|| true.into()));
    put("zeroCopy", field.zero_copy.then(|| true.into()));
    put("entityType", field.entity.clone().map(Value::from));
    put("flexibleVersions", field.flexible.map(|versions| versions.to_kafka().into()));
    put("fields", fields_value(&field.fields));
    Value::Object(out)
}

/// A 64-bit fingerprint (FNV-1a) of a message's canonical JSON.
#[must_use]
pub fn fingerprint(canonical: &Value) -> u64 {
    canonical
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
