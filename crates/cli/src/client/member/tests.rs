//! Rules of the two machines.

use super::classic::Classic;
use super::modern::Modern;
use super::range::{Subscriber, assign};
use super::{Answer, Effect, Partitions, Request};
use crate::client::offsets::TopicPartition;
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(3);

fn places(places: &[(&str, i32)]) -> Partitions {
    places.iter().map(|(topic, partition)| TopicPartition::new(*topic, *partition)).collect()
}

fn subscriber(member: &str, instance: Option<&str>, topics: &[&str]) -> Subscriber {
    let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
    Subscriber { member: member.to_owned(), instance: instance.map(str::to_owned), topics }
}

fn refused(error: ErrorCode) -> Answer {
    Answer::Refused { error, member: String::new() }
}

/// A member that leads itself in generation 1 and reads orders-0.
fn joined() -> Classic {
    let mut member = Classic::new(INTERVAL);
    let topics = BTreeMap::from([("orders".to_owned(), vec![0])]);
    let members = Some(vec![subscriber("a", None, &["orders"])]);
    let answer = Answer::Joined { member: "a".into(), generation: 1, protocol: "range".into(), members };
    member.step(Duration::ZERO, answer, &topics, &mut Vec::new()).unwrap();
    let Some(Request::Sync { assignments, .. }) = member.next(Duration::ZERO) else { panic!("a leader assigns") };
    let mut effects = Vec::new();
    member.step(Duration::ZERO, Answer::Synced(assignments["a"].clone()), &topics, &mut effects).unwrap();
    assert_eq!(effects, [Effect::Assign(places(&[("orders", 0)]))]);
    member
}

#[test]
fn neighbours_are_shared_out_and_the_first_get_one_more() {
    let members =
        [subscriber("b", None, &["t", "u"]), subscriber("a", None, &["t"]), subscriber("z", Some("1"), &["t"])];
    let topics = BTreeMap::from([("t".to_owned(), vec![0, 1, 2, 3]), ("u".to_owned(), vec![0])]);
    let assigned = assign(&members, &topics);
    assert_eq!(assigned["z"], places(&[("t", 0), ("t", 1)]));
    assert_eq!(assigned["a"], places(&[("t", 2)]));
    assert_eq!(assigned["b"], places(&[("t", 3), ("u", 0)]));
}

#[test]
fn a_member_id_that_is_required_is_used_to_join_again() {
    let mut member = Classic::new(INTERVAL);
    let answer = Answer::Refused { error: ErrorCode::MEMBER_ID_REQUIRED, member: "m-1".into() };
    member.step(Duration::ZERO, answer, &BTreeMap::new(), &mut Vec::new()).unwrap();
    let Some(Request::Join { member: id, .. }) = member.next(Duration::ZERO) else { panic!("it joins again") };
    assert_eq!(id, "m-1");
}

#[test]
fn a_member_beats_when_it_is_time() {
    let mut member = joined();
    assert_eq!(member.next(Duration::from_secs(2)), None);
    assert!(matches!(member.next(INTERVAL), Some(Request::Beat { generation: 1, .. })));
    member.step(INTERVAL, Answer::Beaten, &BTreeMap::new(), &mut Vec::new()).unwrap();
    assert_eq!(member.next(INTERVAL), None);
}

#[test]
fn a_rebalance_revokes_before_joining_again() {
    let mut member = joined();
    let mut effects = Vec::new();
    member.step(INTERVAL, refused(ErrorCode::REBALANCE_IN_PROGRESS), &BTreeMap::new(), &mut effects).unwrap();
    assert_eq!(effects, [Effect::Revoke(places(&[("orders", 0)]))]);
    assert!(matches!(member.next(INTERVAL), Some(Request::Join { .. })));
}

#[test]
fn a_member_that_is_not_known_loses_what_it_read_and_commits_nothing() {
    let mut member = joined();
    let mut effects = Vec::new();
    member.step(INTERVAL, refused(ErrorCode::UNKNOWN_MEMBER_ID), &BTreeMap::new(), &mut effects).unwrap();
    assert_eq!(effects, [Effect::Lose(places(&[("orders", 0)]))]);
    let Some(Request::Join { member: id, .. }) = member.next(INTERVAL) else { panic!("it joins again") };
    assert!(id.is_empty());
}

#[test]
fn an_error_that_no_joining_mends_is_final() {
    let mut member = joined();
    let fenced = refused(ErrorCode::FENCED_INSTANCE_ID);
    let ended = member.step(INTERVAL, fenced, &BTreeMap::new(), &mut Vec::new());
    assert_eq!(ended, Err(ErrorCode::FENCED_INSTANCE_ID));
}

fn beaten(epoch: i32, assignment: Option<Partitions>) -> Answer {
    Answer::ModernBeaten { epoch, interval: INTERVAL, assignment }
}

#[test]
fn a_change_of_assignment_is_acknowledged_at_once() {
    let mut member = Modern::new("m".into());
    assert!(matches!(member.next(Duration::ZERO), Some(Request::ModernBeat { epoch: 0, subscribe: true, .. })));
    let (both, one) = (places(&[("t", 0), ("t", 1)]), places(&[("t", 1)]));
    member.step(Duration::ZERO, beaten(1, Some(both)), &mut Vec::new()).unwrap();
    member.step(Duration::ZERO, beaten(1, None), &mut Vec::new()).unwrap();
    assert_eq!(member.next(Duration::ZERO), None);
    let mut effects = Vec::new();
    member.step(INTERVAL, beaten(2, Some(one.clone())), &mut effects).unwrap();
    assert_eq!(effects, [Effect::Revoke(places(&[("t", 0)])), Effect::Assign(one.clone())]);
    let acknowledged = Request::ModernBeat { epoch: 2, owned: Some(one), subscribe: false };
    assert_eq!(member.next(INTERVAL), Some(acknowledged));
}

#[test]
fn a_fenced_member_joins_anew() {
    let mut member = Modern::new("m".into());
    member.step(Duration::ZERO, beaten(4, Some(places(&[("t", 0)]))), &mut Vec::new()).unwrap();
    let mut effects = Vec::new();
    member.step(INTERVAL, refused(ErrorCode::FENCED_MEMBER_EPOCH), &mut effects).unwrap();
    assert_eq!(effects, [Effect::Lose(places(&[("t", 0)]))]);
    assert!(matches!(member.next(INTERVAL), Some(Request::ModernBeat { epoch: 0, subscribe: true, .. })));
}
