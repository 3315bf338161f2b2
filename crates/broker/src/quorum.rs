//! Following the metadata quorum: committed records become the image, partitions follow it, then clients see it.

mod control;
mod open;

use crate::storage::Storage;
use arc_swap::ArcSwap;
use ottla_host::Host;
use ottla_messages::records::metadata::MetadataRecord;
use ottla_metadata::controller::{Answer, Command, Refusal, Registration};
use ottla_metadata::features::METADATA_VERSION;
use ottla_metadata::image::NodeEndpoint;
use ottla_metadata::{BrokerConfig, Image, ImageFault};
use ottla_raft::{Committed, Feed, Quorum, VersionedRecord};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use ottla_wire::{ErrorCode, Uuid};
use std::sync::Arc;
use tokio::sync::watch;

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
    /// The quorum ended.
    #[error("the metadata quorum ended: {0}")]
    Quorum(Arc<str>),
    /// The quorum does not start.
    #[error(transparent)]
    Start(#[from] ottla_raft::StartError),
    /// The metadata log cannot be opened.
    #[error("the metadata log cannot be opened: {0}")]
    Open(#[from] ottla_log::log::OpenError),
    /// The controller does not take this broker.
    #[error("the controller refuses this broker: {0}")]
    Refused(#[from] Refusal),
}

/// How far following has come.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Progress {
    /// What was committed before this start is being read.
    Loading,
    /// All of it is here, partitions are open, and this node leads.
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
    quorum: Quorum,
    node: BrokerId,
    image: Image,
    bootstrap: Vec<VersionedRecord>,
    /// Partitions are open: from here on each change is followed by itself.
    is_hosting: bool,
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
    storage: &Arc<Storage>,
    (quorum, feed): (Quorum, Feed),
) -> Following {
    let (sender, progress) = watch::channel(Progress::Loading);
    let follower = Follower {
        control: control.clone(),
        shown: shown.clone(),
        storage: storage.clone(),
        quorum,
        node: storage.node(),
        image: Image::default(),
        bootstrap: Vec::new(),
        is_hosting: false,
        progress: sender,
    };
    host.tasks.spawn("metadata follower", Box::pin(follower.run(feed)));
    Following { progress }
}

impl Following {
    /// Waits until all that was committed before is here, partitions are open, and commands are taken.
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
        while let Some(item) = feed.next().await {
            if let Err(error) = self.take(item).await {
                tracing::error!(%error, "metadata cannot be followed");
                self.control.stop_leading();
                self.progress.send_replace(Progress::Failed(error.to_string().into()));
                return;
            }
        }
        self.control.stop_leading();
        self.progress.send_replace(Progress::Failed("it has stopped".into()));
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
                self.begin_leading(leadership.epoch).await;
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
            self.storage.apply(&self.image, &delta).await;
            self.shown.store(Arc::new(self.image.clone()));
        }
        self.control.has_followed(last);
        Ok(())
    }

    async fn begin_leading(&mut self, epoch: LeaderEpoch) {
        if !self.is_hosting {
            self.storage.open_all(&self.image).await;
            self.shown.store(Arc::new(self.image.clone()));
            self.is_hosting = true;
        }
        let is_new = !self.image.features().contains_key(METADATA_VERSION);
        let bootstrap = if is_new { std::mem::take(&mut self.bootstrap) } else { Vec::new() };
        self.control.lead(&self.image, epoch, bootstrap);
        self.progress.send_replace(Progress::Leading);
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
    let Answer::BrokerEpoch(epoch) = control.submit(&Command::RegisterBroker(registration)).await? else {
        return Err(Refusal::from(ErrorCode::UNKNOWN_SERVER_ERROR).into());
    };
    control.take_seat(config.node_id, epoch);
    control.submit(&Command::UnfenceBroker { id: config.node_id, epoch }).await?;
    Ok(epoch)
}
