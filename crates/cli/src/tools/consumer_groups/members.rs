//! The members of groups.

use super::rows::{WIDE, line, width};
use super::{Ended, shows};
use crate::client::groups::{Description, Member};
use crate::client::offsets::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in a cell without a value.
const NOTHING: &str = "-";

/// Prints a table for each group.
pub(super) fn print(described: &[Description], verbose: bool) -> Result<(), Ended> {
    for group in described {
        // The table of a group without members is its header, in the least widths.
        let measured = shows(group, group.members.len())?;
        print_table(group, measured, verbose);
    }
    Ok(())
}

fn print_table(group: &Description, measured: bool, verbose: bool) {
    let members: &[Member] = &group.members;
    let measured: &[Member] = if measured { members } else { &[] };
    let (instances, mixed) = (measured.iter().any(|member| member.instance.is_some()), is_mixed(measured));
    let group_width = if measured.is_empty() { WIDE } else { width(WIDE, [group.group.as_str()]) };
    let mut columns: Vec<(&str, usize, fn(&Member) -> String)> = vec![
        ("CONSUMER-ID", WIDE, |member| member.id.clone()),
        ("GROUP-INSTANCE-ID", 17, |member| member.instance.clone().unwrap_or_default()),
        ("HOST", WIDE, |member| member.host.clone()),
        ("CLIENT-ID", WIDE, |member| member.client.clone()),
        ("#PARTITIONS", WIDE, |member| member.assigned.len().to_string()),
    ];
    columns.retain(|(title, _, _)| instances || *title != "GROUP-INSTANCE-ID");
    let first = columns.len();
    if verbose {
        columns.push(("CURRENT-EPOCH", WIDE, |member| epoch(member.epoch)));
        columns.push(("CURRENT-ASSIGNMENT", 20, |member| text(&member.assigned)));
        columns.push(("TARGET-EPOCH", WIDE, |_| String::new()));
        columns.push(("TARGET-ASSIGNMENT", 20, |member| text(&member.target)));
    }
    let widths: Vec<usize> = columns
        .iter()
        .map(|(title, least, value)| match *title {
            "#PARTITIONS" | "CURRENT-EPOCH" | "TARGET-EPOCH" => *least,
            _ => width(*least, measured.iter().map(value).collect::<Vec<_>>().iter().map(String::as_str)),
        })
        .collect();
    let widths: Vec<usize> = std::iter::once(group_width).chain(widths).collect();
    let row = |group: &str, cells: Vec<String>, upgraded: &str| {
        let cells: Vec<String> = std::iter::once(group.to_owned()).chain(cells).collect();
        let text = line(&widths, &cells);
        // The first part of the line ends in a blank, the second with the optional last column.
        if verbose && mixed {
            format!("{text} {upgraded}")
        } else if verbose {
            text
        } else {
            format!("{text} ")
        }
    };
    let titles = columns.iter().map(|(title, _, _)| (*title).to_owned()).collect();
    println!("\n{}", row("GROUP", titles, "UPGRADED"));
    for member in members {
        let mut cells: Vec<String> = columns.iter().map(|(_, _, value)| value(member)).collect();
        if verbose {
            cells[first + 2] = epoch(group.epochs.map(|(_, target)| target));
        }
        println!("{}", row(&group.group, cells, &upgraded(member)));
    }
}

/// Whether members of both protocols are in the group, as while it is moved from one to the other.
fn is_mixed(members: &[Member]) -> bool {
    [true, false].iter().all(|kind| members.iter().any(|member| member.upgraded == Some(*kind)))
}

fn upgraded(member: &Member) -> String {
    member.upgraded.map_or_else(|| NOTHING.to_owned(), |upgraded| upgraded.to_string())
}

fn epoch(epoch: Option<i32>) -> String {
    epoch.map_or_else(|| NOTHING.to_owned(), |epoch| epoch.to_string())
}

/// An assignment as `orders:0,1;returns:2`.
fn text(assignment: &BTreeSet<TopicPartition>) -> String {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for place in assignment {
        topics.entry(&place.topic).or_default().push(place.partition.to_string());
    }
    if topics.is_empty() {
        return NOTHING.to_owned();
    }
    topics.iter().map(|(topic, partitions)| format!("{topic}:{}", partitions.join(","))).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::client::offsets::TopicPartition;
    use std::collections::BTreeSet;

    #[test]
    fn an_assignment_is_grouped_by_topic_and_sorted_by_number() {
        let places = [("b", 10), ("a", 1), ("b", 2)].map(|(topic, partition)| TopicPartition::new(topic, partition));
        assert_eq!(text(&BTreeSet::from(places)), "a:1;b:2,10");
        assert_eq!(text(&BTreeSet::new()), "-");
    }
}
