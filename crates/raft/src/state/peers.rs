//! At most one request to a peer at a time, and a pause after one that failed.

use super::event::CallId;
use ottla_host::Monotonic;
use ottla_wire::ids::BrokerId;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
enum Line {
    /// A request is under way until `deadline`.
    Busy { call: CallId, deadline: Monotonic },
    /// The last one failed; nothing until then.
    Resting { until: Monotonic },
}

/// The lines to other nodes. An absent one is free.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers {
    lines: BTreeMap<BrokerId, Line>,
    next_call: u64,
}

impl Peers {
    /// Forgets what is under way: responses to it no longer matter.
    pub(crate) fn reset(&mut self) {
        self.lines.clear();
    }

    /// Forgets what is under way to one peer.
    pub(crate) fn reset_one(&mut self, peer: BrokerId) {
        self.lines.remove(&peer);
    }

    pub(crate) fn is_free(&self, peer: BrokerId, now: Monotonic) -> bool {
        match self.lines.get(&peer) {
            None => true,
            Some(Line::Busy { deadline, .. }) => *deadline <= now,
            Some(Line::Resting { until }) => *until <= now,
        }
    }

    /// Whether a request to the peer got no answer in time.
    pub(crate) fn is_overdue(&self, peer: BrokerId, now: Monotonic) -> bool {
        matches!(self.lines.get(&peer), Some(Line::Busy { deadline, .. }) if *deadline <= now)
    }

    pub(crate) fn is_resting(&self, peer: BrokerId, now: Monotonic) -> bool {
        matches!(self.lines.get(&peer), Some(Line::Resting { until }) if *until > now)
    }

    pub(crate) fn any_busy(&self, now: Monotonic) -> bool {
        self.lines.values().any(|line| matches!(line, Line::Busy { deadline, .. } if *deadline > now))
    }

    pub(crate) fn call(&mut self, peer: BrokerId, deadline: Monotonic) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        self.lines.insert(peer, Line::Busy { call, deadline });
        call
    }

    /// The peer a call went to, if its response still matters; its line is free then.
    pub(crate) fn answered(&mut self, call: CallId) -> Option<BrokerId> {
        let found = self.lines.iter().find(|(_, line)| matches!(line, Line::Busy { call: busy, .. } if *busy == call));
        let peer = *found?.0;
        self.lines.remove(&peer);
        Some(peer)
    }

    pub(crate) fn rest(&mut self, peer: BrokerId, until: Monotonic) {
        self.lines.insert(peer, Line::Resting { until });
    }

    /// When the next line becomes free.
    pub(crate) fn deadline(&self, now: Monotonic) -> Option<Monotonic> {
        let times = self.lines.values().map(|line| match line {
            Line::Busy { deadline, .. } => *deadline,
            Line::Resting { until } => *until,
        });
        times.filter(|at| *at > now).min()
    }
}

/// Raft's intervals; each mirrors a `controller.quorum.*` setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// `election.timeout.ms`, 1 s: a voter without a leader waits once to twice this long.
    pub election: Duration,
    /// `fetch.timeout.ms`, 2 s: without an answer for this long a voter stops following; a leader that a majority has
    /// not fetched from for one and a half times as long steps down.
    pub fetch: Duration,
    /// `request.timeout.ms`, 2 s.
    pub request: Duration,
    /// `retry.backoff.ms`, 20 ms: pause after a failed request.
    pub retry_backoff: Duration,
    /// `election.backoff.max.ms`, 1 s: the last of a leader's successors waits this long.
    pub election_backoff_max: Duration,
    /// How long a fetch waits at the leader, 500 ms (no setting).
    pub fetch_wait: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            election: Duration::from_millis(1_000),
            fetch: Duration::from_millis(2_000),
            request: Duration::from_millis(2_000),
            retry_backoff: Duration::from_millis(20),
            election_backoff_max: Duration::from_millis(1_000),
            fetch_wait: Duration::from_millis(500),
        }
    }
}

impl Timing {
    /// How long a leader leads without a majority that fetches.
    pub(crate) fn check_quorum(&self) -> Duration {
        self.fetch * 3 / 2
    }

    /// How often voters that do not fetch are told of the leader.
    pub(crate) fn begin_epoch(&self) -> Duration {
        self.fetch / 2
    }

    /// How long the successor at `position` of `successors` waits before it asks for votes: none for the first, twice
    /// as long for each further one.
    pub(crate) fn successor_backoff(&self, position: usize, successors: usize) -> Duration {
        if position == 0 {
            return Duration::ZERO;
        }
        if position >= successors {
            return self.election_backoff_max;
        }
        let halvings = u32::try_from(successors - 1).unwrap_or(31).min(31);
        let doublings = u32::try_from(position - 1).unwrap_or(31).min(31);
        let base = self.election_backoff_max / (1_u32 << halvings);
        base.saturating_mul(1_u32 << doublings).min(self.election_backoff_max)
    }
}
