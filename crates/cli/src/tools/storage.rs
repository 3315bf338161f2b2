//! `ottla storage`: format log directories, show them, make ids, as `kafka-storage` does.

use crate::configuration;
use crate::failure::{Failure, While};
use crate::output;

use ottla_host::Host;
use ottla_host::real::Runtime;
use ottla_log::dir::meta::MetaProperties;
use ottla_metadata::settings::BrokerConfig;
use ottla_raft::format::{self, Plan, Quorum, Report};
use ottla_raft::state::ids::{Endpoint, ReplicaKey, Voter, VoterSet};
use ottla_wire::Uuid;
use ottla_wire::ids::BrokerId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Format and inspect storage directories.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Show the log directories of a configuration.
    Info {
        /// The properties file.
        #[arg(long, short)]
        config: PathBuf,
    },
    /// Format the log directories of a configuration.
    Format(FormatArguments),
    /// Print an id for a cluster.
    RandomUuid,
}

#[derive(clap::Args, Debug)]
struct FormatArguments {
    /// The properties file.
    #[arg(long, short)]
    config: PathBuf,
    /// The id of the cluster.
    #[arg(long, short = 't')]
    cluster_id: String,
    /// Leave directories alone that are formatted already.
    #[arg(long, short = 'g')]
    ignore_formatted: bool,
    /// The release whose features the cluster begins with, such as 4.4-IV2.
    #[arg(long, short)]
    release_version: Option<String>,
    /// The level of one feature, `name=level`; may be repeated.
    #[arg(long, short)]
    feature: Vec<String>,
    /// Begin with this controller as the only voter.
    #[arg(long, short, conflicts_with_all = ["no_initial_controllers", "initial_controllers"])]
    standalone: bool,
    /// Leave the voters to another controller.
    #[arg(long, short = 'N', conflicts_with = "initial_controllers")]
    no_initial_controllers: bool,
    /// The first voters, `id@host:port:directory,…`.
    #[arg(long, short = 'I')]
    initial_controllers: Option<String>,
    /// Credentials to begin with. They are not honoured by this release.
    #[arg(long, short = 'S')]
    add_scram: Vec<String>,
}

/// Runs one of the three commands.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let runtime = Runtime::start(1).during(|| "start a thread".to_owned())?;
    let host = runtime.host();
    match &arguments.command {
        Command::RandomUuid => {
            output::line(format::random_uuid(&*host.chance));
            Ok(())
        }
        Command::Info { config } => info(&host, &configuration::load(config, &[])?),
        Command::Format(arguments) => format_directories(&host, arguments),
    }
}

/// Formats the directories of a starting broker, a cluster of one, if every one of them is empty; whether it did.
pub(crate) fn format_if_empty(host: &Host, config: &BrokerConfig) -> Result<bool, Failure> {
    for dir in directories(config) {
        let entries = match host.disk.stat(&dir).during(|| format!("look at {}", dir.display()))? {
            Some(_) => host.disk.list(&dir).during(|| format!("list {}", dir.display()))?,
            None => Vec::new(),
        };
        // A fresh file system brings a directory of its own.
        if entries.iter().any(|entry| entry.name != "lost+found") {
            return Ok(false);
        }
    }
    let mut plan = plan(config, format::random_uuid(&*host.chance).to_string());
    plan.quorum =
        if config.quorum.static_voter.is_some() { Quorum::Static } else { Quorum::Standalone(endpoints(config)) };
    carry_out(host, &plan)?;
    Ok(true)
}

fn format_directories(host: &Host, arguments: &FormatArguments) -> Result<(), Failure> {
    if !arguments.add_scram.is_empty() {
        return Err(Failure::new("--add-scram: SCRAM is not served by this release; leave the option away"));
    }
    let config = configuration::load(&arguments.config, &[])?;
    let mut plan = plan(&config, arguments.cluster_id.clone());
    plan.release = arguments.release_version.clone();
    plan.features = features(&arguments.feature)?;
    plan.ignore_formatted = arguments.ignore_formatted;
    plan.quorum = quorum(&config, arguments)?;
    let metadata = plan.metadata_dir.clone();
    let kind = kind(&plan);
    let report = carry_out(host, &plan)?;
    if report.formatted.is_empty() {
        output::line("All of the log directories are already formatted.");
    }
    for (dir, _) in &report.formatted {
        let kind = if *dir == metadata { kind } else { "log directory" };
        output::line(format_args!(
            "Formatting {kind} {} with metadata.version {}.",
            dir.display(),
            report.release.name().unwrap_or("unknown")
        ));
    }
    Ok(())
}

fn carry_out(host: &Host, plan: &Plan) -> Result<Report, Failure> {
    let report = format::format(&*host.disk, &*host.chance, host.clock.wall(), plan);
    report.map_err(|error| Failure::new(error.to_string()))
}

fn plan(config: &BrokerConfig, cluster_id: String) -> Plan {
    Plan {
        cluster_id,
        node_id: config.node_id,
        log_dirs: directories(config),
        metadata_dir: PathBuf::from(&config.metadata_log_dir),
        controller: config.listeners.iter().any(|listener| listener.controller),
        release: None,
        features: BTreeMap::new(),
        quorum: Quorum::Static,
        ignore_formatted: false,
    }
}

/// All directories that a node has data in, sorted.
fn directories(config: &BrokerConfig) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = config.log_dirs.iter().chain([&config.metadata_log_dir]).map(PathBuf::from).collect();
    all.sort();
    all.dedup();
    all
}

/// Where other controllers reach this one.
fn endpoints(config: &BrokerConfig) -> Vec<Endpoint> {
    let controllers = config.listeners.iter().filter(|listener| listener.controller);
    let reached = controllers.map(|listener| {
        let at = listener.advertised.as_ref().unwrap_or(&listener.bind);
        let host = if at.host.is_empty() { "localhost".to_owned() } else { at.host.clone() };
        Endpoint { listener: listener.name.clone(), host, port: at.port }
    });
    reached.collect()
}

fn quorum(config: &BrokerConfig, arguments: &FormatArguments) -> Result<Quorum, Failure> {
    let dynamic = arguments.standalone || arguments.initial_controllers.is_some();
    if config.quorum.static_voter.is_some() {
        if dynamic {
            let text = "controller.quorum.voters makes the voters static; remove it and set \
                        controller.quorum.bootstrap.servers to use --standalone or --initial-controllers";
            return Err(Failure::new(text));
        }
        return Ok(Quorum::Static);
    }
    if arguments.standalone {
        return Ok(Quorum::Standalone(endpoints(config)));
    }
    if let Some(text) = &arguments.initial_controllers {
        return Ok(Quorum::Initial(voters(text, config)?));
    }
    if arguments.no_initial_controllers {
        return Ok(Quorum::Joining);
    }
    let text = "controller.quorum.voters is not set, so say who votes first: --standalone for this controller alone, \
                --initial-controllers, or --no-initial-controllers";
    Err(Failure::new(text))
}

/// Reads `id@host:port:directory,…`.
fn voters(text: &str, config: &BrokerConfig) -> Result<VoterSet, Failure> {
    let listener = config.listeners.iter().find(|listener| listener.controller).map_or("", |listener| &listener.name);
    let mut voters = Vec::new();
    for part in text.split(',') {
        let voter = voter(part.trim(), listener)
            .ok_or_else(|| Failure::new(format!("{part:?} is not of the form id@host:port:directory-id")))?;
        voters.push(voter);
    }
    Ok(VoterSet::new(voters))
}

fn voter(text: &str, listener: &str) -> Option<Voter> {
    let (id, rest) = text.split_once('@')?;
    let (address, directory) = rest.rsplit_once(':')?;
    let (host, port) = address.rsplit_once(':')?;
    let endpoint = Endpoint { listener: listener.to_owned(), host: host.to_owned(), port: port.parse().ok()? };
    let key = ReplicaKey::new(BrokerId(id.parse().ok()?), Uuid::parse(directory)?);
    Some(Voter { key, endpoints: vec![endpoint], kraft_versions: (0, 1) })
}

fn features(arguments: &[String]) -> Result<BTreeMap<String, i16>, Failure> {
    let one = |text: &String| {
        let (name, level) = text.split_once('=')?;
        Some((name.trim().to_owned(), level.trim().parse().ok()?))
    };
    let mut levels = BTreeMap::new();
    for text in arguments {
        let read =
            one(text).ok_or_else(|| Failure::new(format!("--feature {text:?} is not of the form name=level")))?;
        levels.extend([read]);
    }
    Ok(levels)
}

/// What Kafka's tool calls the metadata directory of each kind of quorum.
fn kind(plan: &Plan) -> &'static str {
    match plan.quorum {
        Quorum::Static => "static metadata directory",
        Quorum::Joining => "dynamic metadata directory",
        Quorum::Standalone(_) | Quorum::Initial(_) => "dynamic metadata voter directory",
    }
}

fn info(host: &Host, config: &BrokerConfig) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    let mut first: Option<MetaProperties> = None;
    for dir in format::info(&*host.disk, &directories(config)) {
        let path = dir.path.display().to_string();
        match host.disk.stat(&dir.path).during(|| format!("look at {path}"))? {
            None => problems.push(format!("{path} does not exist")),
            Some(stat) if !stat.is_dir => problems.push(format!("{path} is not a directory")),
            Some(_) => {
                match dir.meta {
                    Err(error) => problems.push(format!("Error loading {path}/meta.properties: {error}")),
                    Ok(None) => problems.push(format!("{path} is not formatted.")),
                    Ok(Some(meta)) => problems.extend(mismatch(first.get_or_insert_with(|| meta.clone()), &meta)),
                }
                found.push(path);
            }
        }
    }
    list("Found log director", ["y", "ies"], &found);
    if let Some(meta) = first {
        let directory = meta.directory_id.map_or_else(String::new, |id| format!("directory.id={id}, "));
        output::line(format_args!(
            "Found metadata: {{cluster.id={}, {directory}node.id={}, version=1}}\n",
            meta.cluster_id, meta.node_id
        ));
    }
    list("Found problem", ["", "s"], &problems);
    if problems.is_empty() { Ok(()) } else { Err(Failure::silent()) }
}

fn mismatch(first: &MetaProperties, meta: &MetaProperties) -> Option<String> {
    if first.cluster_id != meta.cluster_id {
        return Some("Mismatched cluster IDs between storage directories.".to_owned());
    }
    (first.node_id != meta.node_id).then(|| "Mismatched node IDs between storage directories.".to_owned())
}

/// Prints lines under a title in its singular or plural, and nothing where there are none.
fn list(title: &str, [singular, plural]: [&str; 2], lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    output::line(format_args!("{title}{}:", if lines.len() == 1 { singular } else { plural }));
    for line in lines {
        output::line(format_args!("  {line}"));
    }
    output::line("");
}

#[cfg(test)]
mod tests {
    use super::{features, voter};

    #[test]
    fn a_voter_is_id_host_port_and_directory() {
        let voter = voter("3@[::1]:9093:JEXY6aqzQY-32P5TStzaFg", "CONTROLLER").unwrap();
        assert_eq!((voter.key.id.0, voter.endpoints[0].host.as_str(), voter.endpoints[0].port), (3, "[::1]", 9093));
        assert!(super::voter("3@localhost:9093", "CONTROLLER").is_none());
    }

    #[test]
    fn features_are_names_with_levels() {
        assert_eq!(features(&["kraft.version=1".to_owned()]).unwrap()["kraft.version"], 1);
        assert!(features(&["kraft.version".to_owned()]).is_err());
    }
}
