//! Where reading starts in a partition that nothing is known of, and goes on when the log no longer has the offset.

use crate::client::cluster::Cluster;
use crate::client::groups::Trouble;
use crate::client::offsets::{EARLIEST, LATEST, NO_OFFSET, TopicPartition, list};
use crate::failure::Failure;
use std::collections::BTreeMap;

/// Where to start: `auto.offset.reset`, or an offset that the user gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum From {
    /// At the first record.
    Earliest,
    /// At the next record to come.
    Latest,
    /// At an offset.
    Offset(i64),
    /// At the first record of a time in ms, or at the next to come.
    Time(i64),
    /// Nowhere: the user wants to be told.
    Nowhere,
}

/// The offset to start at in each partition, all of whose leaders are given.
pub(super) fn find(
    cluster: &mut Cluster,
    leaders: &BTreeMap<TopicPartition, String>,
    from: From,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let at = |cluster: &mut Cluster, leaders: &BTreeMap<TopicPartition, String>, timestamp: i64| {
        let mut found = BTreeMap::new();
        for (place, offset) in list(cluster, leaders, timestamp)? {
            let refused = |error| Failure::new(format!("{place}: {}", Trouble::refused(error, None)));
            found.insert(place.clone(), offset.map_err(refused)?);
        }
        Ok::<_, Failure>(found)
    };
    match from {
        From::Offset(offset) => Ok(leaders.keys().map(|place| (place.clone(), offset)).collect()),
        From::Earliest => at(cluster, leaders, EARLIEST),
        From::Latest => at(cluster, leaders, LATEST),
        From::Time(time) => {
            let mut found = at(cluster, leaders, time)?;
            let late: BTreeMap<TopicPartition, String> =
                leaders.iter().filter(|(place, _)| found.get(*place) == Some(&NO_OFFSET)).map(cloned).collect();
            found.extend(at(cluster, &late, LATEST)?);
            Ok(found)
        }
        From::Nowhere => match leaders.keys().next() {
            None => Ok(BTreeMap::new()),
            Some(place) => Err(Failure::new(format!(
                "the group has no offset of {place} that the log still has, and auto.offset.reset=none asks for none to be made up"
            ))),
        },
    }
}

fn cloned((place, leader): (&TopicPartition, &String)) -> (TopicPartition, String) {
    (place.clone(), leader.clone())
}
