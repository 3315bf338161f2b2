//! `ottla consumer-groups`: lists, describes and deletes consumer groups and moves their offsets, as `kafka-consumer-groups` does.

mod arguments;
mod delete;
mod describe;
mod list;
mod members;
mod reset;
mod rows;
mod state;

pub(crate) use arguments::Arguments;

use crate::client::cluster::Cluster;
use crate::client::groups::{Description, Groups, Trouble};
use crate::failure::Failure;
use crate::output;
use std::time::Duration;

/// How an action ends that does not end well.
enum Ended {
    /// The arguments make no sense: to standard error, exit code 1.
    Usage(String),
    /// It was refused or broke: to standard output, exit code 0, as Kafka's tool does.
    Failed(String),
}

impl From<Trouble> for Ended {
    /// Kafka's tool prints the exception that wraps the refusal.
    fn from(trouble: Trouble) -> Ended {
        Ended::Failed(trouble.to_string())
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        Ended::Failed(failure.to_string())
    }
}

/// Does what the one action option says. What fails on the way is told on standard output, and the exit code stays 0; only
/// arguments that make no sense end with 1. Scripts rely on both.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments.check().and_then(|()| act(arguments)) {
        Ok(()) => Ok(()),
        Err(Ended::Usage(text)) => Err(Failure::new(text)),
        Err(Ended::Failed(text)) => {
            print_error(&format!("Executing consumer group command failed due to {text}"));
            Ok(())
        }
    }
}

fn act(arguments: &Arguments) -> Result<(), Ended> {
    if let Some(regex) = &arguments.validate_regex {
        list::validate(regex);
        return Ok(());
    }
    crate::client::properties(arguments.command_config.as_deref())?;
    let cluster = Cluster::connect(&arguments.bootstrap_server)?;
    let mut groups = Groups::new(cluster, Duration::from_millis(arguments.timeout));
    let groups = &mut groups;
    if arguments.list {
        list::list(groups, arguments)
    } else if arguments.describe {
        describe(groups, arguments)
    } else if arguments.delete {
        delete::groups(groups, arguments)
    } else if arguments.reset_offsets {
        reset::reset(groups, arguments)
    } else {
        delete::offsets(groups, arguments)
    }
}

fn describe(groups: &mut Groups, arguments: &Arguments) -> Result<(), Ended> {
    let chosen = chosen(groups, arguments)?;
    let mut described = Vec::new();
    for group in &chosen {
        described.push(groups.describe(group)?);
    }
    described.sort_by(|left: &Description, right| left.group.cmp(&right.group));
    described.dedup_by(|left, right| left.group == right.group);
    if arguments.members {
        members::print(&described, arguments.verbose)
    } else if arguments.state.is_some() {
        state::print(&described, arguments.verbose)
    } else {
        describe::print(groups, &described, arguments.verbose)
    }
}

/// The groups that --group or --all-groups names.
fn chosen(groups: &mut Groups, arguments: &Arguments) -> Result<Vec<String>, Trouble> {
    if !arguments.all_groups {
        return Ok(arguments.group.clone());
    }
    let listed = groups.list_consumers(crate::client::groups::Filter::default())?;
    Ok(listed.into_iter().map(|listing| listing.group).collect())
}

fn print_error(text: &str) {
    output::line(format_args!("\nError: {text}"));
}

/// Says in what state a group is that is not simply working; whether its table of `rows` rows is worth printing.
fn shows(group: &Description, rows: usize) -> Result<bool, Ended> {
    let name = &group.group;
    match group.state.as_str() {
        "Dead" => print_error(&format!("Consumer group '{name}' does not exist.")),
        "Empty" => output::note(format_args!("\nConsumer group '{name}' has no active members.")),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            output::note(format_args!("\nWarning: Consumer group '{name}' is rebalancing."));
        }
        "Stable" => {}
        other => {
            let text = format!("Expected a valid consumer group state, but found '{other}'.");
            return Err(Ended::Failed(text));
        }
    }
    Ok(group.state != "Dead" && rows > 0)
}
