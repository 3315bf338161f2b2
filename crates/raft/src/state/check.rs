//! What holds between any two events; a breach ends the process.

use super::State;
use super::role::{Leader, Role};
use ottla_wire::ids::Offset;

impl State {
    /// Checks all invariants. The text names the broken one.
    pub fn check(&self) -> Result<(), &'static str> {
        let log = &self.log;
        let rules = [
            (log.start <= log.end, "the metadata log starts behind its end"),
            (log.epochs.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "epochs of the metadata log do not ascend"),
            (
                log.epochs.last().is_none_or(|(epoch, start)| *epoch <= self.epoch && *start <= log.end),
                "the metadata log has records of an epoch that this node never heard of",
            ),
            (
                self.committed.is_none_or(|committed| committed <= log.end),
                "committed metadata records are missing from the log",
            ),
            (self.persisted == Some(self.election()), "an election result was not made durable"),
        ];
        if let Some((_, what)) = rules.iter().find(|(holds, _)| !holds) {
            return Err(what);
        }
        match &self.role {
            Role::Unattached(_) | Role::Resigned(_) => Ok(()),
            Role::Follower(role) if role.leader == self.me.id => Err("this node follows itself"),
            Role::Follower(_) => Ok(()),
            Role::Prospective(role) if role.ballots.is_won() => Err("a won pre-vote was not acted upon"),
            Role::Candidate(role) if role.ballots.is_won() => Err("a won election was not acted upon"),
            Role::Prospective(_) | Role::Candidate(_) => Ok(()),
            Role::Leader(role) => self.check_leader(role),
        }
    }

    fn check_leader(&self, role: &Leader) -> Result<(), &'static str> {
        let own = role.voters.get(&self.me.id).and_then(|progress| progress.end).unwrap_or(Offset(0));
        let rules = [
            (role.epoch_start <= self.log.end, "the leader's epoch starts behind the end of its log"),
            (
                role.high_watermark.is_none_or(|at| at > role.epoch_start && at <= self.log.end),
                "the high watermark lies outside of the leader's epoch",
            ),
            (role.high_watermark.is_none() || role.high_watermark == self.committed, "commits lag the high watermark"),
            (own <= self.log.end, "the leader's flushed end lies behind its end"),
            (self.log.last_epoch() <= self.epoch, "the leader's log is ahead of its epoch"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
    }
}
