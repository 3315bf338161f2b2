//! The assignors beside Kafka's own on groups that change step by step; `interop/golden/ClientAssignors.java` wrote what Kafka says.

use super::{Assignment, Assignor, Subscriber, Topics};
use crate::client::member::Partitions;
use crate::client::offsets::TopicPartition;
use std::collections::BTreeMap;

const SAID: &str = include_str!("kafka_assignors.txt");

struct Case<'a> {
    topics: Topics,
    members: Vec<Subscriber>,
    /// What Kafka's assignors say, by their names.
    said: BTreeMap<&'a str, Assignment>,
    line: &'a str,
}

/// `t1:0,1|t2:0`.
fn partitions(text: &str) -> Partitions {
    let topics = text.split('|').filter(|topic| !topic.is_empty()).map(|one| one.split_once(':').unwrap());
    topics
        .flat_map(|(topic, list)| list.split(',').map(move |at| TopicPartition::new(topic, at.parse().unwrap())))
        .collect()
}

/// `a>t1:0,1|t2:0;b>` by member.
fn assignment(text: &str) -> Assignment {
    let members = text.split(';').map(|one| one.split_once('>').unwrap());
    members.map(|(member, text)| (member.to_owned(), partitions(text))).collect()
}

/// `a/INSTANCE/t1,t2/GENERATION/t1:0|t2:1`.
fn member(text: &str) -> Subscriber {
    let parts: Vec<&str> = text.split('/').collect();
    Subscriber {
        member: parts[0].to_owned(),
        instance: (!parts[1].is_empty()).then(|| parts[1].to_owned()),
        topics: parts[2].split(',').filter(|topic| !topic.is_empty()).map(str::to_owned).collect(),
        owned: partitions(parts[4]),
        generation: parts[3].parse().unwrap(),
    }
}

fn case(line: &str) -> Case<'_> {
    let mut words: BTreeMap<&str, &str> = line.split(' ').map(|word| word.split_once('=').unwrap()).collect();
    let topics = words.remove("topics").unwrap().split(',').map(|one| one.split_once(':').unwrap());
    let topics = topics.map(|(topic, count)| (topic.to_owned(), (0..count.parse().unwrap()).collect())).collect();
    let members = words.remove("members").unwrap().split(';').map(member).collect();
    let said = words.into_iter().map(|(name, text)| (name, assignment(text))).collect();
    Case { topics, members, said, line }
}

impl Case<'_> {
    fn is_alike(&self) -> bool {
        self.members.windows(2).all(|two| two[0].topics == two[1].topics)
    }

    /// How many partitions of the assignment their members have had before.
    fn kept(&self, assignment: &Assignment) -> usize {
        self.members.iter().map(|member| member.owned.intersection(&assignment[&member.member]).count()).sum()
    }
}

fn sizes(assignment: &Assignment) -> Vec<usize> {
    let mut sizes: Vec<usize> = assignment.values().map(Partitions::len).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn range_and_round_robin_are_kafkas() {
    for case in SAID.lines().map(case) {
        for assignor in [Assignor::Range, Assignor::RoundRobin] {
            assert_eq!(assignor.assign(&case.members, &case.topics), case.said[assignor.name()], "{}", case.line);
        }
    }
}

#[test]
fn cooperative_sticky_is_kafkas_where_all_read_the_same() {
    let alike: Vec<Case<'_>> = SAID.lines().map(case).filter(Case::is_alike).collect();
    assert!(alike.len() >= 50);
    for case in alike {
        let ours = Assignor::CooperativeSticky.assign(&case.members, &case.topics);
        assert_eq!(ours, case.said["cooperative-sticky"], "{}", case.line);
    }
}

/// Which of several readers gets one more differs from Kafka's; the shares are as even, and no less stays where it was.
#[test]
fn sticky_is_as_even_and_as_sticky_as_kafkas_where_members_read_different_topics() {
    let unlike: Vec<Case<'_>> = SAID.lines().map(case).filter(|case| !case.is_alike()).collect();
    assert!(unlike.len() >= 50);
    for case in unlike {
        let ours = Assignor::Sticky.assign(&case.members, &case.topics);
        let kafkas = &case.said["sticky"];
        let squares = |assignment| sizes(assignment).into_iter().map(|size| size * size).sum::<usize>();
        assert!(squares(&ours) <= squares(kafkas), "{ours:?}\n{}", case.line);
        assert!(case.kept(&ours) >= case.kept(kafkas) || squares(&ours) < squares(kafkas), "{ours:?}\n{}", case.line);
    }
}

#[test]
fn what_somebody_reads_is_given_to_another_only_after_it_was_given_up() {
    for case in SAID.lines().map(case) {
        for (member, partitions) in Assignor::CooperativeSticky.assign(&case.members, &case.topics) {
            let others = case.members.iter().filter(|other| other.member != member);
            let taken: Vec<&TopicPartition> =
                others.flat_map(|other| &other.owned).filter(|place| partitions.contains(place)).collect();
            assert!(taken.is_empty(), "{member} takes {taken:?}: {}", case.line);
        }
    }
}

#[test]
fn of_two_that_claim_a_partition_the_later_generation_keeps_it() {
    let claims = |name: &str, generation| member(&format!("{name}//t/{generation}/t:0"));
    let topics = Topics::from([("t".to_owned(), vec![0, 1])]);
    let ours = Assignor::Sticky.assign(&[claims("a", 3), claims("b", 4)], &topics);
    assert_eq!(ours, assignment("a>t:1;b>t:0"));
}
