//! `ottla groups`: lists groups of every type, as `kafka-groups` does.

use crate::client::cluster::Cluster;
use crate::client::groups::{Filter, Groups, Listing};
use crate::failure::Failure;
use crate::output;
use std::time::Duration;

/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The least width of a column.
const WIDTH: usize = 20;
/// The types of groups in Kafka's spelling.
const TYPES: [&str; 4] = ["Classic", "Consumer", "Share", "Streams"];

/// List groups of every type.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Brokers to connect to, `host:port,…`.
    #[arg(long, default_value = "localhost:9092")]
    bootstrap_server: String,
    /// Properties of the connection.
    #[arg(long)]
    command_config: Option<String>,
    /// List the groups.
    #[arg(long)]
    list: bool,
    /// Only groups of a type: classic, consumer, share, streams.
    #[arg(long)]
    group_type: Option<String>,
    /// Only groups whose members speak this protocol type.
    #[arg(long)]
    protocol: Option<String>,
    /// Only consumer groups: of the type consumer, and classic ones of the protocol consumer or of none.
    #[arg(long)]
    consumer: bool,
    /// Only share groups.
    #[arg(long)]
    share: bool,
    /// Only streams groups.
    #[arg(long)]
    streams: bool,
}

/// Prints the table of groups.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    if arguments.command_config.is_some() {
        crate::client::properties(arguments.command_config.as_deref())?;
    }
    let listed = Cluster::connect(&arguments.bootstrap_server)
        .map(|cluster| Groups::new(cluster, TIMEOUT))
        .map_err(|failure| failure.to_string())
        .and_then(|mut groups| groups.list(&Filter::default()).map_err(|trouble| trouble.text()));
    match listed {
        Ok(listed) => {
            print_table(listed.into_iter().filter(|listing| shown(arguments, listing)).collect());
            Ok(())
        }
        Err(text) => {
            output::line(format_args!("Error while executing groups command : {text}"));
            Err(Failure::silent())
        }
    }
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.list {
        return Err(Failure::new("Command must include exactly one action: --list."));
    }
    if arguments.group_type.as_ref().is_some_and(|kind| !TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind))) {
        return Err(Failure::new("--group-type must be a valid group type."));
    }
    let given = [
        ("consumer", arguments.consumer),
        ("share", arguments.share),
        ("streams", arguments.streams),
        ("group-type", arguments.group_type.is_some()),
        ("protocol", arguments.protocol.is_some()),
    ];
    for (option, _) in given[..3].iter().filter(|(_, given)| *given) {
        if let Some((other, _)) = given.iter().find(|(other, given)| *given && other != option) {
            return Err(Failure::new(format!("Option \"[{option}]\" can't be used with option \"[{other}]\"")));
        }
    }
    Ok(())
}

fn shown(arguments: &Arguments, listing: &Listing) -> bool {
    let is = |kind: &str| listing.kind.eq_ignore_ascii_case(kind);
    if arguments.consumer {
        return listing.protocol == "consumer" || listing.protocol.is_empty() || is("consumer");
    }
    if arguments.share || arguments.streams {
        return is(if arguments.share { "share" } else { "streams" });
    }
    arguments.group_type.as_ref().is_none_or(|kind| is(kind))
        && arguments.protocol.as_ref().is_none_or(|protocol| listing.protocol == *protocol)
}

fn print_table(listed: Vec<Listing>) {
    let kind =
        |kind: &str| TYPES.iter().find(|known| known.eq_ignore_ascii_case(kind)).map_or(kind, |known| known).to_owned();
    let rows: Vec<[String; 3]> =
        listed.into_iter().map(|listing| [listing.group, kind(&listing.kind), listing.protocol]).collect();
    let width = rows.iter().flatten().map(|cell| cell.chars().count()).max().unwrap_or(0).max(WIDTH);
    output::line(format_args!("{:width$} {:width$} {:width$}", "GROUP", "TYPE", "PROTOCOL"));
    for [group, kind, protocol] in rows {
        output::line(format_args!("{group:width$} {kind:width$} {protocol:width$} "));
    }
}
