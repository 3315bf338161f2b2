//! `cargo xtask`: development tasks of the workspace.
#![forbid(unsafe_code)]

use std::env;
use std::path::Path;
use std::process::ExitCode;
use xtask::{convert, generate, soak};

const USAGE: &str = "cargo xtask convert PATH          definitions from Kafka's schema JSON below PATH
cargo xtask convert --check PATH  compare the definitions with the schemas, prose left out
cargo xtask generate              Rust of every message from the definitions
cargo xtask soak                  the heavy suites in full size, kept in docs/proof.md";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let done = match words.as_slice() {
        ["convert", "--check", path] => {
            convert::check(Path::new(path), root).map(|count| format!("{count} messages are equal"))
        }
        ["convert", path] => convert::convert(Path::new(path), root).map(|count| format!("{count} messages converted")),
        ["generate"] => generate::write(root).map(|count| format!("{count} files written")),
        ["soak"] => soak::soak(root).map(|count| format!("{count} suites passed, kept in docs/proof.md")),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(said) => println!("{said}"),
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
