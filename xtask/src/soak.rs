//! The heavy suites in full size, and the page that keeps what they printed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// Lines kept of each suite's output.
const LINES_KEPT: usize = 40;

/// One suite: title, environment, command.
struct Suite {
    title: &'static str,
    environment: &'static [(&'static str, &'static str)],
    command: &'static [&'static str],
}

const SUITES: [Suite; 6] = [
    Suite {
        title: "Simulation: 10,000 seeds",
        environment: &[("OTTLA_SEEDS", "10000")],
        command: &["cargo", "test", "--release", "-p", "ottla-sim"],
    },
    Suite {
        title: "The log against its model: 200,000 lives",
        environment: &[("PROPTEST_CASES", "200000")],
        command: &["cargo", "test", "--release", "-p", "ottla-log", "a_log_holds_what_the_model_holds"],
    },
    Suite {
        title: "Fuzz targets: 1,000,000 mutations each",
        environment: &[("OTTLA_FUZZ_ROUNDS", "1000000")],
        command: &["cargo", "test", "--release", "-p", "ottla-fuzz"],
    },
    Suite {
        title: "kill -9 under idempotent load: 100 rounds",
        environment: &[],
        command: &["cargo", "run", "--release", "-p", "ottla-bench", "--", "kill9", "--rounds", "100"],
    },
    Suite { title: "Lanes with real clients and Apache Kafka", environment: &[], command: &["interop/run"] },
    Suite {
        title: "Comparison with Apache Kafka and the floor",
        environment: &[],
        command: &["cargo", "run", "--release", "-p", "ottla-bench", "--", "compare", "--rounds", "5"],
    },
];

/// Runs every suite and puts what they printed at the top of `docs/proof.md`, under commit and date. Returns how many
/// suites ran; an error names those that failed, after all have run.
pub fn soak(root: &Path) -> Result<usize, String> {
    run("build", root, &["cargo", "build", "--release"], &[]).map_err(|error| error.to_string())?;
    let mut section = format!(
        "## {} at {}\n",
        said(root, &["date", "+%Y-%m-%d"]),
        said(root, &["git", "rev-parse", "--short", "HEAD"])
    );
    let mut failed = Vec::new();
    for suite in SUITES {
        let ran = run(suite.title, root, suite.command, suite.environment).map_err(|error| error.to_string())?;
        let verdict = if ran.0 { "passed" } else { "failed" };
        let _ = write!(section, "\n### {}: {verdict}\n\n    {}\n", suite.title, ran.1.join("\n    "));
        if !ran.0 {
            failed.push(suite.title);
        }
    }
    keep(&root.join("docs/proof.md"), &section).map_err(|error| format!("write docs/proof.md: {error}"))?;
    if failed.is_empty() { Ok(SUITES.len()) } else { Err(format!("failed: {}", failed.join("; "))) }
}

/// Runs a command, shows its output, and returns whether it succeeded with the last lines that it printed.
fn run(title: &str, root: &Path, command: &[&str], environment: &[(&str, &str)]) -> io::Result<(bool, Vec<String>)> {
    println!("== {title}: {}", command.join(" "));
    let output =
        Command::new(command[0]).args(&command[1..]).envs(environment.iter().copied()).current_dir(root).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Ok((output.status.success(), lines[lines.len().saturating_sub(LINES_KEPT)..].to_vec()))
}

fn said(root: &Path, command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).current_dir(root).output();
    output.map_or_else(|_| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Puts a section under the page's introduction, above the older ones.
fn keep(page: &Path, section: &str) -> io::Result<()> {
    let text = fs::read_to_string(page)?;
    let at = text.find("\n## ").map_or(text.len(), |at| at + 1);
    fs::write(page, format!("{}{section}\n{}", &text[..at], &text[at..]))
}
