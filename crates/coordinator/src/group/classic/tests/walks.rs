//! Random walks of members through a group: whatever they do in whatever order, the group keeps its rules.

use super::super::{Abilities, Answer, Command, Heartbeat, Identity, Join, Leave, Protocol, State, Sync};
use crate::group::groups::Groups;
use crate::group::{self, Change, GroupSettings};
use crate::machine::{Decision, Machine, Now, Origin, Ticket};
use ottla_host::{Monotonic, WallClock};
use ottla_metadata::Image;
use ottla_wire::ErrorCode;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const MEMBERS: usize = 5;

/// What one of a few members does, or what happens.
#[derive(Clone, Debug)]
enum Step {
    Join { who: usize, words: u8, again: bool },
    Sync { who: usize },
    Heartbeat { who: usize },
    Leave { who: usize },
    Forget { who: usize },
    Wait { ms: u64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..MEMBERS;
    prop_oneof![
        4 => (who.clone(), 0..4_u8, any::<bool>()).prop_map(|(who, words, again)| Step::Join { who, words, again }),
        4 => who.clone().prop_map(|who| Step::Sync { who }),
        2 => who.clone().prop_map(|who| Step::Heartbeat { who }),
        1 => who.clone().prop_map(|who| Step::Leave { who }),
        1 => who.prop_map(|who| Step::Forget { who }),
        3 => (0..8_000_u64).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Restart),
    ]
}

/// A member as it knows itself. The last two are static.
#[derive(Clone, Default)]
struct Known {
    id: Arc<str>,
    generation: i32,
    members: Vec<Arc<str>>,
}

struct Walk {
    machine: Groups,
    settings: Arc<GroupSettings>,
    now: Now,
    asked: u64,
    known: Vec<Known>,
    /// Who waits for which answer.
    waiting: BTreeMap<Ticket, usize>,
    answered: BTreeSet<Ticket>,
    log: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Walk {
    fn new() -> Walk {
        let settings = Arc::new(GroupSettings {
            initial_rebalance_delay: Duration::from_secs(3),
            classic_size_max: 4,
            ..GroupSettings::default()
        });
        Walk {
            machine: Groups::new(settings.clone(), Arc::new(Image::default())),
            settings,
            now: Now { monotonic: Monotonic(1), wall: WallClock(1) },
            asked: 0,
            known: vec![Known::default(); MEMBERS],
            waiting: BTreeMap::new(),
            answered: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    fn identity(&self, who: usize) -> Identity {
        let instance_id = (who >= MEMBERS - 2).then(|| format!("s{who}").into());
        Identity { member_id: self.known[who].id.clone(), instance_id }
    }

    fn run(&mut self, step: &Step) {
        let group = Arc::from("g");
        match *step {
            Step::Join { who, words, again } => {
                let join = self.join(who, words, again);
                self.ask(who, Command::Join(Box::new(join)));
            }
            Step::Sync { who } => {
                let Known { generation, members, .. } = self.known[who].clone();
                let given = |id: &Arc<str>| (id.clone(), id.as_bytes().into());
                let assignments = members.iter().map(given).collect();
                let (protocol_type, protocol) = (None, None);
                let who_id = self.identity(who);
                let sync = Sync { group, who: who_id, generation, protocol_type, protocol, assignments };
                self.ask(who, Command::Sync(Box::new(sync)));
            }
            Step::Heartbeat { who } => {
                let generation = self.known[who].generation;
                self.ask(who, Command::Heartbeat(Heartbeat { group, who: self.identity(who), generation }));
            }
            Step::Leave { who } => {
                let members = vec![(self.identity(who), Arc::default())];
                self.ask(who, Command::Leave(Leave { group, members }));
            }
            Step::Forget { who } => self.known[who] = Known::default(),
            Step::Wait { ms } => self.wait(ms),
            Step::Restart => self.restart(),
        }
    }

    fn join(&self, who: usize, words: u8, again: bool) -> Join {
        let all = ["range", "sticky", "own"];
        let names = match words {
            0 => &all[..1],
            1 => &all[..2],
            2 => &all[1..2],
            _ => &all[..],
        };
        let metadata: Arc<[u8]> = [0, 0, 0, 0, 0, 0, words].into();
        let protocols = names.iter().map(|name| Protocol { name: (*name).into(), metadata: metadata.clone() });
        Join {
            group: "g".into(),
            who: self.identity(who),
            fresh_id: format!("m{who}-{}", self.asked).into(),
            client: group::command::Client::default(),
            session_timeout_ms: 6_000 + 1_000 * i32::try_from(who).unwrap(),
            rebalance_timeout_ms: 10_000,
            protocol_type: "consumer".into(),
            protocols: protocols.collect(),
            reason: "".into(),
            abilities: Abilities { comes_again: again, skips_assignment: again },
        }
    }

    fn ask(&mut self, who: usize, command: Command) {
        self.asked += 1;
        let ticket = Ticket(self.asked);
        self.waiting.insert(ticket, who);
        let decision = self.machine.decide(group::Command::Classic(command), ticket, self.now);
        self.follow(decision);
    }

    fn follow(&mut self, decision: Decision<Groups>) {
        for change in decision.changes {
            if let Change::Record(record) = &change {
                self.log.push(record.encode().unwrap());
            }
            self.machine.replay(change);
        }
        for (ticket, answer) in decision.answers {
            assert!(self.answered.insert(ticket), "a ticket is answered once");
            let Some(who) = self.waiting.remove(&ticket) else { continue };
            match answer {
                Ok(group::Answer::Classic(Answer::Joined(joined))) => {
                    let members = joined.members.iter().map(|member| member.member_id.clone()).collect();
                    self.known[who] = Known { id: joined.member_id, generation: joined.generation, members };
                }
                Ok(_) => {}
                Err(group::Fault::MemberIdRequired(id)) => self.known[who].id = id,
                Err(fault) if matches!(fault.code(), ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_INSTANCE_ID) => {
                    self.known[who] = Known::default();
                }
                Err(_) => {}
            }
        }
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now.monotonic + Duration::from_millis(ms);
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= end) {
            self.now.monotonic = deadline.max(self.now.monotonic);
            let command = self.machine.due(self.now).expect("what is due by its deadline");
            let decision = self.machine.decide(command, Ticket::NOBODY, self.now);
            self.follow(decision);
        }
        self.now.monotonic = end;
    }

    fn restart(&mut self) {
        self.machine = self.loaded();
        self.waiting.clear();
        let decision = self.machine.begin(self.now);
        self.follow(decision);
    }

    fn loaded(&self) -> Groups {
        let mut machine = Groups::new(self.settings.clone(), Arc::new(Image::default()));
        for (key, value) in &self.log {
            machine.load(key, value.as_deref(), Origin::Plain).unwrap();
        }
        machine
    }

    /// What holds after every step, besides what the group checks itself.
    fn check(&self) {
        let Some(group) = self.machine.classic("g") else { return };
        let parked: BTreeSet<Ticket> =
            group.members().flat_map(|member| member.joining.into_iter().chain(member.syncing)).collect();
        assert!(parked.is_disjoint(&self.answered), "who waits has not been answered");
        let open: BTreeSet<Ticket> = self.waiting.keys().copied().collect();
        assert!(open.is_subset(&parked), "who has not been answered is waited for");
        if group.state() == State::Stable || group.is_empty() {
            let loaded = self.loaded();
            let loaded = loaded.classic("g").expect("the log has the group");
            assert_eq!(loaded.generation(), group.generation(), "the log has the generation");
            let told = |group: &super::super::ClassicGroup| -> Vec<_> {
                group.members().map(|member| (member.id.clone(), member.assignment.clone())).collect()
            };
            assert_eq!(told(loaded), told(group), "the log has the members and their assignments");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_group_keeps_its_rules(steps in prop::collection::vec(step(), 1..120)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.run(step);
            walk.check();
        }
        // Once nobody says anything any more, everybody is answered and the group is empty.
        walk.wait(1_000_000);
        walk.check();
        prop_assert!(walk.waiting.is_empty());
        prop_assert!(walk.machine.classic("g").is_none_or(|group| group.is_empty()));
    }
}
