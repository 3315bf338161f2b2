//! The source files of the workspace, without comments and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
pub(crate) struct Source {
    /// Path from the root of the workspace.
    pub(crate) path: String,
    /// Top-level module of its crate that it belongs to.
    pub(crate) module: String,
    /// Its code, comments and everything from `#[cfg(test)]` on left out.
    pub(crate) code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Names of the folders in `crates`.
pub(crate) fn crates() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Crates of ours under `[dependencies]` of a crate.
pub(crate) fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or("");
    let ours = section.lines().filter_map(|line| line.strip_prefix("ottla-"));
    ours.map(|line| line.split([' ', '=', '.']).next().unwrap().to_owned()).collect()
}

/// Sources of a crate, its tests and generated files left out.
pub(crate) fn sources(name: &str) -> Vec<Source> {
    let base = root().join("crates").join(name).join("src");
    let mut found = Vec::new();
    walk(&base, &base, name, &mut found);
    found
}

fn walk(base: &Path, folder: &Path, name: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["tests", "generated"].contains(&file) {
                walk(base, &path, name, found);
            }
            continue;
        }
        if !file.ends_with(".rs") || file == "tests.rs" {
            continue;
        }
        let inner = path.strip_prefix(base).unwrap();
        let first = inner.components().next().unwrap().as_os_str().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        found.push(Source {
            path: format!("crates/{name}/src/{}", inner.display()),
            module: first.trim_end_matches(".rs").to_owned(),
            code: code(&text),
        });
    }
}

fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}
