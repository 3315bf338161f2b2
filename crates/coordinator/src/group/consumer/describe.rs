//! A group as ConsumerGroupDescribe shows it.

use super::state::{ConsumerGroup, Member, Partitions};
use crate::group::Fault;
use std::sync::Arc;

/// A group as ConsumerGroupDescribe shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {
    /// Its id.
    pub group: Arc<str>,
    /// Why it cannot be shown.
    pub fault: Option<Fault>,
    /// `Empty`, `Assigning`, `Reconciling`, `Stable`.
    pub state: &'static str,
    /// The group's epoch.
    pub epoch: i32,
    /// Epoch of its target assignment.
    pub target_epoch: i32,
    /// Assignor that its members prefer.
    pub assignor: Arc<str>,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member of a described group.
#[derive(Clone, PartialEq, Debug)]
pub struct MemberDescription {
    /// The member.
    pub member: Arc<Member>,
    /// What it has, and what it may still have.
    pub has: Partitions,
    /// What it shall have.
    pub target: Arc<Partitions>,
}

impl ConsumerGroup {
    /// The group as ConsumerGroupDescribe shows it; `default` is the assignor when nobody prefers one.
    #[must_use]
    pub fn describe(&self, id: &Arc<str>, default: &str) -> Description {
        let members = self.members.values().map(|member| {
            let mut has = member.assigned.plain();
            for (topic, list) in member.revoking.iter() {
                has.add(*topic, list.iter().map(|(partition, _)| *partition));
            }
            let target = self.target.get(&member.id).cloned().unwrap_or_default();
            MemberDescription { member: Arc::clone(member), has, target }
        });
        Description {
            group: Arc::clone(id),
            fault: None,
            state: self.state(),
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            assignor: self.preferred_assignor(None, None).unwrap_or_else(|| default.into()),
            members: members.collect(),
        }
    }
}

impl Description {
    /// There is no such group, or it is none of KIP-848.
    #[must_use]
    pub fn refused(id: &Arc<str>, fault: Fault) -> Description {
        Description {
            group: Arc::clone(id),
            fault: Some(fault),
            state: "",
            epoch: 0,
            target_epoch: 0,
            assignor: "".into(),
            members: Vec::new(),
        }
    }
}
