//! What reaches the state and what it wants done: messages between replicas as numbers, events, effects.

use super::ids::{Endpoint, OffsetAndEpoch, ReplicaKey, VoterSet};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::fmt;
use std::time::Duration;

/// Names a peer's request until it is answered; chosen by the driver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestToken(pub u64);

/// Names a request of ours until its response or its failure is fed back; chosen by the state, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CallId(pub u64);

/// A request of one replica to another. Cluster id and topic are the edge's to check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Vote (KIP-595), a try-out of one when `pre_vote` (KIP-996).
    Vote {
        /// Who wants to lead.
        candidate: ReplicaKey,
        /// Epoch it wants to lead in; its current one in a pre-vote.
        epoch: LeaderEpoch,
        /// Who is asked; None from peers before KIP-853.
        voter: Option<ReplicaKey>,
        /// Where its log ends.
        last: OffsetAndEpoch,
        /// Whether nothing is to be promised yet.
        pre_vote: bool,
    },
    /// BeginQuorumEpoch: a new leader makes itself known.
    BeginEpoch {
        /// The leader.
        leader: BrokerId,
        /// Its epoch.
        epoch: LeaderEpoch,
        /// Who is told.
        voter: Option<ReplicaKey>,
        /// Where the leader listens; empty from peers before KIP-853.
        endpoints: Vec<Endpoint>,
    },
    /// EndQuorumEpoch: a leader steps down and names its successors, best first.
    EndEpoch {
        /// The leader.
        leader: BrokerId,
        /// Its epoch.
        epoch: LeaderEpoch,
        /// Voters by how complete their logs are.
        successors: Vec<ReplicaKey>,
        /// Where the leader listens.
        endpoints: Vec<Endpoint>,
    },
    /// Fetch of a replica: records, and by its place what it holds durably.
    Fetch {
        /// Who fetches; a negative id is no replica.
        replica: ReplicaKey,
        /// Epoch the replica believes in.
        epoch: LeaderEpoch,
        /// Where its log ends.
        from: OffsetAndEpoch,
        /// High watermark it knows (KIP-1166); None from older peers.
        high_watermark: Option<Offset>,
        /// How long to wait for news.
        max_wait: Duration,
    },
    /// FetchSnapshot: a piece of a snapshot (KIP-630).
    FetchSnapshot {
        /// Who fetches.
        replica: ReplicaKey,
        /// Epoch the replica believes in.
        epoch: LeaderEpoch,
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
        /// First byte wanted.
        position: u64,
    },
}

/// Why a request is refused; the wire's code is chosen where the response is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The sender's epoch is over (FENCED_LEADER_EPOCH).
    FencedEpoch,
    /// The sender is ahead of us (UNKNOWN_LEADER_EPOCH).
    UnknownEpoch,
    /// We do not lead (NOT_LEADER_OR_FOLLOWER).
    NotLeader,
    /// The request contradicts itself (INVALID_REQUEST).
    InvalidRequest,
    /// It was meant for another replica (INVALID_VOTER_KEY).
    InvalidVoterKey,
    /// We are stopping (BROKER_NOT_AVAILABLE).
    NotAvailable,
    /// No such snapshot (SNAPSHOT_NOT_FOUND).
    SnapshotNotFound,
    /// The peer does not know this version of the request (UNSUPPORTED_VERSION).
    UnsupportedVersion,
}

/// What a leader found for a fetch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// Records from this offset on, perhaps none.
    Records {
        /// Where to read.
        from: Offset,
    },
    /// The logs part here.
    Diverging(OffsetAndEpoch),
    /// Fetch this snapshot first.
    Snapshot(OffsetAndEpoch),
}

/// The part of an answer that its kind adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// To Vote.
    Vote {
        /// Whether the vote is the candidate's.
        granted: bool,
    },
    /// To BeginQuorumEpoch.
    BeginEpoch,
    /// To EndQuorumEpoch.
    EndEpoch,
    /// To Fetch.
    Fetch {
        /// What the leader knows to be committed; None while it knows nothing.
        high_watermark: Option<Offset>,
        /// What there is.
        found: Found,
    },
    /// To FetchSnapshot.
    FetchSnapshot {
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
        /// First byte.
        position: u64,
        /// Bytes of this piece; 0 on the way out, where the driver reads them.
        length: u64,
        /// Bytes of the whole; 0 on the way out.
        size: u64,
    },
}

/// An answer of one replica to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Why not, if refused.
    pub refusal: Option<Refusal>,
    /// Epoch of who answers.
    pub epoch: LeaderEpoch,
    /// Leader in it, if known.
    pub leader: Option<BrokerId>,
    /// Where that leader listens; empty if not told.
    pub endpoints: Vec<Endpoint>,
    /// The rest.
    pub body: Body,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Time has passed; at the latest at [`State::deadline`](super::State::deadline).
    Tick,
    /// A peer asks.
    Request {
        /// To answer by.
        token: RequestToken,
        /// What.
        request: Request,
    },
    /// A peer answered.
    Response {
        /// Which request of ours.
        call: CallId,
        /// What.
        answer: Answer,
    },
    /// No answer will come: no connection, or it broke.
    NoResponse {
        /// Which request of ours.
        call: CallId,
    },
    /// The leader's records up to `end` are in the log, perhaps not on the device.
    Written {
        /// Offset of the next record.
        end: Offset,
    },
    /// Everything up to `end` is on the device.
    Flushed {
        /// Offset of the next record.
        end: Offset,
    },
    /// Fetched records are in the log and on the device.
    Appended {
        /// Offset of the next record.
        end: Offset,
        /// Epochs of the records with the first offset of each.
        epochs: Vec<(LeaderEpoch, Offset)>,
    },
    /// A record at `offset` sets the voters.
    VotersWritten {
        /// Of the record.
        offset: Offset,
        /// From now on.
        voters: VoterSet,
    },
    /// A snapshot is complete and on the device.
    SnapshotTaken {
        /// Which.
        snapshot: OffsetAndEpoch,
    },
    /// Log and snapshots before `start` were deleted.
    Cleaned {
        /// First offset kept.
        start: Offset,
    },
    /// Step down if leader: the controller cannot go on.
    Resign,
    /// The node stops.
    Stop,
}

/// What must survive a crash, in `quorum-state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Election {
    /// Highest epoch heard of.
    pub epoch: LeaderEpoch,
    /// Leader in it, if known.
    pub leader: Option<BrokerId>,
    /// Who got our vote in it.
    pub voted: Option<ReplicaKey>,
}

/// Who leads, as published to the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Leadership {
    /// Epoch.
    pub epoch: LeaderEpoch,
    /// Leader in it, if known. This node itself only once a record of its epoch is committed.
    pub leader: Option<BrokerId>,
}

/// What breaks the rules that all safety hangs on; the process ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Breach {
    /// Two leaders claim one epoch.
    TwoLeaders {
        /// The epoch.
        epoch: LeaderEpoch,
        /// Whom we follow.
        known: Option<BrokerId>,
        /// Who else claims it.
        claimed: BrokerId,
    },
    /// A leader would have us cut committed records.
    TruncationBelowCommitted {
        /// Where to.
        to: Offset,
        /// Committed up to here.
        committed: Offset,
    },
    /// A peer calls our request invalid.
    CalledInvalid {
        /// The peer.
        by: BrokerId,
    },
    /// The log went back on what it said.
    LogWentBack {
        /// The log said.
        said: Offset,
        /// We knew.
        known: Offset,
    },
    /// An invariant of the state itself.
    Invariant(&'static str),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Breach::TwoLeaders { epoch, known, claimed } => write!(
                f,
                "node {claimed} claims to lead epoch {epoch}, in which node {} leads",
                known.map_or_else(|| "none other".to_owned(), |id| id.to_string())
            ),
            Breach::TruncationBelowCommitted { to, committed } => {
                write!(f, "the leader wants the log cut to {to}, but records up to {committed} are committed")
            }
            Breach::CalledInvalid { by } => write!(f, "node {by} calls a raft request of this node invalid"),
            Breach::LogWentBack { said, known } => {
                write!(f, "the metadata log ends at {said}, but it had ended at {known}")
            }
            Breach::Invariant(what) => f.write_str(what),
        }
    }
}

/// What to do, in this order; later effects rely on the earlier ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Put this on the device before any later effect is carried out.
    Persist(Election),
    /// Ask a peer; a negative id is a bootstrap server.
    Send {
        /// Who.
        to: BrokerId,
        /// To feed the response back by.
        call: CallId,
        /// What.
        request: Request,
    },
    /// Answer a peer. For `Found::Records` the driver reads the log, for FetchSnapshot the file.
    Answer {
        /// Its request.
        token: RequestToken,
        /// What.
        answer: Answer,
    },
    /// Append the batch that opens an epoch (LeaderChange control record, with kraft.version 1 perhaps the voters).
    AppendEpochStart {
        /// The epoch.
        epoch: LeaderEpoch,
        /// All voters.
        voters: Vec<BrokerId>,
        /// Those who voted for us.
        granting: Vec<BrokerId>,
    },
    /// Append the records of a fetch response and flush; `Appended` follows.
    AppendFetched {
        /// Of the response.
        call: CallId,
    },
    /// Put all of the log on the device; `Flushed` follows.
    Flush,
    /// Cut the log. Of a flush that began before nothing is fed back afterwards.
    Truncate {
        /// Offset of the next record.
        to: Offset,
    },
    /// Put a piece of a snapshot at `position` of its partial file.
    StoreSnapshotPiece {
        /// Of the response that brought it.
        call: CallId,
        /// Which snapshot.
        snapshot: OffsetAndEpoch,
        /// First byte.
        position: u64,
    },
    /// The partial snapshot is whole: give it its name, empty the log, go on behind it.
    AdoptSnapshot {
        /// Which.
        snapshot: OffsetAndEpoch,
    },
    /// All before `end` is committed: hand it on.
    Commit {
        /// High watermark.
        end: Offset,
    },
    /// Publish who leads.
    Leadership(Leadership),
    /// End the process.
    Fatal(Breach),
}
