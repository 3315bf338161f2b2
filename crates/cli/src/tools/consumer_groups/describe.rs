//! Offsets and lag: a row for each partition that a member reads or that the group has an offset of.

use super::rows::{WIDE, line, width};
use super::{Ended, shows};
use crate::client::groups::{Committed, Description, Groups, Trouble};
use crate::client::offsets::{LATEST, TopicPartition, list};
use crate::output;
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in a cell without a value.
const NOTHING: &str = "-";

/// A line of the table.
struct Row {
    place: TopicPartition,
    committed: Option<Committed>,
    end: Option<i64>,
    /// Member id, host, client id.
    reader: [String; 3],
}

/// Prints a table for each group.
pub(super) fn print(groups: &mut Groups, described: &[Description], verbose: bool) -> Result<(), Ended> {
    let mut tables = Vec::new();
    for group in described {
        tables.push(rows(groups, group).map_err(wrapped)?);
    }
    for (group, rows) in described.iter().zip(tables) {
        if shows(group, rows.len())? {
            print_table(group, &rows, verbose);
        }
    }
    Ok(())
}

/// Kafka's tool wraps what happens here once more.
fn wrapped(trouble: Trouble) -> Ended {
    match trouble {
        Trouble::Broken(failure) => failure.into(),
        refused => Ended::Failed(format!("java.util.concurrent.ExecutionException: {refused}")),
    }
}

fn rows(groups: &mut Groups, group: &Description) -> Result<Vec<Row>, Trouble> {
    let committed = groups.committed(&group.group)?;
    let mut readers: Vec<_> = group.members.iter().filter(|member| !member.assigned.is_empty()).collect();
    readers.sort_by_key(|member| std::cmp::Reverse(member.assigned.len()));
    let assigned: BTreeSet<&TopicPartition> = readers.iter().flat_map(|member| &member.assigned).collect();
    let unread: BTreeSet<&TopicPartition> = committed.keys().filter(|place| !assigned.contains(place)).collect();
    let ends = ends(groups, &assigned.union(&unread).copied().collect())?;
    let row = |place: &TopicPartition, reader: [String; 3]| {
        let end = ends.get(place).copied().flatten();
        Row { place: place.clone(), committed: committed.get(place).copied(), end, reader }
    };
    let mut rows = Vec::new();
    for member in readers {
        let reader = [member.id.clone(), member.host.clone(), member.client.clone()];
        rows.extend(member.assigned.iter().map(|place| row(place, reader.clone())));
    }
    rows.extend(unread.into_iter().map(|place| row(place, [NOTHING; 3].map(str::to_owned))));
    Ok(rows)
}

/// The end of each partition's log; None where no broker leads it.
fn ends(
    groups: &mut Groups,
    places: &BTreeSet<&TopicPartition>,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, Trouble> {
    let topics: BTreeSet<&str> = places.iter().map(|place| place.topic.as_str()).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let mut leaders = BTreeMap::new();
    for topic in groups.cluster.describe(Some(&topics))? {
        if topic.error.is_error() && topic.error != ErrorCode::LEADER_NOT_AVAILABLE {
            return Err(Trouble::refused(topic.error, None));
        }
        let led = topic.partitions.into_iter().filter_map(|(partition, leader)| Some((partition, leader?)));
        leaders.extend(led.map(|(partition, leader)| (TopicPartition::new(topic.name.as_str(), partition), leader)));
    }
    leaders.retain(|place, _| places.contains(place));
    let mut ends = BTreeMap::new();
    for (place, end) in list(&mut groups.cluster, &leaders, LATEST)? {
        ends.insert(place, Some(end.map_err(|error| Trouble::refused(error, None))?));
    }
    Ok(ends)
}

fn print_table(group: &Description, rows: &[Row], verbose: bool) {
    let titles = [
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ];
    let reader = |at: usize| width(WIDE, rows.iter().map(|row| row.reader[at].as_str()));
    let topic = width(WIDE, rows.iter().map(|row| row.place.topic.as_str()));
    let widths = [width(WIDE, [group.group.as_str()]), topic, 10, WIDE, WIDE, WIDE, WIDE, reader(0), reader(1)];
    let shown = |at: &usize| verbose || titles[*at] != "LEADER-EPOCH";
    let widths: Vec<usize> = (0..widths.len()).filter(shown).map(|at| widths[at]).collect();
    let print = |cells: &[String]| {
        let cells: Vec<&String> = (0..titles.len()).filter(shown).map(|at| &cells[at]).collect();
        output::text(format_args!("\n{}", line(&widths, &cells)));
    };
    print(&titles.map(str::to_owned));
    for row in rows {
        print(&cells(&group.group, row));
    }
    output::line("");
}

fn cells(group: &str, row: &Row) -> [String; 10] {
    let number = |value: Option<i64>| value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string());
    let offset = row.committed.map(|committed| committed.offset);
    let epoch = row.committed.and_then(|committed| committed.leader_epoch);
    let [id, host, client] = row.reader.clone();
    [
        group.to_owned(),
        row.place.topic.clone(),
        row.place.partition.to_string(),
        number(epoch.map(i64::from)),
        number(offset),
        number(row.end),
        number(offset.zip(row.end).map(|(offset, end)| end - offset)),
        id,
        host,
        client,
    ]
}
