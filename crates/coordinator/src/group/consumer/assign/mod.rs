//! Who shall read what: the assignors that a group may choose from. Each is sticky by what members shall have already.

mod range;
mod uneven;
mod uniform;

use super::state::Partitions;
use ottla_wire::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A member as an assignor sees it.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Its id.
    pub id: Arc<str>,
    /// Its static id.
    pub instance: Option<Arc<str>>,
    /// The topics that it subscribes to, each of which exists.
    pub topics: Arc<BTreeSet<Uuid>>,
    /// What it shall have so far.
    pub target: Arc<Partitions>,
}

/// What an assignor decides by.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The members, sorted by id.
    pub members: Vec<Subscriber>,
    /// Number of partitions of each topic that a member subscribes to.
    pub partitions: BTreeMap<Uuid, usize>,
    /// Whether all members subscribe to the same topics.
    pub is_homogeneous: bool,
}

/// An assignor of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignor {
    /// Balances partitions over members, whatever their topics, and moves as few as it can.
    Uniform,
    /// Gives each member neighbouring partitions, the same of each topic as far as the numbers allow.
    Range,
}

impl Assignor {
    /// Every assignor there is.
    pub const ALL: [Assignor; 2] = [Assignor::Uniform, Assignor::Range];

    /// Kafka's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The assignor of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Assignor> {
        Assignor::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// What each member shall have, in the order of `spec.members`.
    #[must_use]
    pub fn assign(self, spec: &Spec) -> Vec<Arc<Partitions>> {
        match self {
            Assignor::Range => range::assign(spec),
            Assignor::Uniform if spec.is_homogeneous => uniform::assign(spec),
            Assignor::Uniform => uneven::assign(spec),
        }
    }
}
