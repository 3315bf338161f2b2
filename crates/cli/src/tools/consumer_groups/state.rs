//! The state of groups.

use super::rows::{WIDE, line, width};
use super::{Ended, shows};
use crate::client::groups::Description;
use crate::output;

/// What stands in a cell without a value.
const NOTHING: &str = "-";

/// Prints a table for each group.
pub(super) fn print(described: &[Description], verbose: bool) -> Result<(), Ended> {
    for group in described {
        if shows(group, 1)? {
            print_table(group, verbose);
        }
    }
    Ok(())
}

fn print_table(group: &Description, verbose: bool) {
    // Two blanks before the id: Kafka's tool has them.
    let coordinator = format!("{}  ({})", group.coordinator.address, group.coordinator.id);
    let assignor = if group.assignor.is_empty() { NOTHING } else { &group.assignor };
    let epoch = |epoch: Option<i32>| epoch.map_or_else(|| NOTHING.to_owned(), |epoch| epoch.to_string());
    let (own, target) = (epoch(group.epochs.map(|both| both.0)), epoch(group.epochs.map(|both| both.1)));
    let members = group.members.len().to_string();
    let columns = [
        ("GROUP", group.group.as_str(), width(WIDE, [group.group.as_str()])),
        ("COORDINATOR (ID)", &coordinator, width(25, [coordinator.as_str()])),
        ("ASSIGNMENT-STRATEGY", assignor, 20),
        ("STATE", &group.state, 20),
        ("GROUP-EPOCH", &own, WIDE),
        ("TARGET-ASSIGNMENT-EPOCH", &target, 25),
        ("#MEMBERS", &members, 0),
    ];
    let shown = columns.iter().filter(|(title, _, _)| verbose || !title.ends_with("EPOCH"));
    let (mut titles, mut cells, mut widths) = (Vec::new(), Vec::new(), Vec::new());
    for (title, cell, width) in shown {
        titles.push(*title);
        cells.push(*cell);
        widths.push(*width);
    }
    output::line(format_args!("\n{}\n{}", line(&widths, &titles), line(&widths, &cells)));
}
