//! The assignors against their rules on random groups: all is assigned once, shares are even, little moves.

use super::walks::Dice;
use crate::group::consumer::Partitions;
use crate::group::consumer::assign::{Assignor, Spec, Subscriber};
use ottla_wire::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn topic(at: usize) -> Uuid {
    let mut id = [0; 16];
    id[15] = at as u8 + 1;
    Uuid(id)
}

/// A group of random members; with `same` all subscribe to the same topics.
fn spec(dice: &mut Dice, is_homogeneous: bool) -> Spec {
    let topics = 1 + dice.below(5);
    let all: BTreeSet<Uuid> = (0..topics).map(topic).collect();
    let members = (0..1 + dice.below(8)).map(|at| {
        let some: BTreeSet<Uuid> = all.iter().filter(|_| dice.below(2) == 0).copied().collect();
        Subscriber {
            id: format!("m{at}").into(),
            instance: None,
            topics: Arc::new(if is_homogeneous { all.clone() } else { some }),
            target: Arc::default(),
        }
    });
    let members: Vec<Subscriber> = members.collect();
    let subscribed: BTreeSet<Uuid> = members.iter().flat_map(|member| member.topics.iter().copied()).collect();
    let partitions = subscribed.into_iter().map(|topic| (topic, 1 + dice.below(12))).collect();
    Spec { members, partitions, is_homogeneous }
}

fn check(spec: &Spec, targets: &[Arc<Partitions>]) {
    let mut assigned = BTreeMap::new();
    for (member, target) in spec.members.iter().zip(targets) {
        for (topic, list) in target.iter() {
            assert!(member.topics.contains(topic), "members get what they subscribe to");
            for partition in list {
                assert_eq!(assigned.insert((*topic, *partition), &member.id), None, "once");
            }
        }
    }
    let total: usize = spec.partitions.values().sum();
    assert_eq!(assigned.len(), total, "everything is assigned");
}

/// Partitions that change hands.
fn moved(before: &[Arc<Partitions>], after: &[Arc<Partitions>]) -> usize {
    let kept = |(before, after): (&Arc<Partitions>, &Arc<Partitions>)| {
        before.iter().map(|(topic, list)| list.iter().filter(|at| after.of(topic).contains(at)).count()).sum::<usize>()
    };
    before.iter().map(|target| target.len()).sum::<usize>() - before.iter().zip(after).map(kept).sum::<usize>()
}

fn with_targets(mut spec: Spec, targets: Vec<Arc<Partitions>>) -> Spec {
    spec.members.iter_mut().zip(targets).for_each(|(member, target)| member.target = target);
    spec
}

#[test]
fn uniform_is_even_and_moves_no_more_than_it_must() {
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let spec = spec(&mut dice, true);
        let targets = Assignor::Uniform.assign(&spec);
        check(&spec, &targets);
        let sizes: Vec<usize> = targets.iter().map(|target| target.len()).collect();
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        let again = with_targets(spec.clone(), targets.clone());
        assert_eq!(Assignor::Uniform.assign(&again), targets, "nothing moves without need");
        // One comes: only its own share moves.
        let mut grown = again.clone();
        grown.members.push(Subscriber { id: "z".into(), target: Arc::default(), ..grown.members[0].clone() });
        let after = Assignor::Uniform.assign(&grown);
        check(&grown, &after);
        assert_eq!(moved(&targets, &after[..targets.len()]), after.last().unwrap().len(), "seed {seed}");
    }
}

#[test]
fn uniform_is_as_even_as_subscriptions_allow() {
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let spec = spec(&mut dice, false);
        let targets = Assignor::Uniform.assign(&spec);
        check(&spec, &targets);
        for (one, mine) in spec.members.iter().zip(&targets) {
            for (other, theirs) in spec.members.iter().zip(&targets) {
                let gives = theirs.iter().any(|(topic, _)| one.topics.contains(topic));
                assert!(!gives || theirs.len() <= mine.len() + 1, "{} could give to {}, seed {seed}", other.id, one.id);
            }
        }
        let again = with_targets(spec, targets.clone());
        assert_eq!(Assignor::Uniform.assign(&again), targets, "nothing moves without need");
    }
}

#[test]
fn range_gives_the_same_numbers_of_each_topic_to_the_same_member() {
    let mut dice = Dice(3);
    let mut spec = spec(&mut dice, true);
    spec.partitions.values_mut().for_each(|count| *count = 7);
    let targets = Assignor::Range.assign(&spec);
    check(&spec, &targets);
    for target in &targets {
        let lists: BTreeSet<&[i32]> = target.iter().map(|(_, list)| list).collect();
        assert!(lists.len() <= 1, "co-partitioned topics go together");
    }
}

#[test]
fn range_puts_static_members_first() {
    let member = |id: &str, instance: Option<&str>| Subscriber {
        id: id.into(),
        instance: instance.map(Arc::from),
        topics: Arc::new([topic(0)].into()),
        target: Arc::default(),
    };
    let members = vec![member("a", None), member("b", Some("2")), member("c", Some("1"))];
    let spec = Spec { members, partitions: [(topic(0), 4)].into(), is_homogeneous: true };
    let targets = Assignor::Range.assign(&spec);
    let lists: Vec<&[i32]> = targets.iter().map(|target| target.of(&topic(0))).collect();
    assert_eq!(lists, [&[3][..], &[2][..], &[0, 1][..]]);
}
