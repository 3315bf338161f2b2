//! Rules of a replica, as short stories.

use super::{Assignment, Effect, Event, Replica, Role};
use ottla_host::Monotonic;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};

const ME: BrokerId = BrokerId(1);

fn assigned(leader: i32, epoch: i32, replicas: &[i32], isr: &[i32], end: i64) -> Event {
    let assignment = Assignment {
        leader: Some(BrokerId(leader)),
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: epoch * 10,
        replicas: replicas.iter().copied().map(BrokerId).collect(),
        isr: isr.iter().copied().map(BrokerId).collect(),
    };
    Event::Assigned { assignment, end: Offset(end) }
}

fn step(replica: &mut Replica, now: u64, event: Event) -> Vec<Effect> {
    let mut out = Vec::new();
    replica.step(Monotonic(now), event, &mut out);
    out
}

fn fetched(follower: i32, offset: i64) -> Event {
    Event::Fetched { follower: BrokerId(follower), offset: Offset(offset) }
}

#[test]
fn a_leader_alone_commits_what_it_has() {
    let mut replica = Replica::new(ME, Offset(3));
    let effects = step(&mut replica, 0, assigned(1, 5, &[1], &[1], 7));
    assert_eq!(effects, [Effect::BeginEpoch(LeaderEpoch(5)), Effect::Watermark(Offset(7))]);
    assert_eq!(step(&mut replica, 1, Event::Appended { end: Offset(9) }), [Effect::Watermark(Offset(9))]);
    assert_eq!(replica.watermark(), Offset(9));
}

#[test]
fn watermark_waits_for_every_replica_in_sync() {
    let mut replica = Replica::new(ME, Offset(0));
    step(&mut replica, 0, assigned(1, 1, &[1, 2, 3], &[1, 2, 3], 0));
    assert_eq!(step(&mut replica, 1, Event::Appended { end: Offset(10) }), []);
    assert_eq!(step(&mut replica, 2, fetched(2, 10)), []);
    assert_eq!(step(&mut replica, 3, fetched(3, 4)), [Effect::Watermark(Offset(4))]);
    assert_eq!(step(&mut replica, 4, fetched(3, 10)), [Effect::Watermark(Offset(10))]);
}

#[test]
fn a_follower_that_lags_is_proposed_out_and_still_holds_back_until_the_controller_agrees() {
    let mut replica = Replica::new(ME, Offset(0));
    step(&mut replica, 0, assigned(1, 1, &[1, 2], &[1, 2], 0));
    step(&mut replica, 1, Event::Appended { end: Offset(10) });
    let alone = [ME].into();
    assert_eq!(step(&mut replica, 100, Event::Tick { lag_max: 50 }), [Effect::ProposeIsr(alone)]);
    assert_eq!(replica.watermark(), Offset(0));
    let Event::Assigned { mut assignment, end } = assigned(1, 1, &[1, 2], &[1], 10) else { unreachable!() };
    assignment.partition_epoch = 11;
    assert_eq!(step(&mut replica, 101, Event::Assigned { assignment, end }), [Effect::Watermark(Offset(10))]);
}

#[test]
fn a_follower_joins_once_it_has_reached_watermark_and_term_and_holds_back_at_once() {
    let mut replica = Replica::new(ME, Offset(0));
    step(&mut replica, 0, assigned(1, 1, &[1, 2], &[1], 5));
    assert_eq!(step(&mut replica, 1, fetched(2, 4)), []);
    assert_eq!(step(&mut replica, 2, fetched(2, 5)), [Effect::ProposeIsr([ME, BrokerId(2)].into())]);
    assert_eq!(step(&mut replica, 3, Event::Appended { end: Offset(8) }), [], "it may be in sync already");
    assert_eq!(step(&mut replica, 4, Event::IsrRefused), [Effect::Watermark(Offset(8))]);
}

#[test]
fn a_leader_resigns_on_another_term_and_ignores_older_decisions() {
    let mut replica = Replica::new(ME, Offset(0));
    step(&mut replica, 0, assigned(1, 2, &[1, 2], &[1, 2], 0));
    assert_eq!(step(&mut replica, 1, assigned(2, 1, &[1, 2], &[1, 2], 0)), [], "older");
    assert_eq!(step(&mut replica, 2, assigned(2, 3, &[1, 2], &[1, 2], 0)), [Effect::Resign]);
    assert!(matches!(replica.role(), Role::Follower { leader: Some(BrokerId(2)), epoch: LeaderEpoch(3) }));
}

#[test]
fn too_few_in_sync_cannot_promise_acks_all() {
    let mut replica = Replica::new(ME, Offset(0));
    step(&mut replica, 0, assigned(1, 1, &[1, 2, 3], &[1], 0));
    let leader = replica.leader().expect("it leads");
    assert!(leader.has_enough(1));
    assert!(!leader.has_enough(2));
    step(&mut replica, 1, assigned(1, 2, &[1], &[1], 0));
    assert!(replica.leader().expect("it leads").has_enough(2), "at most as many as there are replicas");
}
