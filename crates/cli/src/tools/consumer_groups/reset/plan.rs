//! Where offsets move to, by the option that says so.

use super::super::{Arguments, Ended, print_error};
use super::{Plan, sheet};
use crate::client::groups::{Groups, Trouble};
use crate::client::offsets::{EARLIEST, LATEST, NO_OFFSET, TopicPartition, list};
use crate::output;
use crate::when;
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// The new offset of each of `places`.
pub(super) fn plan(
    groups: &mut Groups,
    arguments: &Arguments,
    group: &str,
    places: &BTreeSet<TopicPartition>,
) -> Result<Plan, Ended> {
    if let Some(offset) = arguments.to_offset {
        return within(groups, places.iter().map(|place| (place.clone(), offset)).collect());
    }
    if arguments.to_earliest {
        return at(groups, places, EARLIEST);
    }
    if arguments.to_latest {
        return at(groups, places, LATEST);
    }
    if let Some(by) = arguments.shift_by {
        return shifted(groups, group, places, by);
    }
    if let Some(text) = &arguments.to_datetime {
        let time = when::datetime(text).map_err(Ended::Failed)?;
        return at_time(groups, places, time);
    }
    if let Some(text) = &arguments.by_duration {
        let ago = when::duration(text).map_err(Ended::Failed)?;
        return at_time(groups, places, when::now_ms().saturating_sub(ago));
    }
    if let Some(file) = &arguments.from_file {
        return from_file(groups, arguments, group, file);
    }
    if arguments.to_current {
        return current(groups, group, places);
    }
    let scenarios = "[[to-offset], [shift-by], [to-datetime], [by-duration], [to-earliest], [to-latest], [to-current], [from-file]]";
    Err(Ended::Usage(format!("Option '[reset-offsets]' requires one of the following scenarios: {scenarios}")))
}

/// The address of each partition's leader; an error if a partition does not exist or has none.
pub(super) fn leaders(
    groups: &mut Groups,
    places: &BTreeSet<TopicPartition>,
) -> Result<BTreeMap<TopicPartition, String>, Ended> {
    let topics: BTreeSet<&str> = places.iter().map(|place| place.topic.as_str()).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let mut known: BTreeMap<TopicPartition, Option<String>> = BTreeMap::new();
    for topic in groups.cluster.describe(Some(&topics))? {
        if topic.error.is_error() {
            let refused = Trouble::refused(topic.error, None);
            return Err(Ended::Failed(format!("java.util.concurrent.ExecutionException: {refused}")));
        }
        let partitions = topic.partitions.into_iter();
        known.extend(
            partitions.map(|(partition, leader)| (TopicPartition::new(topic.name.as_str(), partition), leader)),
        );
    }
    let (mut led, mut strange, mut orphans) = (BTreeMap::new(), Vec::new(), Vec::new());
    for place in places {
        match known.remove(place) {
            Some(Some(leader)) => drop(led.insert(place.clone(), leader)),
            Some(None) => orphans.push(place.to_string()),
            None => strange.push(place.to_string()),
        }
    }
    if !strange.is_empty() {
        return Err(Ended::Failed(format!("The partitions \"{}\" do not exist", strange.join(","))));
    }
    if !orphans.is_empty() {
        return Err(Ended::Failed(format!("The partitions \"{}\" have no leader", orphans.join(","))));
    }
    Ok(led)
}

/// What ListOffsets says for each partition.
fn at(groups: &mut Groups, places: &BTreeSet<TopicPartition>, timestamp: i64) -> Result<Plan, Ended> {
    let leaders = leaders(groups, places)?;
    let mut plan = Plan::new();
    for (place, offset) in list(&mut groups.cluster, &leaders, timestamp)? {
        let refused = |error: ErrorCode| {
            Ended::Failed(format!("java.util.concurrent.ExecutionException: {}", Trouble::refused(error, None)))
        };
        plan.insert(place, offset.map_err(refused)?);
    }
    Ok(plan)
}

/// The first offset at or after a time; the end where no record is that late.
fn at_time(groups: &mut Groups, places: &BTreeSet<TopicPartition>, time: i64) -> Result<Plan, Ended> {
    let mut plan = at(groups, places, time)?;
    let late: BTreeSet<TopicPartition> =
        plan.iter().filter(|(_, offset)| **offset == NO_OFFSET).map(|(place, _)| place.clone()).collect();
    for place in &late {
        output::line(format_args!(
            "\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.",
            place.partition, place.topic
        ));
    }
    plan.extend(at(groups, &late, LATEST)?);
    Ok(plan)
}

fn shifted(groups: &mut Groups, group: &str, places: &BTreeSet<TopicPartition>, by: i64) -> Result<Plan, Ended> {
    let committed = groups.committed(group)?;
    let mut wanted = Plan::new();
    for place in places {
        let Some(committed) = committed.get(place) else {
            return Err(Ended::Usage(format!(
                "Cannot shift offset for partition {place} since there is no current committed offset"
            )));
        };
        wanted.insert(place.clone(), committed.offset.saturating_add(by));
    }
    within(groups, wanted)
}

fn current(groups: &mut Groups, group: &str, places: &BTreeSet<TopicPartition>) -> Result<Plan, Ended> {
    let committed = groups.committed(group)?;
    let (known, unknown): (BTreeSet<_>, BTreeSet<_>) =
        places.iter().cloned().partition(|place| committed.contains_key(place));
    let mut plan = at(groups, &unknown, LATEST)?;
    plan.extend(known.into_iter().map(|place| {
        let offset = committed[&place].offset;
        (place, offset)
    }));
    Ok(plan)
}

fn from_file(groups: &mut Groups, arguments: &Arguments, group: &str, file: &str) -> Result<Plan, Ended> {
    let text =
        std::fs::read_to_string(file).map_err(|error| Ended::Failed(format!("could not read {file}: {error}")))?;
    let only = (arguments.group.len() == 1).then_some(group);
    let mut plans = sheet::read(&text, only).map_err(Ended::Failed)?;
    match plans.remove(group) {
        Some(wanted) => within(groups, wanted),
        None => {
            print_error(&format!("No reset plan for group {group} found."));
            Ok(Plan::new())
        }
    }
}

/// The offsets wanted, moved into what the logs hold.
fn within(groups: &mut Groups, wanted: Plan) -> Result<Plan, Ended> {
    let places: BTreeSet<TopicPartition> = wanted.keys().cloned().collect();
    let (starts, ends) = (at(groups, &places, EARLIEST)?, at(groups, &places, LATEST)?);
    let mut plan = Plan::new();
    for (place, offset) in wanted {
        let (start, end) = (starts.get(&place).copied().unwrap_or(offset), ends.get(&place).copied().unwrap_or(offset));
        let moved = if offset > end { end } else { offset.max(start) };
        if moved != offset {
            let side = if offset > end { "higher than latest" } else { "lower than earliest" };
            output::note(format_args!(
                "WARN New offset ({offset}) is {side} offset for topic partition {place}. Value will be set to {moved}."
            ));
        }
        plan.insert(place, moved);
    }
    Ok(plan)
}
