//! What a coordinator's state machine is to the runtime that drives it.

use ottla_host::{Monotonic, WallClock};
use ottla_wire::ids::{ProducerEpoch, ProducerId};

/// The time at which something is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Monotonic,
    /// For what is written into records.
    pub wall: WallClock,
}

/// Stands for one who waits for an answer. Numbers are not used again while the shard is loaded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Of commands that nobody waits for, such as timers.
    pub const NOBODY: Ticket = Ticket(0);
    /// Of an asker who is answered at once or not at all: no decision keeps it.
    pub const AT_ONCE: Ticket = Ticket(u64::MAX);
}

/// Where a record that is replayed comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A batch of no producer: it counts as soon as it is there.
    Plain,
    /// A batch of a transaction: it counts once the marker says so.
    Transaction(ProducerId, ProducerEpoch),
}

/// Key and value of a record; without a value it takes back what the key says.
pub type Stored = (Vec<u8>, Option<Vec<u8>>);

/// Who is told what.
pub type Answers<M> = Vec<(Ticket, Result<<M as Machine>::Answer, <M as Machine>::Refusal>)>;

/// What follows from a command to a machine `M`.
pub struct Decision<M: Machine + ?Sized> {
    /// Changes of the state, in order. Those that are records are written in one batch: all or none.
    pub changes: Vec<M::Change>,
    /// Answers to the asker and to others that have waited, given once all that was decided so far is committed: nobody is
    /// told of a state that another leader might not know.
    pub answers: Answers<M>,
}

impl<M: Machine> Default for Decision<M> {
    fn default() -> Decision<M> {
        Decision { changes: Vec::new(), answers: Vec::new() }
    }
}

impl<M: Machine> Decision<M> {
    /// Nothing changes; `ticket` gets `answer`.
    #[must_use]
    pub fn answer(ticket: Ticket, answer: Result<M::Answer, M::Refusal>) -> Decision<M> {
        Decision { changes: Vec::new(), answers: vec![(ticket, answer)] }
    }
}

/// A coordinator's state. Only `replay`, `load` and `end_transaction` change it, so that what is written decides what is known.
pub trait Machine {
    /// A question or an order, from a client, a timer or the cluster's metadata.
    type Command;
    /// What a client is told.
    type Answer;
    /// Why a client gets no answer, as far as the whole request goes.
    type Refusal: From<Refused>;
    /// A change of the state: a record, or something that this leader alone knows.
    type Change;
    /// Why bytes of the log are no record of this machine.
    type Fault: std::error::Error;

    /// Whether a command, such as a heartbeat, is answered from the state as it is and most likely writes nothing, so that
    /// its asker may decide it.
    fn is_light(&self, command: &Self::Command) -> bool;

    /// What follows from `command`; `ticket` is the asker's, who may be answered now or by a later decision.
    fn decide(&self, command: Self::Command, ticket: Ticket, now: Now) -> Decision<Self>;

    /// Applies a change that was decided.
    fn replay(&mut self, change: Self::Change);

    /// Applies a record of the log. Records of an unknown kind are left out, as Kafka leaves them.
    fn load(&mut self, key: &[u8], value: Option<&[u8]>, origin: Origin) -> Result<(), Self::Fault>;

    /// Applies a marker of the log: the transaction of this producer is committed or aborted.
    fn end_transaction(&mut self, producer: ProducerId, committed: bool);

    /// What follows once all records are loaded and this broker coordinates: sessions begin anew.
    fn begin(&self, now: Now) -> Decision<Self>;

    /// The change as key and value of a record; None for what this leader alone knows.
    ///
    /// # Errors
    /// `Refused::TooLarge` for what a record cannot say, such as a text that is longer than its length field tells.
    fn encode(&self, change: &Self::Change) -> Result<Option<Stored>, Refused>;

    /// What is due by now, soonest first; None before `deadline`. Deciding it puts its deadline off or ends it.
    fn due(&self, now: Now) -> Option<Self::Command>;

    /// Puts off what is due first: what follows from it cannot be written, and others must not wait behind it.
    fn put_off(&mut self, until: Monotonic);

    /// The time of the next deadline.
    fn deadline(&self) -> Option<Monotonic>;
}

/// Why the runtime refuses a command, or takes back what was decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// NOT_COORDINATOR: another broker leads the partition.
    #[error("this broker does not coordinate it")]
    NotCoordinator,
    /// COORDINATOR_LOAD_IN_PROGRESS: the records are being read.
    #[error("the coordinator is being loaded")]
    Loading,
    /// COORDINATOR_NOT_AVAILABLE: the records could not be written or not committed in time.
    #[error("the coordinator cannot write")]
    Unavailable,
    /// RECORD_LIST_TOO_LARGE or the operation's own code: what would be written exceeds what a record or a batch may hold.
    #[error("what follows from the request does not fit a batch")]
    TooLarge,
}
