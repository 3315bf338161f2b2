//! The groups of a cluster, each asked of its coordinator; an answer that says "later" or "elsewhere" is asked for again.

mod delete;
mod describe;
mod list;
mod offsets;
mod trouble;

pub(crate) use describe::{Description, Member, assigned};
pub(crate) use list::{Filter, Listing};
pub(crate) use offsets::{Committed, WithMember, commit_as, committed_as};
pub(crate) use trouble::Trouble;

use super::cluster::{Cluster, Node};
use super::link::Link;
use crate::failure::While;
use ottla_messages::api::ApiKey;
use ottla_messages::find_coordinator::{self, FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_wire::error::ErrorCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// FindCoordinator's kind of key for groups.
const GROUP_KEY: i8 = 0;
/// Between two tries (Kafka's `retry.backoff.ms`).
const RETRY: Duration = Duration::from_millis(100);

/// The groups of a cluster.
pub(crate) struct Groups {
    /// The connections.
    pub(crate) cluster: Cluster,
    deadline: Instant,
    coordinators: BTreeMap<String, Node>,
}

impl Groups {
    /// The groups of `cluster`; what they are asked is given up after `timeout`.
    pub(crate) fn new(cluster: Cluster, timeout: Duration) -> Groups {
        Groups { cluster, deadline: Instant::now() + timeout, coordinators: BTreeMap::new() }
    }

    /// The coordinator of a group.
    pub(crate) fn coordinator(&mut self, group: &str) -> Result<Node, Trouble> {
        if let Some(node) = self.coordinators.get(group) {
            return Ok(node.clone());
        }
        loop {
            match find(self.cluster.any()?, group) {
                Ok(node) => {
                    self.coordinators.insert(group.to_owned(), node.clone());
                    return Ok(node);
                }
                Err(trouble) => self.wait_after(trouble)?,
            }
        }
    }

    /// Asks the coordinator of `group` until its answer is neither "later" nor "elsewhere".
    fn ask<T>(&mut self, group: &str, mut request: impl FnMut(&mut Link) -> Result<T, Trouble>) -> Result<T, Trouble> {
        loop {
            let node = self.coordinator(group)?;
            match request(self.cluster.at(&node.address)?) {
                Ok(answer) => return Ok(answer),
                Err(trouble) => {
                    self.coordinators.remove(group);
                    self.wait_after(trouble)?;
                }
            }
        }
    }

    /// Waits a moment when it may be different then; returns the trouble when it is final or time is up.
    fn wait_after(&self, trouble: Trouble) -> Result<(), Trouble> {
        let passing =
            [ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::COORDINATOR_NOT_AVAILABLE, ErrorCode::NOT_COORDINATOR];
        if !trouble.code().is_some_and(|code| passing.contains(&code)) || Instant::now() >= self.deadline {
            return Err(trouble);
        }
        std::thread::sleep(RETRY);
        Ok(())
    }
}

/// Asks a broker who coordinates `group`.
pub(crate) fn find(link: &mut Link, group: &str) -> Result<Node, Trouble> {
    let answer = link.call(ApiKey::FindCoordinator, |out, version| {
        let key = group.to_owned().into();
        let (key, coordinator_keys) =
            if version.can(find_coordinator::BATCHED) { ("".into(), vec![key]) } else { (key, Vec::new()) };
        FindCoordinatorRequest { key, key_type: GROUP_KEY, coordinator_keys }.encode(out, version)
    })?;
    let (mut cursor, version) = answer.body();
    let response =
        FindCoordinatorResponse::decode(&mut cursor, version).during(|| "read a find-coordinator answer".to_owned())?;
    let (id, host, port, error, text) = match response.coordinators.first() {
        Some(found) => (found.node_id, &found.host, found.port, found.error_code, &found.error_message),
        None => (response.node_id, &response.host, response.port, response.error_code, &response.error_message),
    };
    let error = ErrorCode::from_code(error);
    if error.is_error() {
        return Err(Trouble::refused(error, text.as_deref()));
    }
    Ok(Node { id, address: format!("{host}:{port}") })
}
