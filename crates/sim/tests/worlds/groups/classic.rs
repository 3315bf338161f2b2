//! A member of a classic group: joins, assigns when it leads, works, and gives up everything at each rebalance.

use super::member::{Fate, GROUP, Member, REBALANCE_MS, SESSION_MS, Trouble};
use ottla_coordinator::group::classic::{
    self, Abilities, Heartbeat, Identity, Join, Joined, Leave, Protocol, Sync, Synced,
};
use ottla_coordinator::group::command::Client;
use ottla_coordinator::group::{Answer, Command, Fault};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(3);

/// A member of the classic protocol.
pub(super) struct Classic {
    pub(super) member: Member,
    pub(super) partitions: i32,
    id: Arc<str>,
    generation: i32,
    /// Ids given out so far.
    ids: u32,
}

impl Classic {
    pub(super) fn new(member: Member, partitions: i32) -> Classic {
        Classic { member, partitions, id: Arc::default(), generation: -1, ids: 0 }
    }

    pub(super) async fn run(mut self) {
        loop {
            match self.join().await {
                Ok(()) => self.work().await,
                Err(Trouble::Refused(Fault::MemberIdRequired(id))) => self.id = id,
                Err(Trouble::Refused(Fault::UnknownMember(_))) => self.id = Arc::default(),
                Err(_) => self.member.pause(300).await,
            }
            self.member.disown_all();
        }
    }

    fn who(&self) -> Identity {
        Identity { member_id: Arc::clone(&self.id), instance_id: None }
    }

    async fn classic(&mut self, command: classic::Command, patience: Duration) -> Result<classic::Answer, Trouble> {
        match self.member.ask(Command::Classic(command), patience).await? {
            Answer::Classic(answer) => Ok(answer),
            other => panic!("{other:?} is no answer of a classic group"),
        }
    }

    async fn join(&mut self) -> Result<(), Trouble> {
        self.ids += 1;
        let join = Join {
            group: GROUP.into(),
            who: self.who(),
            fresh_id: format!("{}-{}", self.member.number, self.ids).into(),
            client: Client::default(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            protocol_type: "simulated".into(),
            protocols: [Protocol { name: "equal".into(), metadata: Arc::default() }].into_iter().collect(),
            reason: "it wants to".into(),
            abilities: Abilities { comes_again: true, skips_assignment: false },
        };
        let patience = Duration::from_millis(REBALANCE_MS as u64 + 5_000);
        let classic::Answer::Joined(joined) = self.classic(classic::Command::Join(Box::new(join)), patience).await?
        else {
            panic!("a join is answered by a generation");
        };
        (self.id, self.generation) = (Arc::clone(&joined.member_id), joined.generation);
        let sync = Sync {
            group: GROUP.into(),
            who: self.who(),
            generation: self.generation,
            protocol_type: None,
            protocol: None,
            assignments: self.assign(&joined),
        };
        let classic::Answer::Synced(Synced { assignment, .. }) =
            self.classic(classic::Command::Sync(Box::new(sync)), patience).await?
        else {
            panic!("a sync is answered by an assignment");
        };
        let owned: BTreeSet<i32> = assignment.iter().map(|partition| i32::from(*partition)).collect();
        // What is not known to have been fetched is not owned.
        while self.member.own(&owned).await.is_err() {
            self.heartbeat().await?;
        }
        Ok(())
    }

    /// As leader: partitions in turn.
    fn assign(&self, joined: &Joined) -> Vec<(Arc<str>, Arc<[u8]>)> {
        let count = joined.members.len();
        let share = |at: usize| (0..self.partitions as u8).filter(|one| *one as usize % count == at).collect();
        joined.members.iter().enumerate().map(|(at, member)| (Arc::clone(&member.member_id), share(at))).collect()
    }

    async fn heartbeat(&mut self) -> Result<(), Trouble> {
        let beat = Heartbeat { group: GROUP.into(), who: self.who(), generation: self.generation };
        match self.classic(classic::Command::Heartbeat(beat), SHORT).await {
            Ok(_) | Err(Trouble::Again) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Works until the group has to be joined again.
    async fn work(&mut self) {
        loop {
            self.member.pause(900).await;
            match self.member.fate() {
                Fate::Works => {}
                Fate::Sleeps => self.member.pause(3 * SESSION_MS as u64).await,
                Fate::Vanishes => {
                    self.member.life += 1;
                    self.id = Arc::default();
                    self.member.disown_all();
                    return self.member.pause(5_000).await;
                }
                Fate::Leaves => {
                    let leave = Leave { group: GROUP.into(), members: vec![(self.who(), "it has enough".into())] };
                    // Whether it was heard or not: the session ends.
                    let _ = self.classic(classic::Command::Leave(leave), SHORT).await;
                    self.member.disown_all();
                    self.id = Arc::default();
                    return self.member.pause(5_000).await;
                }
            }
            self.member.handle();
            let (id, generation) = (Arc::clone(&self.id), self.generation);
            let committed = self.member.commit(&id, generation).await;
            let beat = match committed {
                Ok(()) | Err(Trouble::Again) => self.heartbeat().await,
                Err(trouble) => Err(trouble),
            };
            match beat {
                Ok(()) | Err(Trouble::Again) => {}
                Err(Trouble::Refused(fault)) => {
                    if matches!(fault, Fault::UnknownMember(_) | Fault::GroupNotFound(_)) {
                        self.id = Arc::default();
                    }
                    return;
                }
            }
        }
    }
}
