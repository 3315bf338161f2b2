//! Rules of the two machines.

use super::assignors::{Assignor, Subscriber, Topics};
use super::classic::Classic;
use super::modern::Modern;
use super::{Answer, Effect, Loss, Partitions, Request};
use crate::client::offsets::TopicPartition;
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(3);
const COOPERATIVE: [Assignor; 1] = [Assignor::CooperativeSticky];

fn places(places: &[(&str, i32)]) -> Partitions {
    places.iter().map(|(topic, partition)| TopicPartition::new(*topic, *partition)).collect()
}

fn refused(error: ErrorCode) -> Answer {
    Answer::Refused { error, member: String::new() }
}

/// Takes an answer in; the effects.
fn told(member: &mut Classic, answer: Answer) -> Vec<Effect> {
    let mut effects = Vec::new();
    member.step(INTERVAL, answer, &Topics::new(), &mut effects).unwrap();
    effects
}

/// A member that leads itself in generation 1 and reads orders-0 and orders-1.
fn joined(assignors: &[Assignor]) -> Classic {
    let mut member = Classic::new(INTERVAL, assignors);
    let topics = BTreeMap::from([("orders".to_owned(), vec![0, 1])]);
    let leader = Subscriber {
        member: "a".into(),
        instance: None,
        topics: ["orders".to_owned()].into(),
        owned: Partitions::new(),
        generation: -1,
    };
    let protocol = assignors[0].name().to_owned();
    let answer = Answer::Joined { member: "a".into(), generation: 1, protocol, members: Some(vec![leader]) };
    member.step(Duration::ZERO, answer, &topics, &mut Vec::new()).unwrap();
    let Request::Sync { assignments, .. } = member.request() else { panic!("a leader assigns") };
    let mut effects = Vec::new();
    member.step(Duration::ZERO, Answer::Synced(assignments["a"].clone()), &topics, &mut effects).unwrap();
    assert_eq!(effects, [Effect::Assign(places(&[("orders", 0), ("orders", 1)]))]);
    member.applied();
    member
}

/// The join that is due.
fn join(member: &Classic) -> (String, Partitions) {
    assert_eq!(member.due(), Some(Duration::ZERO), "it joins at once");
    let Request::Join { member, owned, .. } = member.request() else { panic!("it joins") };
    (member, owned)
}

#[test]
fn a_member_id_that_is_required_is_used_to_join_again() {
    let mut member = Classic::new(INTERVAL, &Assignor::DEFAULT);
    told(&mut member, Answer::Refused { error: ErrorCode::MEMBER_ID_REQUIRED, member: "m-1".into() });
    assert_eq!(join(&member).0, "m-1");
}

#[test]
fn a_member_beats_when_it_is_time() {
    let mut member = joined(&Assignor::DEFAULT);
    assert_eq!(member.due(), Some(INTERVAL));
    assert!(matches!(member.request(), Request::Beat { generation: 1, .. }));
    told(&mut member, Answer::Beaten);
    assert_eq!(member.due(), Some(INTERVAL * 2));
}

#[test]
fn an_eager_member_gives_up_all_before_it_joins_again_and_beats_until_then() {
    let mut member = joined(&Assignor::DEFAULT);
    let effects = told(&mut member, refused(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(effects, [Effect::Revoke(places(&[("orders", 0), ("orders", 1)]))]);
    assert!(matches!(member.request(), Request::Beat { .. }));
    assert_eq!(told(&mut member, refused(ErrorCode::REBALANCE_IN_PROGRESS)), []);
    member.applied();
    assert_eq!(join(&member).1, places(&[]));
}

#[test]
fn a_cooperative_member_reads_on_gives_up_what_others_get_and_joins_once_more() {
    let mut member = joined(&COOPERATIVE);
    assert_eq!(told(&mut member, refused(ErrorCode::REBALANCE_IN_PROGRESS)), []);
    assert_eq!(join(&member).1, places(&[("orders", 0), ("orders", 1)]));
    let protocol = COOPERATIVE[0].name().to_owned();
    told(&mut member, Answer::Joined { member: "a".into(), generation: 2, protocol, members: None });
    let kept = places(&[("orders", 0)]);
    let effects = told(&mut member, Answer::Synced(kept.clone()));
    assert_eq!(effects, [Effect::Revoke(places(&[("orders", 1)])), Effect::Assign(kept.clone())]);
    assert!(matches!(member.request(), Request::Beat { generation: 2, .. }), "until the owner has given it up");
    member.applied();
    assert_eq!(join(&member).1, kept);
}

#[test]
fn a_cooperative_member_gives_up_what_it_subscribes_to_no_more() {
    let mut member = joined(&COOPERATIVE);
    let mut effects = Vec::new();
    member.resubscribe(|topic| topic == "invoices", &mut effects);
    assert_eq!(effects, [Effect::Revoke(places(&[("orders", 0), ("orders", 1)]))]);
}

#[test]
fn a_member_that_is_not_known_loses_what_it_read_and_joins_when_its_owner_knows() {
    let mut member = joined(&COOPERATIVE);
    let effects = told(&mut member, refused(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(effects, [Effect::Lose(Loss::Gone)]);
    assert_eq!((member.due(), member.identity().generation), (None, -1));
    member.applied();
    assert_eq!(join(&member), (String::new(), places(&[])));
}

#[test]
fn a_member_that_left_because_nobody_polled_joins_at_the_next_poll() {
    let mut member = joined(&Assignor::DEFAULT);
    let mut effects = Vec::new();
    member.left(&mut effects);
    assert_eq!(effects, [Effect::Lose(Loss::Late)]);
    assert_eq!((member.due(), member.is_member()), (None, false));
    member.applied();
    assert_eq!(join(&member).0, "");
}

#[test]
fn a_coordinator_that_is_not_ready_is_asked_again_at_once() {
    let mut member = joined(&Assignor::DEFAULT);
    let due = member.due();
    told(&mut member, refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
    assert_eq!(member.due(), due, "the beat is as due as it was");
}

#[test]
fn an_error_that_no_joining_mends_is_final() {
    let mut member = joined(&Assignor::DEFAULT);
    let fenced = refused(ErrorCode::FENCED_INSTANCE_ID);
    let ended = member.step(INTERVAL, fenced, &Topics::new(), &mut Vec::new());
    assert_eq!(ended, Err(ErrorCode::FENCED_INSTANCE_ID));
}

fn beaten(epoch: i32, assignment: Option<Partitions>) -> Answer {
    Answer::ModernBeaten { epoch, interval: INTERVAL, assignment }
}

fn told_modern(member: &mut Modern, answer: Answer) -> Vec<Effect> {
    let mut effects = Vec::new();
    member.step(Duration::ZERO, answer, &mut effects).unwrap();
    effects
}

/// A member that reads t-0 and t-1 in epoch 1, of which the coordinator knows.
fn joined_modern() -> Modern {
    let mut member = Modern::new("m".into());
    assert!(matches!(member.request(), Request::ModernBeat { epoch: 0, subscribe: true, .. }));
    told_modern(&mut member, beaten(1, Some(places(&[("t", 0), ("t", 1)]))));
    member.applied();
    told_modern(&mut member, beaten(1, None));
    assert_eq!(member.due(), Some(INTERVAL));
    member
}

#[test]
fn a_change_of_assignment_is_acknowledged_once_it_is_done() {
    let mut member = joined_modern();
    let one = places(&[("t", 1)]);
    let effects = told_modern(&mut member, beaten(2, Some(one.clone())));
    assert_eq!(effects, [Effect::Revoke(places(&[("t", 0)])), Effect::Assign(one.clone())]);
    assert_eq!(member.request(), Request::ModernBeat { epoch: 2, owned: None, subscribe: false });
    member.applied();
    assert_eq!(member.due(), Some(Duration::ZERO));
    assert_eq!(member.request(), Request::ModernBeat { epoch: 2, owned: Some(one), subscribe: false });
}

#[test]
fn a_fenced_member_joins_anew_when_its_owner_knows() {
    let mut member = joined_modern();
    let effects = told_modern(&mut member, refused(ErrorCode::FENCED_MEMBER_EPOCH));
    assert_eq!(effects, [Effect::Lose(Loss::Gone)]);
    assert_eq!(member.due(), None);
    member.applied();
    assert_eq!(member.due(), Some(Duration::ZERO));
    let anew = Request::ModernBeat { epoch: 0, owned: Some(places(&[])), subscribe: true };
    assert_eq!(member.request(), anew);
}
