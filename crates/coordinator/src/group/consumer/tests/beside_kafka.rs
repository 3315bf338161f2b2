//! The assignors beside Kafka's own on groups that change step by step; `interop/golden/Assignors.java` wrote what Kafka says.

use crate::group::consumer::Partitions;
use crate::group::consumer::assign::{Assignor, Spec, Subscriber};
use ottla_wire::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;

const SAID: &str = include_str!("kafka_assignors.txt");

fn topic(number: &str) -> Uuid {
    let mut id = [0; 16];
    id[15] = number.parse().unwrap();
    Uuid(id)
}

fn partitions(text: &str) -> Partitions {
    let topics = text.split('|').filter(|topic| !topic.is_empty()).map(|one| one.split_once(':').unwrap());
    topics.map(|(id, list)| (topic(id), list.split(',').map(|at| at.parse().unwrap()).collect())).collect()
}

/// `m0>1:0,1|2:0;m1>` by member.
fn assignment(text: &str) -> BTreeMap<&str, Arc<Partitions>> {
    let members = text.split(';').filter(|member| !member.is_empty()).map(|one| one.split_once('>').unwrap());
    members.map(|(member, text)| (member, Arc::new(partitions(text)))).collect()
}

struct Case<'a> {
    spec: Spec,
    range: Vec<Arc<Partitions>>,
    uniform: Vec<Arc<Partitions>>,
    line: &'a str,
}

fn case(line: &str) -> Case<'_> {
    let words: BTreeMap<&str, &str> = line.split(' ').map(|word| word.split_once('=').unwrap()).collect();
    let targets = assignment(words["targets"]);
    let members: Vec<Subscriber> = words["members"]
        .split(';')
        .map(|member| {
            let mut parts = member.split('/');
            let (id, instance, topics) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            Subscriber {
                id: id.into(),
                instance: (!instance.is_empty()).then(|| instance.into()),
                topics: Arc::new(topics.split(',').filter(|id| !id.is_empty()).map(topic).collect()),
                target: targets.get(id).cloned().unwrap_or_default(),
            }
        })
        .collect();
    let counts = words["topics"].split(',').map(|one| one.split_once(':').unwrap());
    let counts = counts.map(|(id, count)| (topic(id), count.parse().unwrap()));
    let is_read = |id: &Uuid| members.iter().any(|member| member.topics.contains(id));
    let partitions = counts.filter(|(id, _): &(Uuid, usize)| is_read(id)).collect();
    let is_homogeneous = members.windows(2).all(|two| two[0].topics == two[1].topics);
    let answers = |text| -> Vec<Arc<Partitions>> { assignment(text).into_values().collect() };
    let (range, uniform) = (answers(words["range"]), answers(words["uniform"]));
    Case { spec: Spec { members, partitions, is_homogeneous }, range, uniform, line }
}

fn sizes(targets: &[Arc<Partitions>]) -> Vec<usize> {
    let mut sizes: Vec<usize> = targets.iter().map(|target| target.len()).collect();
    sizes.sort_unstable();
    sizes
}

/// Partitions that a member keeps.
fn kept(spec: &Spec, targets: &[Arc<Partitions>]) -> usize {
    let both = |(member, after): (&Subscriber, &Arc<Partitions>)| {
        let list = member.target.iter();
        list.map(|(topic, list)| list.iter().filter(|at| after.of(topic).contains(at)).count()).sum::<usize>()
    };
    spec.members.iter().zip(targets).map(both).sum()
}

#[test]
fn range_is_kafkas() {
    for case in SAID.lines().map(case) {
        assert_eq!(Assignor::Range.assign(&case.spec), case.range, "{}", case.line);
    }
}

/// Which of several members with as much gets more depends on the order of Kafka's hash tables; shares and moves do not.
#[test]
fn uniform_is_as_even_and_as_sticky_as_kafkas() {
    for case in SAID.lines().map(case) {
        let ours = Assignor::Uniform.assign(&case.spec);
        assert_eq!(sizes(&ours), sizes(&case.uniform), "{}", case.line);
        assert!(kept(&case.spec, &ours) >= kept(&case.spec, &case.uniform), "{}", case.line);
    }
}
