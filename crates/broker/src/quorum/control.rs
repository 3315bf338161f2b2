//! The way to the controller: commands are decided one after another, committed through the quorum, and answered once this
//! broker itself shows what they changed.

use ottla_host::Host;
use ottla_metadata::controller::{Answer, Command, Controller, Moment, PRODUCER_ID_BLOCK, Refusal};
use ottla_metadata::{BrokerConfig, Image};
use ottla_raft::{AppendError, Quorum, VersionedRecord};
use ottla_wire::ErrorCode;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, ProducerId};
use parking_lot::Mutex;
use std::sync::OnceLock;
use tokio::sync::watch;

/// Stands for every offset once nothing is followed any more.
const ENDED: Offset = Offset(i64::MAX);

/// What this node knows as the controller.
enum Draft {
    /// Another node leads, or none.
    Follower,
    /// This node leads.
    Leader {
        /// The cluster as it is once all that was appended is committed.
        image: Box<Image>,
        /// Term of this leader.
        epoch: LeaderEpoch,
        /// No record was appended at or behind this offset.
        next_offset: Offset,
    },
}

/// This broker's place in the cluster, known once it has registered.
struct Seat {
    id: BrokerId,
    epoch: i64,
}

/// The controller as the rest of the broker sees it.
pub(crate) struct Control {
    host: Host,
    rules: Controller,
    /// Taken alone, and never held across a wait.
    draft: Mutex<Draft>,
    quorum: OnceLock<Quorum>,
    cluster_id: OnceLock<String>,
    seat: OnceLock<Seat>,
    /// Last offset whose record this broker shows.
    followed: watch::Sender<Offset>,
    /// Producer ids that this broker may give out: the next one and the end of its block.
    producer_ids: tokio::sync::Mutex<(i64, i64)>,
}

impl Control {
    pub(crate) fn new(host: Host, config: &BrokerConfig) -> Control {
        Control {
            host,
            rules: Controller::new(config),
            draft: Mutex::new(Draft::Follower),
            quorum: OnceLock::new(),
            cluster_id: OnceLock::new(),
            seat: OnceLock::new(),
            followed: watch::Sender::new(Offset(-1)),
            producer_ids: tokio::sync::Mutex::new((0, 0)),
        }
    }

    /// Connects it with the quorum. Once.
    pub(crate) fn connect(&self, quorum: Quorum, cluster_id: String) {
        let first = self.quorum.set(quorum).is_ok() && self.cluster_id.set(cluster_id).is_ok();
        debug_assert!(first, "a broker has one quorum");
    }

    /// Remembers how this broker is registered. Once.
    pub(crate) fn take_seat(&self, id: BrokerId, epoch: i64) {
        let first = self.seat.set(Seat { id, epoch }).is_ok();
        debug_assert!(first, "a process registers once");
    }

    /// Id of the cluster; empty before the quorum has started.
    pub(crate) fn cluster_id(&self) -> &str {
        self.cluster_id.get().map_or("", String::as_str)
    }

    /// Epoch of this broker's registration; None before it has one.
    pub(crate) fn broker_epoch(&self) -> Option<i64> {
        self.seat.get().map(|seat| seat.epoch)
    }

    /// The quorum, once it has started.
    pub(crate) fn quorum(&self) -> Option<&Quorum> {
        self.quorum.get()
    }

    /// The rules that the controller decides by.
    pub(crate) fn rules(&self) -> &Controller {
        &self.rules
    }

    /// Decides, commits and follows a command.
    ///
    /// # Errors
    /// The refusal of the whole command; refusals of its parts are in the answer.
    pub(crate) async fn submit(&self, command: &Command) -> Result<Answer, Refusal> {
        let (answer, committed) = self.append(command)?;
        if let Some(committed) = committed {
            let last = match committed.await {
                Ok(last) => last,
                Err(error) => return Err(self.give_up(&error).await),
            };
            self.until_followed(last).await?;
        }
        Ok(answer)
    }

    /// Decides a command and queues its records; answers the future that says when they are committed.
    fn append(
        &self,
        command: &Command,
    ) -> Result<(Answer, Option<impl Future<Output = Result<Offset, AppendError>> + Send + use<>>), Refusal> {
        let mut draft = self.draft.lock();
        let (Draft::Leader { image, epoch, next_offset }, Some(quorum)) = (&mut *draft, self.quorum.get()) else {
            return Err(ErrorCode::NOT_CONTROLLER.into());
        };
        let moment = Moment { next_offset: next_offset.0, chance: &*self.host.chance };
        let decision = self.rules.decide(image, command, moment)?;
        if decision.records.is_empty() {
            return Ok((decision.answer, None));
        }
        let mut after = image.clone();
        after.apply(&decision.records).map_err(|fault| {
            tracing::error!(%fault, "the controller decided records that do not fit the cluster");
            Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, fault.to_string())
        })?;
        let version = after.metadata_version();
        *next_offset = next_offset.plus(decision.records.len() as i64);
        let records = decision.records.into_iter();
        let records = records.map(|record| VersionedRecord { version: version.record_version(&record), record });
        let committed = quorum.append(*epoch, records.collect());
        *image = after;
        Ok((decision.answer, Some(committed)))
    }

    /// The draft holds what was not committed: this node steps down, and begins anew from what was when it leads again.
    async fn give_up(&self, error: &AppendError) -> Refusal {
        tracing::error!(%error, "metadata records were not committed");
        *self.draft.lock() = Draft::Follower;
        if let Some(quorum) = self.quorum.get() {
            quorum.resign().await;
        }
        let code = match error {
            AppendError::NotLeader(_) => ErrorCode::NOT_CONTROLLER,
            AppendError::TooLarge { .. } => ErrorCode::POLICY_VIOLATION,
            AppendError::DiskFull => ErrorCode::KAFKA_STORAGE_ERROR,
            AppendError::Encode(_) | AppendError::Unavailable(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        };
        Refusal::new(code, error.to_string())
    }

    /// Last offset whose record this broker shows; -1 for none.
    pub(crate) fn followed(&self) -> Offset {
        *self.followed.borrow()
    }

    /// Waits until this broker shows the record at `offset`.
    ///
    /// # Errors
    /// That it never will, since it cannot follow the metadata any more.
    async fn until_followed(&self, offset: Offset) -> Result<(), Refusal> {
        let mut followed = self.followed.subscribe();
        match followed.wait_for(|reached| *reached >= offset).await {
            Ok(reached) if *reached != ENDED => Ok(()),
            Ok(_) | Err(_) => {
                let text = "committed, but this broker cannot follow the metadata any more";
                Err(Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, text))
            }
        }
    }

    /// This broker follows no further: whoever waits for it is told so.
    pub(crate) fn end_following(&self) {
        self.stop_leading();
        self.followed.send_replace(ENDED);
    }

    /// This node leads from `image` on. `bootstrap` is appended first when the cluster is new.
    pub(crate) fn lead(&self, image: &Image, epoch: LeaderEpoch, bootstrap: Vec<VersionedRecord>) {
        let next_offset = self.followed.borrow().plus(1);
        let mut image = Box::new(image.clone());
        let mut next_offset = next_offset;
        if let Some(quorum) = self.quorum.get().filter(|_| !bootstrap.is_empty()) {
            if let Err(fault) = image.apply(bootstrap.iter().map(|one| &one.record)) {
                tracing::error!(%fault, "the records that the directory was formatted with do not fit together");
            }
            next_offset = next_offset.plus(bootstrap.len() as i64);
            // Whether it was committed shows in the feed, or in the failure of what is appended behind it.
            drop(quorum.append(epoch, bootstrap));
        }
        *self.draft.lock() = Draft::Leader { image, epoch, next_offset };
    }

    /// Another node leads, or none.
    pub(crate) fn stop_leading(&self) {
        *self.draft.lock() = Draft::Follower;
    }

    /// This broker shows everything up to `last`.
    pub(crate) fn has_followed(&self, last: Offset) {
        if let Draft::Leader { next_offset, .. } = &mut *self.draft.lock() {
            // Records of the quorum itself lie between those of the controller.
            *next_offset = (*next_offset).max(last.plus(1));
        }
        self.followed.send_if_modified(|reached| {
            let newer = last > *reached;
            *reached = last.max(*reached);
            newer
        });
    }

    /// A producer id that nobody has had (KIP-98); a new block is fetched when the former one is used up.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub(crate) async fn producer_id(&self) -> Result<ProducerId, ErrorCode> {
        let mut block = self.producer_ids.lock().await;
        if block.0 >= block.1 {
            let seat = self.seat.get().ok_or(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)?;
            let command = Command::AllocateProducerIds { id: seat.id, epoch: seat.epoch };
            match self.submit(&command).await {
                Ok(Answer::ProducerIds(first)) => *block = (first.0, first.0 + PRODUCER_ID_BLOCK),
                Ok(_) => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
                Err(refusal) => {
                    tracing::warn!(%refusal, "no block of producer ids");
                    return Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
                }
            }
        }
        let id = block.0;
        block.0 += 1;
        Ok(ProducerId(id))
    }
}
