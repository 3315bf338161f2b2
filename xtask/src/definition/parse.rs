//! Reads our compact text into a definition document.

use super::{Document, Field, Kind, Message, Shared, Versions};
use std::iter::Peekable;
use std::str::SplitWhitespace;

/// Reads `text`; the error names line and fault.
pub fn parse(text: &str) -> Result<Document, String> {
    let mut document = Document::default();
    let mut api = ApiLine::default();
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.split(" #").next().unwrap_or_default().trim_end()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .peekable();
    while let Some((at, line)) = lines.next() {
        let fault = |why: String| format!("line {at}: {why}: {line}");
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            "api" => {
                api = ApiLine::read(line).map_err(fault)?;
                document.api = Some(api.name.clone());
            }
            "may" | "can" | "advertise" => document.own.push(line.to_owned()),
            _ => {
                let mut message = head(line, document.api.is_some().then_some(&api)).map_err(fault)?;
                body(&mut lines, &mut message)?;
                document.messages.push(message);
            }
        }
    }
    Ok(document)
}

#[derive(Default)]
struct ApiLine {
    key: i16,
    name: String,
    listeners: Vec<String>,
}

impl ApiLine {
    fn read(line: &str) -> Result<ApiLine, String> {
        let (left, right) = line.split_once(" on ").unwrap_or((line, ""));
        let mut words = left.split_whitespace().skip(1);
        let key = words.next().and_then(|word| word.parse().ok()).ok_or("an API needs its key")?;
        let name = words.next().ok_or("an API needs its name")?.to_owned();
        let listeners = right.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect();
        Ok(ApiLine { key, name, listeners })
    }
}

fn head(line: &str, api: Option<&ApiLine>) -> Result<Message, String> {
    let mut words = line.split_whitespace().peekable();
    let kind = words.next().and_then(Kind::named).ok_or("unknown kind of message")?;
    let mut message = Message {
        kind,
        name: String::new(),
        key: None,
        listeners: Vec::new(),
        valid: Versions::None,
        flexible: None,
        unstable: false,
        fields: Vec::new(),
        shared: Vec::new(),
    };
    match api {
        Some(api) => {
            message.key = Some(api.key);
            let request = kind == Kind::Request;
            message.name = format!("{}{}", api.name, if request { "Request" } else { "Response" });
            message.listeners = if request { api.listeners.clone() } else { Vec::new() };
        }
        None => message.name = words.next().ok_or("a message needs its name")?.to_owned(),
    }
    if words.next_if_eq(&"key").is_some() {
        message.key = Some(words.next().and_then(|word| word.parse().ok()).ok_or("key needs a number")?);
    }
    message.valid = versions(words.next())?;
    while let Some(word) = words.next() {
        match word {
            "flexible" => message.flexible = Some(versions(words.next())?),
            "unstable" => message.unstable = true,
            other => return Err(format!("unknown word {other}")),
        }
    }
    Ok(message)
}

fn versions(word: Option<&str>) -> Result<Versions, String> {
    word.and_then(Versions::from_ours).ok_or_else(|| format!("versions expected, not {word:?}"))
}

type Lines<'t, I> = Peekable<I>;

fn body<'t, I: Iterator<Item = (usize, &'t str)>>(
    lines: &mut Lines<'t, I>,
    message: &mut Message,
) -> Result<(), String> {
    message.fields = fields(lines, 2)?;
    while let Some((at, line)) = lines.next_if(|(_, line)| line.starts_with("  struct ")) {
        let mut words = line.split_whitespace().skip(1);
        let name = words.next().ok_or_else(|| format!("line {at}: a struct needs its name"))?.to_owned();
        let versions = versions(words.next()).map_err(|why| format!("line {at}: {why}"))?;
        message.shared.push(Shared { name, versions, fields: fields(lines, 4)? });
    }
    Ok(())
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn fields<'t, I: Iterator<Item = (usize, &'t str)>>(
    lines: &mut Lines<'t, I>,
    depth: usize,
) -> Result<Vec<Field>, String> {
    let mut list = Vec::new();
    while let Some((at, line)) =
        lines.next_if(|(_, line)| indent(line) == depth && !line.trim_start().starts_with("struct "))
    {
        let mut field = field(line).map_err(|why| format!("line {at}: {why}: {line}"))?;
        field.fields = fields(lines, depth + 2)?;
        list.push(field);
    }
    if let Some((at, line)) = lines.peek().filter(|(_, line)| indent(line) > depth) {
        return Err(format!("line {at}: indented too deep: {line}"));
    }
    Ok(list)
}

fn field(line: &str) -> Result<Field, String> {
    let mut words = line.split_whitespace().peekable();
    let name = words.next().ok_or("a field needs its name")?.to_owned();
    let shape = words.next().ok_or("a field needs its type")?;
    let (shape, nullable) = shape.split_once('?').map_or((shape, None), |(left, right)| (left, Some(right)));
    let array = shape.starts_with("[]");
    let mut field = Field {
        name,
        array,
        base: shape.trim_start_matches("[]").to_owned(),
        fields: Vec::new(),
        versions: Versions::ALL,
        nullable: None,
        default: None,
        tag: None,
        ignorable: false,
        map_key: false,
        zero_copy: false,
        entity: None,
        flexible: None,
    };
    attributes(&mut words, &mut field)?;
    field.nullable = match nullable {
        None => None,
        Some("") => Some(field.versions),
        Some(text) => Some(versions(Some(text))?),
    };
    Ok(field)
}

fn attributes(words: &mut Peekable<SplitWhitespace<'_>>, field: &mut Field) -> Result<(), String> {
    while let Some(word) = words.next() {
        match word {
            "=" => field.default = Some(words.next().ok_or("a default is missing")?.trim_matches('"').to_owned()),
            "tag" => {
                let tag = words.next().and_then(|word| word.parse().ok()).ok_or("tag needs a number")?;
                let own = words.peek().and_then(|word| Versions::from_ours(word));
                if own.is_some() {
                    words.next();
                }
                field.tag = Some((tag, own.unwrap_or(field.versions)));
            }
            "~" => field.ignorable = true,
            "key" => field.map_key = true,
            "zerocopy" => field.zero_copy = true,
            "flexible" => field.flexible = Some(versions(words.next())?),
            _ => match word.strip_prefix('@') {
                Some(entity) => field.entity = Some(entity.to_owned()),
                None => field.versions = versions(Some(word))?,
            },
        }
    }
    Ok(())
}
