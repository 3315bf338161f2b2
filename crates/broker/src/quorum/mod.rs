//! Following the metadata quorum: committed records become the image, partitions follow it, then clients see it.

mod control;
mod open;

use crate::coordinators::{Coordinators, warn_of_bounds};
use crate::storage::{Abandoned, Storage};
use arc_swap::ArcSwap;
use ottla_host::Host;
use ottla_messages::records::metadata::MetadataRecord;
use ottla_metadata::controller::{Answer, Command, Refusal, Registration};
use ottla_metadata::features::METADATA_VERSION;
use ottla_metadata::image::NodeEndpoint;
use ottla_metadata::{BrokerConfig, Image, ImageFault, concerns};
use ottla_raft::{Committed, Feed, Quorum, VersionedRecord};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use ottla_wire::{ErrorCode, Uuid};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

pub(crate) use control::Control;
pub use open::HomeError;
pub(crate) use open::{Home, find, open};

/// Why the metadata of this node cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A committed record contradicts the ones before it.
    #[error("metadata record at or before offset {offset}: {fault}")]
    Fault {
        /// Last offset of the batch.
        offset: Offset,
        /// What does not fit.
        fault: ImageFault,
    },
    /// The cluster holds what this release cannot do.
    #[error("{0}")]
    Unusable(String),
    /// The quorum ended.
    #[error("the metadata quorum ended: {0}")]
    Quorum(Arc<str>),
    /// The quorum does not start.
    #[error(transparent)]
    Start(#[from] ottla_raft::StartError),
    /// The metadata log cannot be opened.
    #[error("the metadata log cannot be opened: {0}")]
    Open(#[from] ottla_log::log::OpenError),
    /// The broker stops while its partitions are being opened: a change that concerns them is not followed.
    #[error("the broker stops")]
    Stopping,
    /// The controller does not take this broker.
    #[error("the controller refuses this broker: {0}")]
    Refused(#[from] Refusal),
}

/// How far following has come.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Progress {
    /// What was committed before this start is being read.
    Loading,
    /// All of it is here, and this node leads.
    Leading,
    /// It cannot go on.
    Failed(Arc<str>),
}

/// A task that follows the quorum for as long as the broker runs.
struct Follower {
    control: Arc<Control>,
    /// Where images are shown.
    shown: Arc<ArcSwap<Image>>,
    storage: Arc<Storage>,
    coordinators: Arc<Coordinators>,
    quorum: Quorum,
    node: BrokerId,
    image: Image,
    bootstrap: Vec<VersionedRecord>,
    /// Partitions are hosted: from here on each change is followed by itself.
    is_hosting: bool,
    /// Asks to host the partitions, and is told when they are.
    host_order: oneshot::Receiver<oneshot::Sender<()>>,
    progress: watch::Sender<Progress>,
}

/// Says when the broker's metadata is complete, and when it fails.
#[derive(Clone)]
pub(crate) struct Following {
    progress: watch::Receiver<Progress>,
}

/// Begins to follow the quorum.
pub(crate) fn follow(
    host: &Host,
    (control, shown): (&Arc<Control>, &Arc<ArcSwap<Image>>),
    (storage, coordinators): (&Arc<Storage>, &Arc<Coordinators>),
    (quorum, feed): (Quorum, Feed),
) -> (Following, HostOrder) {
    let (sender, progress) = watch::channel(Progress::Loading);
    let (order, host_order) = oneshot::channel();
    let follower = Follower {
        control: control.clone(),
        shown: shown.clone(),
        storage: storage.clone(),
        coordinators: coordinators.clone(),
        quorum,
        node: storage.node(),
        image: Image::default(),
        bootstrap: Vec::new(),
        is_hosting: false,
        host_order,
        progress: sender,
    };
    host.tasks.spawn("metadata follower", Box::pin(follower.run(feed)));
    (Following { progress }, HostOrder(order))
}

/// Has the partitions hosted, once. They get the leaders and terms that the image has then.
pub(crate) struct HostOrder(oneshot::Sender<oneshot::Sender<()>>);

impl HostOrder {
    /// Waits until every partition of this broker is shown and those of internal topics are open; the others follow.
    pub(crate) async fn give(self) {
        let (done, opened) = oneshot::channel();
        // A follower that has failed hosts nothing; `Following` tells why.
        if self.0.send(done).is_ok() {
            let _ = opened.await;
        }
    }
}

impl Following {
    /// Waits until all that was committed before is here and commands are taken.
    ///
    /// # Errors
    /// Why that will not be.
    pub(crate) async fn until_leading(&mut self) -> Result<(), MetadataError> {
        loop {
            match self.progress.borrow_and_update().clone() {
                Progress::Loading => {}
                Progress::Leading => return Ok(()),
                Progress::Failed(reason) => return Err(MetadataError::Quorum(reason)),
            }
            self.changed().await?;
        }
    }

    /// Ends when the metadata of this node cannot be followed any more: the process has to end.
    pub(crate) async fn failed(mut self) -> MetadataError {
        loop {
            if let Progress::Failed(reason) = self.progress.borrow_and_update().clone() {
                return MetadataError::Quorum(reason);
            }
            if let Err(error) = self.changed().await {
                return error;
            }
        }
    }

    async fn changed(&mut self) -> Result<(), MetadataError> {
        let ended = |_| MetadataError::Quorum("it has stopped".into());
        self.progress.changed().await.map_err(ended)
    }
}

impl Follower {
    async fn run(mut self, mut feed: Feed) {
        loop {
            tokio::select! {
                biased;
                order = &mut self.host_order, if !self.is_hosting => match order {
                    Ok(done) => self.begin_hosting(done).await,
                    Err(_) => return self.fail("the broker did not start"),
                },
                item = feed.next() => match item {
                    Some(item) => {
                        if let Err(error) = self.take(item).await {
                            if !matches!(error, MetadataError::Stopping) {
                                tracing::error!(%error, "metadata cannot be followed");
                            }
                            return self.fail(&error.to_string());
                        }
                    }
                    None => return self.fail("it has stopped"),
                },
            }
        }
    }

    fn fail(&self, reason: &str) {
        self.control.end_following();
        self.progress.send_replace(Progress::Failed(reason.into()));
    }

    async fn begin_hosting(&mut self, done: oneshot::Sender<()>) {
        let rest = self.storage.begin(&self.image).await;
        let groups = self.image.all_configs().map(|(resource, _)| resource);
        warn_of_bounds(&self.control.rules().layers(&self.image), &self.image, groups);
        self.show();
        self.is_hosting = true;
        let opening = self.storage.clone().open_rest(rest);
        self.storage.host().tasks.spawn("partition opening", Box::pin(opening));
        // Whoever asked may have gone.
        let _ = done.send(());
    }

    /// Lets coordinators and clients see the image, whose partitions are hosted.
    fn show(&self) {
        let image = Arc::new(self.image.clone());
        self.coordinators.apply(&image);
        self.shown.store(image);
    }

    async fn take(&mut self, item: Committed) -> Result<(), MetadataError> {
        match item {
            Committed::Bootstrap(records) => self.bootstrap = records,
            Committed::Snapshot { id, records, .. } => {
                self.image = Image::default();
                self.change(&records, id.offset.plus(-1)).await?;
            }
            Committed::Batch { last, records, .. } => self.change(&records, last).await?,
            Committed::Leadership(leadership) if leadership.leader == Some(self.node) => {
                self.begin_leading(leadership.epoch)?;
            }
            Committed::Leadership(_) => self.control.stop_leading(),
            Committed::SnapshotDue { id, last_timestamp_ms } => {
                let records = versioned(&self.image, self.image.to_records());
                self.quorum.write_snapshot(id, last_timestamp_ms, records).await;
            }
        }
        Ok(())
    }

    /// Applies committed records, lets the partitions follow, and shows the result.
    async fn change(&mut self, records: &[VersionedRecord], last: Offset) -> Result<(), MetadataError> {
        let delta = self.image.apply(records.iter().map(|one| &one.record));
        let delta = delta.map_err(|fault| MetadataError::Fault { offset: last, fault })?;
        if self.is_hosting && !delta.is_empty() {
            self.storage.apply(&self.image, &delta).await.map_err(|_: Abandoned| MetadataError::Stopping)?;
            warn_of_bounds(&self.control.rules().layers(&self.image), &self.image, delta.configs.iter());
            self.show();
        }
        self.control.has_followed(last);
        Ok(())
    }

    fn begin_leading(&mut self, epoch: LeaderEpoch) -> Result<(), MetadataError> {
        self.look_at_concerns()?;
        let is_new = !self.image.features().contains_key(METADATA_VERSION);
        let bootstrap = if is_new { std::mem::take(&mut self.bootstrap) } else { Vec::new() };
        self.control.lead(&self.image, epoch, bootstrap);
        self.progress.send_replace(Progress::Leading);
        Ok(())
    }

    /// Others may have written what this release cannot do: better no start than a wrong one.
    fn look_at_concerns(&self) -> Result<(), MetadataError> {
        let concerns = concerns::look(&self.image);
        if !concerns.fatal.is_empty() {
            return Err(MetadataError::Unusable(concerns.fatal.join("; ")));
        }
        for warning in concerns.warnings {
            tracing::warn!("{warning}");
        }
        Ok(())
    }
}

/// Records in the versions that the image's `metadata.version` dictates.
fn versioned(image: &Image, records: impl Iterator<Item = MetadataRecord<'static>>) -> Vec<VersionedRecord> {
    let version = image.metadata_version();
    records.map(|record| VersionedRecord { version: version.record_version(&record), record }).collect()
}

/// What this broker says about itself when it joins.
pub(crate) struct Introduction {
    /// Where it is reached.
    pub(crate) endpoints: Vec<NodeEndpoint>,
    /// Its log directories.
    pub(crate) directories: Vec<Uuid>,
    /// Epoch that its last clean stop left behind; -1 after an unclean one.
    pub(crate) previous_epoch: i64,
}

/// Registers this broker and lets it serve; answers its epoch.
pub(crate) async fn join(
    host: &Host,
    config: &BrokerConfig,
    control: &Control,
    own: Introduction,
) -> Result<i64, MetadataError> {
    let mut incarnation = [0; 16];
    host.chance.fill("broker incarnation", &mut incarnation);
    let registration = Registration {
        id: config.node_id,
        incarnation: Uuid::from_chance(incarnation),
        endpoints: own.endpoints,
        rack: config.rack.clone(),
        directories: own.directories,
        previous_epoch: own.previous_epoch,
        rival_alive: false,
    };
    let answer = control.submit(&Command::RegisterBroker(registration)).await?;
    let Answer::Registered { epoch, new_terms } = answer else {
        return Err(Refusal::from(ErrorCode::UNKNOWN_SERVER_ERROR).into());
    };
    control.take_seat(config.node_id, epoch);
    control.submit(&Command::UnfenceBroker { id: config.node_id, epoch, new_terms }).await?;
    Ok(epoch)
}
