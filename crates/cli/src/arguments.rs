//! The command line: one program, a subcommand per tool, and the names of Kafka's scripts through argv[0].

use crate::server::{QuickStart, ServerArguments};
use crate::tools::{
    console_consumer, console_producer, consumer_groups, dump_log, get_offsets, groups, storage, topics,
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Kafka's script names (with or without `.sh`) and the subcommand that each stands for.
const SCRIPTS: [(&str, &str); 9] = [
    ("kafka-server-start", "server"),
    ("kafka-storage", "storage"),
    ("kafka-topics", "topics"),
    ("kafka-console-producer", "console-producer"),
    ("kafka-console-consumer", "console-consumer"),
    ("kafka-consumer-groups", "consumer-groups"),
    ("kafka-groups", "groups"),
    ("kafka-get-offsets", "get-offsets"),
    ("kafka-dump-log", "dump-log"),
];

/// Apache Kafka's platform in one program. Without a command: a broker on 127.0.0.1:9092 in ./ottla-data.
#[derive(Parser, Debug)]
#[command(name = "ottla", version, infer_long_args = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The tools.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Start a broker for this machine, formatting its directory on the first start (the same as no command).
    Start(QuickStart),
    /// Start a broker or controller from a Kafka server.properties.
    Server(ServerArguments),
    /// Format and inspect storage directories.
    Storage(storage::Arguments),
    /// Create, list, describe, alter and delete topics.
    Topics(topics::Arguments),
    /// Send lines from standard input to a topic.
    ConsoleProducer(console_producer::Arguments),
    /// Print the records of a topic.
    ConsoleConsumer(console_consumer::Arguments),
    /// List, describe and delete consumer groups, and move their offsets.
    ConsumerGroups(consumer_groups::Arguments),
    /// List groups of every type.
    Groups(groups::Arguments),
    /// Print the offsets of partitions at a time.
    GetOffsets(get_offsets::Arguments),
    /// Print log segments, indexes, snapshots and metadata.
    DumpLog(dump_log::Arguments),
}

/// Parses the arguments, the program's own name included.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let arguments = by_script_name(arguments.into_iter().collect());
    let matches = Arguments::command().try_get_matches_from(arguments)?;
    Arguments::from_arg_matches(&matches)
}

/// Prints a usage error or the help text. Usage errors exit with 1, as Kafka's tools do.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    // Nothing is left to tell the user when even the terminal refuses the text.
    drop(error.print());
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Puts the subcommand in when the program was called by the name of one of Kafka's scripts; options at the top
/// (`ottla --listen …`) belong to `start`.
fn by_script_name(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.first().and_then(|first| Path::new(first).file_name()).and_then(|name| name.to_str());
    let script = name.map(|name| name.strip_suffix(".sh").unwrap_or(name));
    if let Some((_, command)) = SCRIPTS.iter().find(|(known, _)| script == Some(known)) {
        arguments.insert(1, OsString::from(command));
        return arguments;
    }
    let first = arguments.get(1).and_then(|first| first.to_str());
    if first.is_some_and(|first| first.starts_with("--") && !["--help", "--version"].contains(&first)) {
        arguments.insert(1, OsString::from("start"));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Command, parse};
    use clap::CommandFactory;
    use std::ffi::OsString;

    fn parsed(line: &str) -> Arguments {
        parse(line.split(' ').map(OsString::from)).unwrap()
    }

    #[test]
    fn the_declarations_hold_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_names_of_kafkas_scripts_choose_the_tool() {
        let topics = parsed("/opt/kafka/bin/kafka-topics.sh --list --bootstrap-server localhost:9092");
        assert!(matches!(topics.command, Some(Command::Topics(_))));
        assert!(matches!(parsed("kafka-server-start server.properties").command, Some(Command::Server(_))));
    }

    #[test]
    fn options_without_a_command_start_a_broker() {
        assert!(matches!(parsed("ottla --listen 0.0.0.0:9092").command, Some(Command::Start(_))));
        assert!(parsed("ottla").command.is_none());
    }
}
