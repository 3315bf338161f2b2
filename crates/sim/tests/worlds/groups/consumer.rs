//! A member of a KIP-848 group: tells what it has, gives up what it is told to, takes what it is given.

use super::member::{Fate, GROUP, Member, REBALANCE_MS, SESSION_MS, TOPIC, TOPIC_ID, Trouble};
use ottla_coordinator::group::consumer::{self, Beat, Heartbeat};
use ottla_coordinator::group::{Answer, Command, Fault};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(3);

/// A member of the KIP-848 protocol.
pub(super) struct Consumer {
    pub(super) member: Member,
    id: Arc<str>,
    epoch: i32,
    /// The answer to its last heartbeat is lost: the next one says everything.
    is_unsure: bool,
    /// What the coordinator gives it.
    wanted: BTreeSet<i32>,
}

impl Consumer {
    pub(super) fn new(member: Member) -> Consumer {
        Consumer { member, id: Arc::default(), epoch: 0, is_unsure: true, wanted: BTreeSet::new() }
    }

    pub(super) async fn run(mut self) {
        self.begin();
        loop {
            self.member.pause(900).await;
            match self.member.fate() {
                Fate::Works => {}
                Fate::Sleeps => self.member.pause(3 * SESSION_MS as u64).await,
                Fate::Vanishes => {
                    self.begin();
                    self.member.pause(5_000).await;
                    continue;
                }
                Fate::Leaves => {
                    self.epoch = -1;
                    // Whether it was heard or not: the session ends.
                    let _ = self.beat(false).await;
                    self.begin();
                    self.member.pause(5_000).await;
                    continue;
                }
            }
            self.turn().await;
        }
    }

    /// A new process under a new id.
    fn begin(&mut self) {
        self.member.life += 1;
        self.id = format!("{}-{}", self.member.number, self.member.life).into();
        self.lose();
    }

    /// Everything is lost; it joins anew.
    fn lose(&mut self) {
        self.member.disown_all();
        (self.epoch, self.is_unsure) = (0, true);
        self.wanted.clear();
    }

    async fn turn(&mut self) {
        if self.epoch > 0 {
            self.member.handle();
            let (id, epoch) = (Arc::clone(&self.id), self.epoch);
            match self.member.commit(&id, epoch).await {
                // Its next heartbeat tells it more.
                Ok(()) | Err(Trouble::Again | Trouble::Refused(Fault::StaleEpoch { .. })) => {}
                Err(Trouble::Refused(_)) => return self.lose(),
            }
        }
        match self.beat(self.is_unsure).await {
            Ok(beat) => {
                self.is_unsure = false;
                self.epoch = beat.epoch;
                if let Some(assignment) = beat.assignment {
                    self.wanted = assignment.of(&TOPIC_ID).iter().copied().collect();
                }
            }
            Err(Trouble::Again) => self.is_unsure = true,
            Err(Trouble::Refused(_)) => return self.lose(),
        }
        let wanted = self.wanted.clone();
        let gone: BTreeSet<i32> =
            self.member.owned.keys().filter(|partition| !wanted.contains(partition)).copied().collect();
        if !gone.is_empty() {
            let (id, epoch) = (Arc::clone(&self.id), self.epoch);
            // What it could not commit is handled again by the next owner.
            let _ = self.member.commit(&id, epoch).await;
        }
        // What could not be fetched is tried again in the next turn.
        let _ = self.member.own(&wanted).await;
        self.is_unsure |= !gone.is_empty();
    }

    async fn beat(&mut self, says_all: bool) -> Result<Beat, Trouble> {
        let owned: Vec<i32> = if self.epoch == 0 { Vec::new() } else { self.member.owned.keys().copied().collect() };
        let owned = if owned.is_empty() { Vec::new() } else { vec![(TOPIC_ID, owned)] };
        let full = says_all && self.epoch >= 0;
        let heartbeat = Heartbeat {
            group: GROUP.into(),
            member: Arc::clone(&self.id),
            epoch: self.epoch,
            rebalance_ms: full.then_some(REBALANCE_MS),
            names: full.then(|| vec![TOPIC.into()]),
            owned: full.then_some(owned),
            ..Heartbeat::default()
        };
        let command = Command::Consumer(consumer::Command::Heartbeat(Box::new(heartbeat)));
        match self.member.ask(command, SHORT).await? {
            Answer::Consumer(consumer::Answer::Heartbeat(beat)) => Ok(*beat),
            other => panic!("{other:?} is no answer to a heartbeat"),
        }
    }
}
