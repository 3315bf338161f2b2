//! Rust of every message from the definitions.

mod api;
mod decode;
mod encode;
mod layout;
mod records;
mod structs;
mod tables;

use crate::convert;
use crate::definition::Document;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where the generated sources lie in the workspace.
pub const GENERATED: &str = "crates/messages/src/generated";
/// The list of messages that the tests of `messages` walk through.
pub const LIST: &str = "crates/messages/tests/messages/list.rs";

/// Every generated file: path below the workspace root and text.
pub fn files(root: &Path) -> Result<BTreeMap<String, String>, String> {
    let documents = convert::read_definitions(root)?;
    let mut out = BTreeMap::new();
    let mut put = |name: &str, text: String| out.insert(format!("{GENERATED}/{name}"), text);
    for (path, document) in &documents {
        let name = path.strip_prefix("api/").unwrap_or(path);
        if document.messages.iter().all(|message| message.valid.bounds().is_none()) {
            continue;
        }
        put(&format!("{name}.rs"), structs::file(path, document));
    }
    put("keys.rs", api::keys(&apis(&documents)));
    put("table.rs", api::table(&apis(&documents)));
    for (name, text) in records::modules(&documents) {
        put(&name, text);
    }
    put("layouts.rs", tables::file(&documents));
    put("mod.rs", api::root(&apis(&documents)));
    out.insert(LIST.to_owned(), records::list(&documents));
    Ok(out)
}

/// The APIs that have versions, by key.
fn apis(documents: &[(String, Document)]) -> Vec<&Document> {
    let mut apis: Vec<&Document> = documents
        .iter()
        .map(|(_, document)| document)
        .filter(|document| document.api.is_some() && document.messages[0].valid.bounds().is_some())
        .collect();
    apis.sort_by_key(|document| document.messages[0].key);
    apis
}

/// Writes what changed and removes generated files that nothing produces; answers how many there are.
pub fn write(root: &Path) -> Result<usize, String> {
    let files = files(root)?;
    let base = root.join(GENERATED);
    if base.exists() {
        for path in convert::files(&base, "rs")? {
            let name = path.strip_prefix(root).map_err(|why| why.to_string())?.to_string_lossy().into_owned();
            if !files.contains_key(&name) {
                fs::remove_file(&path).map_err(|why| format!("remove {name}: {why}"))?;
            }
        }
    }
    for (name, text) in &files {
        let path = root.join(name);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            convert::write(&path, text)?;
        }
    }
    Ok(files.len())
}
