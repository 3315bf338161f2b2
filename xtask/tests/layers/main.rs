//! The layers of the house, held as data and checked against the tree: who imports whom, what is pure, who never sees what.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod sources;

use sources::{Source, crates, dependencies, sources};
use std::collections::{BTreeMap, BTreeSet};

/// A crate and the crates of ours that it may import.
const IMPORTS: [(&str, &str); 9] = [
    ("host", ""),
    ("wire", ""),
    ("messages", "wire"),
    ("log", "host wire messages"),
    ("metadata", "host wire messages"),
    ("raft", "host wire messages log metadata"),
    ("replica", "host wire messages log metadata"),
    ("coordinator", "host wire messages metadata"),
    ("broker", "host wire messages log metadata raft replica coordinator"),
];

/// Crates at the top, which may import everything.
const TOP: [&str; 2] = ["cli", "sim"];

/// Crates, or modules of crates, that neither wait nor look at a clock, a disk, a socket or chance.
const PURE: [&str; 6] = ["wire", "messages", "metadata", "raft/state", "replica/state", "coordinator/group"];

/// What a pure module may not say.
const IMPURE: [&str; 8] =
    ["async fn", ".await", "std::fs", "std::net", "std::thread", "tokio::", "Instant::now", "SystemTime::now"];

/// A place, and words that may not appear there: the broker opens no file, the log sees no socket, the cores see no request.
const NEVER: [(&str, &[&str]); 5] = [
    ("broker", &["std::fs", "tokio::fs", "File::open"]),
    ("log", &["host::net", "std::net", "Request<"]),
    ("replica", &["Request<", "Request {", "Response {"]),
    ("raft/state", &["ottla_messages::", "ottla_log::"]),
    ("broker/api", &["ottla_raft::", "std::time::Instant", "std::time::SystemTime"]),
];

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_crate_imports_only_what_its_row_names() {
    let table: BTreeMap<&str, BTreeSet<String>> = IMPORTS.iter().map(|(name, row)| (*name, words(row))).collect();
    for name in crates() {
        if TOP.contains(&name.as_str()) {
            continue;
        }
        let row = table.get(name.as_str()).unwrap_or_else(|| panic!("crate {name} has no row in the import table"));
        let extra: Vec<String> = dependencies(&name).difference(row).cloned().collect();
        assert!(extra.is_empty(), "{name} imports {extra:?}, its row allows {row:?}");
    }
}

#[test]
fn no_module_imports_itself_through_others() {
    for name in crates() {
        let edges = module_imports(&name);
        for module in edges.keys() {
            assert!(
                !reaches(&edges, module, module),
                "modules of {name} import each other in a loop through {module}: {:?}",
                edges[module]
            );
        }
    }
}

#[test]
fn pure_modules_touch_nothing_outside() {
    for place in PURE {
        for source in in_place(place) {
            for word in IMPURE {
                assert!(!source.code.contains(word), "{} is pure but says {word}", source.path);
            }
            assert!(!source.code.contains("HashMap::new("), "{} uses a map in random order", source.path);
        }
    }
}

#[test]
fn nobody_sees_what_is_not_theirs() {
    for (place, banned) in NEVER {
        for source in in_place(place) {
            for word in banned {
                assert!(!source.code.contains(word), "{} says {word}, which {place} may not", source.path);
            }
        }
    }
}

#[test]
fn versions_are_compared_only_where_layouts_are_known() {
    for name in crates().into_iter().filter(|name| name != "wire" && name != "messages") {
        for source in sources(&name) {
            for sign in ["<", ">", "<=", ">=", "=="] {
                let compared = format!("version {sign} ");
                let found = source
                    .code
                    .match_indices(&compared)
                    .any(|(at, found)| source.code[at + found.len()..].starts_with(|next: char| next.is_ascii_digit()));
                assert!(!found, "{} compares a version with a number; ask for a capability", source.path);
            }
        }
    }
}

#[test]
fn tasks_and_channels_come_from_host() {
    for name in crates().into_iter().filter(|name| name != "host" && name != "cli") {
        for source in sources(&name) {
            for word in ["tokio::spawn(", "tokio::task::spawn", "unbounded_channel(", "tokio::time::"] {
                assert!(!source.code.contains(word), "{} says {word}, which belongs to host", source.path);
            }
        }
    }
}

/// Sources of a crate (`wire`) or of a module of a crate (`raft/state`).
fn in_place(place: &str) -> Vec<Source> {
    let (name, module) = place.split_once('/').map_or((place, None), |(name, module)| (name, Some(module)));
    let all = sources(name).into_iter();
    all.filter(|source| module.is_none_or(|module| source.module == module)).collect()
}

/// Top-level module → top-level modules of the same crate that it names.
fn module_imports(name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let all = sources(name);
    let modules: BTreeSet<String> = all.iter().map(|source| source.module.clone()).collect();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in all.iter().filter(|source| source.module != "lib" && source.module != "main") {
        let named = modules.iter().filter(|other| {
            **other != source.module && *other != "lib" && source.code.contains(&format!("crate::{other}"))
        });
        edges.entry(source.module.clone()).or_default().extend(named.cloned());
    }
    edges
}

fn reaches(edges: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for next in edges.get(at).into_iter().flatten() {
            if next == to {
                return true;
            }
            if seen.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    false
}
