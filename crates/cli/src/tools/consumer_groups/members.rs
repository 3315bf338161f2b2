//! The members of groups.

use super::rows::{WIDE, line, width};
use super::{Ended, shows};
use crate::client::groups::{Description, Member};
use crate::client::offsets::TopicPartition;
use crate::output;
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

/// A column: it grows with what stands in it, or has the least width whatever stands in it.
struct Column {
    title: &'static str,
    least: usize,
    grows: bool,
    value: fn(&Member) -> String,
}

const fn column(title: &'static str, least: usize, value: fn(&Member) -> String) -> Column {
    Column { title, least, grows: true, value }
}

const fn narrow(title: &'static str, value: fn(&Member) -> String) -> Column {
    Column { title, least: WIDE, grows: false, value }
}

/// The columns of every table but the group's.
const PLAIN: [Column; 5] = [
    column("CONSUMER-ID", WIDE, |member| member.id.clone()),
    column(INSTANCE, 17, |member| member.instance.clone().unwrap_or_default()),
    column("HOST", WIDE, |member| member.host.clone()),
    column("CLIENT-ID", WIDE, |member| member.client.clone()),
    narrow("#PARTITIONS", |member| member.assigned.len().to_string()),
];
/// The column that is there when a member is static.
const INSTANCE: &str = "GROUP-INSTANCE-ID";
/// The columns of --verbose.
const VERBOSE: [Column; 4] = [
    narrow("CURRENT-EPOCH", |member| epoch(member.epoch)),
    column("CURRENT-ASSIGNMENT", 20, |member| text(&member.assigned)),
    narrow(TARGET_EPOCH, |_| String::new()),
    column("TARGET-ASSIGNMENT", 20, |member| text(&member.target)),
];
/// The one column that is the group's and not the member's.
const TARGET_EPOCH: &str = "TARGET-EPOCH";

fn print_table(group: &Description, measured: bool, verbose: bool) {
    let measured: &[Member] = if measured { &group.members } else { &[] };
    let instances = measured.iter().any(|member| member.instance.is_some());
    let columns: Vec<&Column> = PLAIN
        .iter()
        .filter(|column| instances || column.title != INSTANCE)
        .chain(VERBOSE.iter().filter(|_| verbose))
        .collect();
    let widths = widths(group, &columns, measured);
    let upgrades = verbose && is_mixed(measured);
    let row = |cells: Vec<String>, upgraded: &str| {
        let text = line(&widths, &cells);
        // The first part of the line ends in a blank, the second with the optional last column.
        if upgrades {
            format!("{text} {upgraded}")
        } else if verbose {
            text
        } else {
            format!("{text} ")
        }
    };
    let titles = std::iter::once("GROUP").chain(columns.iter().map(|column| column.title));
    output::line(format_args!("\n{}", row(titles.map(str::to_owned).collect(), "UPGRADED")));
    let target = epoch(group.epochs.map(|(_, target)| target));
    for member in &group.members {
        let cell =
            |column: &&Column| if column.title == TARGET_EPOCH { target.clone() } else { (column.value)(member) };
        let cells = std::iter::once(group.group.clone()).chain(columns.iter().map(cell));
        output::line(row(cells.collect(), &upgraded(member)));
    }
}

fn widths(group: &Description, columns: &[&Column], measured: &[Member]) -> Vec<usize> {
    let name = Some(group.group.as_str()).filter(|_| !measured.is_empty());
    let of = |column: &&Column| {
        let cells: Vec<String> = measured.iter().filter(|_| column.grows).map(column.value).collect();
        width(column.least, cells.iter().map(String::as_str))
    };
    std::iter::once(width(WIDE, name)).chain(columns.iter().map(of)).collect()
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
