//! Offsets of groups without members moved: planned, shown, and with --execute committed.

mod plan;
mod sheet;

use super::rows::{WIDE, line, width};
use super::{Arguments, Ended, chosen, print_error};
use crate::client::groups::{Description, Groups, Trouble};
use crate::client::offsets::TopicPartition;
use crate::output;
use ottla_wire::error::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// The new offsets of a group.
type Plan = BTreeMap<TopicPartition, i64>;

/// Plans the new offsets of each group, commits them with --execute, and prints them.
pub(super) fn reset(groups: &mut Groups, arguments: &Arguments) -> Result<(), Ended> {
    let chosen: BTreeSet<String> = chosen(groups, arguments)?.into_iter().collect();
    let mut plans = BTreeMap::new();
    for group in chosen {
        let described = groups.describe(&group);
        let plan = if may_reset(&group, described)? { reset_group(groups, arguments, &group)? } else { Plan::new() };
        plans.insert(group, plan);
    }
    if arguments.export {
        output::line(sheet::write(&plans, arguments.group.len() == 1));
    } else {
        print_table(&plans);
    }
    Ok(())
}

/// Whether no member would be surprised; a group that does not exist yet has none.
fn may_reset(group: &str, described: Result<Description, Trouble>) -> Result<bool, Ended> {
    let state = match described {
        Ok(description) => description.state,
        Err(Trouble::Refused { error: ErrorCode::GROUP_ID_NOT_FOUND, .. }) => return Ok(true),
        Err(Trouble::Broken(failure)) => return Err(failure.into()),
        Err(refused) => return Err(Ended::Failed(format!("java.util.concurrent.ExecutionException: {refused}"))),
    };
    if state == "Empty" || state == "Dead" {
        return Ok(true);
    }
    let why = format!("but the current state is {state}.");
    print_error(&format!("Assignments can only be reset if the group '{group}' is inactive, {why}"));
    Ok(false)
}

fn reset_group(groups: &mut Groups, arguments: &Arguments, group: &str) -> Result<Plan, Ended> {
    let places = places(groups, arguments, group)?;
    let plan = plan::plan(groups, arguments, group, &places)?;
    if arguments.execute {
        groups.commit(group, &plan).map_err(|trouble| Ended::Failed(trouble.text()))?;
    }
    Ok(plan)
}

/// The partitions to move, each of which has a leader.
fn places(groups: &mut Groups, arguments: &Arguments, group: &str) -> Result<BTreeSet<TopicPartition>, Ended> {
    let mut places = BTreeSet::new();
    if arguments.all_topics {
        places.extend(groups.committed(group)?.into_keys());
    } else if arguments.topic.is_empty() {
        if arguments.from_file.is_none() {
            let text = "One of the reset scopes should be defined: --all-topics, --topic.";
            return Err(Ended::Usage(text.to_owned()));
        }
    } else {
        for topic in &arguments.topic {
            match topic.contains(':') {
                true => places.extend(named(topic)?),
                false => places.extend(whole(groups, topic)?),
            }
        }
    }
    plan::leaders(groups, &places)?;
    Ok(places)
}

/// The partitions in `orders:0,1`.
pub(super) fn named(text: &str) -> Result<Vec<TopicPartition>, Ended> {
    let mut parts = text.split(':');
    let (Some(topic), Some(partitions), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Ended::Usage(format!("Invalid topic arg '{text}', expected topic name and partitions")));
    };
    let partition = |number: &str| match number.parse() {
        Ok(partition) => Ok(TopicPartition::new(topic, partition)),
        Err(_) => Err(Ended::Usage(format!("Invalid partition '{number}' specified in topic arg '{text}''"))),
    };
    partitions.split(',').map(partition).collect()
}

/// All partitions of a topic.
fn whole(groups: &mut Groups, name: &str) -> Result<Vec<TopicPartition>, Ended> {
    let mut places = Vec::new();
    for topic in groups.cluster.describe(Some(&[name]))? {
        if topic.error.is_error() {
            return Err(Ended::Failed(Trouble::refused(topic.error, None).text()));
        }
        places.extend(topic.partitions.keys().map(|partition| TopicPartition::new(name, *partition)));
    }
    Ok(places)
}

fn print_table(plans: &BTreeMap<String, Plan>) {
    let groups = width(WIDE, plans.keys().map(String::as_str));
    let topics = width(WIDE, plans.values().flat_map(BTreeMap::keys).map(|place| place.topic.as_str()));
    let widths = [groups, topics, 10];
    if !plans.is_empty() {
        output::text(format_args!("\n{}", line(&widths, &["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"])));
    }
    for (group, plan) in plans {
        for (place, offset) in plan {
            let cells = [group.as_str(), &place.topic, &place.partition.to_string(), &offset.to_string()];
            output::text(format_args!("\n{}", line(&widths, &cells)));
        }
    }
    output::line("");
}

#[cfg(test)]
mod tests {
    use super::{Ended, named};

    #[test]
    fn partitions_follow_the_topic_after_a_colon() {
        let places = named("orders:0,12").ok().unwrap();
        assert_eq!(places.iter().map(ToString::to_string).collect::<Vec<_>>(), ["orders-0", "orders-12"]);
        let Err(Ended::Usage(text)) = named("orders:a") else { panic!("a letter is no partition") };
        assert_eq!(text, "Invalid partition 'a' specified in topic arg 'orders:a''");
        assert!(named("orders:0:1").is_err());
    }
}
