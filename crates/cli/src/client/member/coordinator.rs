//! Where the coordinator of a group is, and requests to it that are asked again while the answer is "later" or "elsewhere".

use crate::client::cluster::{Cluster, Node};
use crate::client::groups::{self, Trouble};
use crate::client::link::Link;
use std::time::Duration;

/// Between two tries (Kafka's `retry.backoff.ms`).
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// The coordinator of a group as one thread knows it.
pub(super) struct Coordinator {
    group: String,
    node: Option<Node>,
}

impl Coordinator {
    /// The coordinator of `group`, which is not known yet.
    pub(super) fn new(group: &str) -> Coordinator {
        Coordinator { group: group.to_owned(), node: None }
    }

    /// Where it is.
    pub(super) fn find(&mut self, cluster: &mut Cluster) -> Result<Node, Trouble> {
        if let Some(node) = &self.node {
            return Ok(node.clone());
        }
        let node = groups::find(cluster.any()?, &self.group)?;
        self.node = Some(node.clone());
        Ok(node)
    }

    /// Where it was found, if it was.
    pub(super) fn known(&self) -> Option<Node> {
        self.node.clone()
    }

    /// It is to be looked for again.
    pub(super) fn forget(&mut self) {
        self.node = None;
    }

    /// Asks it up to `tries` times, while the answer is "later" or "elsewhere" or the connection breaks.
    pub(super) fn ask<T>(
        &mut self,
        cluster: &mut Cluster,
        tries: usize,
        mut request: impl FnMut(&mut Link) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut left = tries;
        loop {
            left -= 1;
            let answer = self.find(cluster).and_then(|node| {
                let answer = cluster.at(&node.address).map_err(Trouble::from).and_then(&mut request);
                if answer.is_err() {
                    cluster.forget(&node.address);
                }
                answer
            });
            match answer {
                Err(trouble) if trouble.passes() && left > 0 => {
                    self.forget();
                    std::thread::sleep(RETRY);
                }
                answer => return answer,
            }
        }
    }
}
