//! Groups deleted, and offsets of groups deleted.

use super::rows::{WIDE, line, width};
use super::{Arguments, Ended, chosen, print_error};
use crate::client::groups::{Groups, Trouble};
use crate::client::offsets::TopicPartition;
use crate::output;
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// The partition of a topic of which nothing is known.
const UNKNOWN: i32 = -1;

/// Deletes groups and says what became of each.
pub(super) fn groups(groups: &mut Groups, arguments: &Arguments) -> Result<(), Ended> {
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for group in chosen(groups, arguments)?.into_iter().collect::<BTreeSet<_>>() {
        match groups.delete(&group) {
            Ok(()) => deleted.push(format!("'{group}'")),
            Err(trouble) => failed.push(format!("* Group '{group}' could not be deleted due to: {trouble}")),
        }
    }
    let deleted = deleted.join(", ");
    if failed.is_empty() {
        output::line(format_args!("Deletion of requested consumer groups ({deleted}) was successful."));
        return Ok(());
    }
    print_error("Deletion of some consumer groups failed:");
    output::line(failed.join("\n"));
    if !deleted.is_empty() {
        output::line(format_args!("\nThese consumer groups were deleted successfully: {deleted}"));
    }
    Ok(())
}

/// Deletes a group's offsets of topics and says what became of each partition.
pub(super) fn offsets(groups: &mut Groups, arguments: &Arguments) -> Result<(), Ended> {
    let [group] = arguments.group.as_slice() else {
        return Err(Ended::Usage("Found multiple arguments for option group, but you asked for only one".to_owned()));
    };
    let mut results: BTreeMap<TopicPartition, Option<String>> = BTreeMap::new();
    let places = places(groups, &arguments.topic, &mut results)?;
    let all = match groups.forget(group, &places) {
        Ok(codes) => {
            let refused = |code: ErrorCode| code.is_error().then(|| Trouble::refused(code, None).to_string());
            let first = places.iter().filter_map(|place| codes.get(place)).find(|code| code.is_error()).copied();
            results.extend(places.into_iter().map(|place| {
                let result = codes.get(&place).copied().and_then(refused);
                (place, result)
            }));
            first
        }
        Err(Trouble::Broken(failure)) => return Err(failure.into()),
        Err(trouble) => {
            results.extend(places.into_iter().map(|place| (place, Some(trouble.to_string()))));
            trouble.code()
        }
    };
    say(group, all);
    print_table(&results);
    Ok(())
}

/// The partitions that --topic names; topics that do not exist are in `results` afterwards.
fn places(
    groups: &mut Groups,
    topics: &[String],
    results: &mut BTreeMap<TopicPartition, Option<String>>,
) -> Result<BTreeSet<TopicPartition>, Ended> {
    let mut places = BTreeSet::new();
    for topic in topics.iter().filter(|topic| topic.contains(':')) {
        places.extend(super::reset::named(topic)?);
    }
    let whole: Vec<&str> = topics.iter().map(String::as_str).filter(|topic| !topic.contains(':')).collect();
    if whole.is_empty() {
        return Ok(places);
    }
    for topic in groups.cluster.describe(Some(&whole))? {
        if topic.error.is_error() {
            let text = Trouble::refused(topic.error, None).to_string();
            results.insert(TopicPartition::new(topic.name, UNKNOWN), Some(text));
        } else {
            places
                .extend(topic.partitions.keys().map(|partition| TopicPartition::new(topic.name.as_str(), *partition)));
        }
    }
    Ok(places)
}

fn say(group: &str, first: Option<ErrorCode>) {
    match first {
        None => output::line(format_args!("Request succeeded for deleting offsets from group {group}.")),
        Some(
            error @ (ErrorCode::INVALID_GROUP_ID
            | ErrorCode::GROUP_ID_NOT_FOUND
            | ErrorCode::GROUP_AUTHORIZATION_FAILED
            | ErrorCode::NON_EMPTY_GROUP),
        ) => print_error(error.text()),
        Some(
            ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC
            | ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ) => print_error("Encountered some partition-level error, see the follow-up details."),
        Some(error) => print_error(&format!("Encountered some unknown error: {error}")),
    }
}

fn print_table(results: &BTreeMap<TopicPartition, Option<String>>) {
    let topic = width(WIDE, results.keys().map(|place| place.topic.as_str()));
    let print = |topic_name: &str, partition: &str, status: &str| {
        let cells = [topic_name.to_owned(), partition.to_owned(), format!("{status:WIDE$}")];
        output::text(format_args!("\n{}", line(&[topic, 10], &cells)));
    };
    print("TOPIC", "PARTITION", "STATUS");
    for (place, error) in results {
        let partition = if place.partition < 0 { "-".to_owned() } else { place.partition.to_string() };
        let status = error.as_ref().map_or_else(|| "Successful".to_owned(), |error| format!("Error: {error}"));
        print(&place.topic, &partition, &status);
    }
    output::line("");
}
