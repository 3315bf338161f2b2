//! Kafka's schema JSON into definition files, and the comparison of the two.

use crate::definition::{self, Document, Kind, Message, json};
use crate::names;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the definitions lie in the workspace.
pub const DEFINITIONS: &str = "crates/messages/definitions";
/// Fingerprint of each schema that the definitions were converted from.
pub const FINGERPRINTS: &str = "crates/messages/definitions/fingerprints.txt";

/// Converts every schema under `schemas` into the definitions of the workspace at `root`; answers how many.
pub fn convert(schemas: &Path, root: &Path) -> Result<usize, String> {
    let sources = read_schemas(schemas)?;
    let mut documents: BTreeMap<PathBuf, Document> = BTreeMap::new();
    let mut prints = String::new();
    for source in &sources {
        let message = json::message(&source.schema).map_err(|why| format!("{}: {why}", source.name()))?;
        prints += &format!("{:016x} {}\n", json::fingerprint(&source.canonical), message.name);
        let (path, api) = place(&source.folder, &message);
        let document = documents.entry(path).or_default();
        document.api = api;
        document.messages.push(message);
    }
    let base = root.join(DEFINITIONS);
    for path in if base.exists() { files(&base, "def")? } else { Vec::new() } {
        let known = path.strip_prefix(&base).is_ok_and(|path| documents.contains_key(path));
        if !known {
            fs::remove_file(&path).map_err(|why| format!("remove {}: {why}", path.display()))?;
        }
    }
    for (path, document) in &mut documents {
        let path = root.join(DEFINITIONS).join(path);
        document.own = own_lines(&path)?;
        write(&path, &definition::print(document))?;
    }
    write(&root.join(FINGERPRINTS), &prints)?;
    Ok(sources.len())
}

/// Compares every schema under `schemas` with the definitions, prose left out; answers how many were equal.
pub fn check(schemas: &Path, root: &Path) -> Result<usize, String> {
    let ours: BTreeMap<String, Value> = read_definitions(root)?
        .into_iter()
        .flat_map(|(_, document)| document.messages)
        .map(|message| (message.name.clone(), json::from_message(&message)))
        .collect();
    let sources = read_schemas(schemas)?;
    for source in &sources {
        match ours.get(&source.name()) {
            None => return Err(format!("{} has no definition", source.name())),
            Some(value) if *value != source.canonical => {
                return Err(format!("{} differs:\n  {value}\n  {}", source.name(), source.canonical));
            }
            Some(_) => {}
        }
    }
    match ours.len() == sources.len() {
        true => Ok(sources.len()),
        false => Err(format!("{} definitions, {} schemas", ours.len(), sources.len())),
    }
}

/// Every definition document with its path below the definitions folder, without `.def`, in order.
pub fn read_definitions(root: &Path) -> Result<Vec<(String, Document)>, String> {
    let base = root.join(DEFINITIONS);
    let mut out = Vec::new();
    for path in files(&base, "def")? {
        let document = definition::parse(&read(&path)?).map_err(|why| format!("{}: {why}", path.display()))?;
        let name = path.strip_prefix(&base).map_err(|why| why.to_string())?.with_extension("");
        out.push((name.to_string_lossy().into_owned(), document));
    }
    Ok(out)
}

struct Source {
    folder: String,
    schema: Value,
    canonical: Value,
}

impl Source {
    fn name(&self) -> String {
        self.schema["name"].as_str().unwrap_or_default().to_owned()
    }
}

fn read_schemas(schemas: &Path) -> Result<Vec<Source>, String> {
    let mut out = Vec::new();
    for path in files(schemas, "json")? {
        let text = json::strip_comments(&read(&path)?);
        let schema: Value = serde_json::from_str(&text).map_err(|why| format!("{}: {why}", path.display()))?;
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        out.push(Source { folder, canonical: json::canonical(&schema), schema });
    }
    Ok(out)
}

/// The definition file that a message belongs to, and the API's name.
fn place(folder: &str, message: &Message) -> (PathBuf, Option<String>) {
    let name = message.name.as_str();
    if matches!(message.kind, Kind::Request | Kind::Response) {
        let api = name.trim_end_matches("Request").trim_end_matches("Response").to_owned();
        return (PathBuf::from(format!("api/{}.def", names::snake(&api))), Some(api));
    }
    if message.kind == Kind::Header {
        return (PathBuf::from("header.def"), None);
    }
    let group = match (folder, name) {
        ("clients", "ConsumerProtocolAssignment" | "ConsumerProtocolSubscription") => "consumer_protocol",
        ("clients", "AbortedTxn") => "storage",
        ("clients", "DefaultPrincipalData") => "security",
        ("clients", _) => "control",
        _ => folder.trim_end_matches("-coordinator"),
    };
    let stem = match message.kind {
        Kind::CoordinatorKey => name.trim_end_matches("Key"),
        Kind::CoordinatorValue => name.trim_end_matches("Value"),
        _ => name,
    };
    (PathBuf::from(format!("records/{group}/{}.def", names::snake(stem))), None)
}

fn own_lines(path: &Path) -> Result<Vec<String>, String> {
    match path.exists() {
        true => Ok(definition::parse(&read(path)?).map_err(|why| format!("{}: {why}", path.display()))?.own),
        false => Ok(Vec::new()),
    }
}

/// Files with `extension` below `base`, sorted.
pub fn files(base: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![base.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|why| format!("read {}: {why}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|why| format!("read {}: {why}", folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|why| format!("read {}: {why}", path.display()))
}

/// Writes `text` to `path`, creating its folder.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|why| format!("create {}: {why}", folder.display()))?;
    fs::write(path, text).map_err(|why| format!("write {}: {why}", path.display()))
}
