//! Groups as handlers reach them: by id, through the coordinator of their partition.

use super::Cx;
pub(crate) use crate::coordinators::{OFFSETS_TOPIC, partition_of};
pub(crate) use ottla_coordinator::group::*;
pub(crate) use ottla_coordinator::machine::Refused;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Cx {
    /// Asks the coordinator of `group`.
    ///
    /// # Errors
    /// The coordinator's refusal; NOT_COORDINATOR where another broker coordinates the group.
    pub(crate) async fn group(&self, group: &str, command: Command) -> Result<Answer, Fault> {
        let Some(index) = partition_of(&self.image(), group) else {
            return Err(Refused::NotCoordinator.into());
        };
        self.group_partition(index, command).await
    }

    /// Asks the coordinators of several groups, each once, with the command that `command` makes for its groups; what
    /// they answer comes with those groups.
    pub(crate) async fn groups(
        &self,
        groups: impl IntoIterator<Item = Arc<str>>,
        command: impl Fn(Vec<Arc<str>>) -> Command,
    ) -> Vec<(Vec<Arc<str>>, Result<Answer, Fault>)> {
        let image = self.image().clone();
        let mut by_index: BTreeMap<Option<i32>, Vec<Arc<str>>> = BTreeMap::new();
        for group in groups {
            by_index.entry(partition_of(&image, &group)).or_default().push(group);
        }
        let mut answers = Vec::with_capacity(by_index.len());
        for (index, groups) in by_index {
            let answer = match index {
                Some(index) => self.group_partition(index, command(groups.clone())).await,
                None => Err(Refused::NotCoordinator.into()),
            };
            answers.push((groups, answer));
        }
        answers
    }

    /// Asks every coordinator of groups on this broker.
    pub(crate) async fn all_groups(&self, command: impl Fn() -> Command) -> Vec<Result<Answer, Fault>> {
        let mut answers = Vec::new();
        for (_, shard) in self.coordinators.all() {
            answers.push(shard.ask(command()).await);
        }
        answers
    }

    async fn group_partition(&self, index: i32, command: Command) -> Result<Answer, Fault> {
        match self.coordinators.shard(index) {
            Some(shard) => shard.ask(command).await,
            None => Err(Refused::NotCoordinator.into()),
        }
    }
}
