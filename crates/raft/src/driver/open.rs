//! Starting: snapshots and log are recovered, voters read, and a quorum of one elects itself.

use super::feed::{Committed, FEED_MAX, Feed};
use super::publish::{Publisher, SnapshotRule};
use super::task::{Channels, Task};
use super::{COMMANDS_MAX, Quorum, QuorumConfig, QuorumStatus, StartError};
use crate::log::{MetadataLog, from_batch_of};
use crate::quorum_state;
use crate::records::{Batch, Content, ControlRecord, ReadError};
use crate::snapshot::{self, Snapshot, SnapshotFile};
use crate::state::event::Leadership;
use crate::state::facts::LogFacts;
use crate::state::ids::{KraftVersion, OffsetAndEpoch, ReplicaKey, VoterHistory};
use crate::state::{Start, State};
use ottla_host::{Disk, Host};
use ottla_wire::batch::Batches;
use ottla_wire::ids::Offset;
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, watch};

/// File that Kafka before 4.1 formats a directory with, beside the partitions' directories.
const OLD_BOOTSTRAP: &str = "bootstrap.checkpoint";

/// Bytes of the log looked through at a time for control records.
const SCAN_BYTES: u32 = 1024 * 1024;

/// What lies on the disk.
pub(super) struct Recovered {
    pub(super) snapshots: BTreeSet<OffsetAndEpoch>,
    pub(super) voters: VoterHistory,
    pub(super) kraft_version: KraftVersion,
    pub(super) first: VecDeque<Committed>,
    pub(super) after: OffsetAndEpoch,
}

impl Quorum {
    /// Starts the quorum of a node whose metadata log is `log`, lying in `dir` (`__cluster_metadata-0`) with its snapshots
    /// and `quorum-state`. A quorum of one leads when this returns; what was committed before comes through the feed.
    pub async fn start(
        host: &Host,
        dir: &Path,
        mut log: Box<dyn MetadataLog>,
        config: QuorumConfig,
    ) -> Result<(Quorum, Feed), StartError> {
        let recovered = recover(&*host.disk, dir, &mut *log, &config)?;
        let me = ReplicaKey::new(config.node_id, config.directory_id);
        if !recovered.kraft_version.is_known() {
            return Err(StartError::KraftVersion(recovered.kraft_version.0));
        }
        only_voter(&recovered.voters, me, &config)?;
        let election = quorum_state::read(&*host.disk, dir)?;
        let facts = LogFacts {
            start: log.start(),
            end: log.end(),
            epochs: log.epochs(),
            snapshots: recovered.snapshots.clone(),
        };
        let now = host.clock.monotonic();
        let mut effects = Vec::new();
        let state = State::start(
            Start {
                me,
                timing: config.timing,
                election,
                log: facts,
                voters: recovered.voters,
                bootstrap: Vec::new(),
                jitter: host.chance.below("election timeout", 1_000) as u32,
            },
            now,
            &mut effects,
        );
        let rule = SnapshotRule { bytes: config.snapshot_bytes, interval: config.snapshot_interval };
        let publisher = Publisher::new(recovered.first, recovered.after, rule, now);
        let (quorum, feed, channels) = channels();
        let place = (host.clone(), dir.to_owned(), recovered.kraft_version);
        let mut task = Task::new(place, config, (state, log, publisher), channels);
        task.begin(effects).await.map_err(StartError::Failed)?;
        host.tasks.spawn("metadata quorum", Box::pin(task.run()));
        Ok((quorum, feed))
    }
}

fn channels() -> (Quorum, Feed, Channels) {
    let (commands, commands_out) = mpsc::channel(COMMANDS_MAX);
    let (feed, items) = mpsc::channel(FEED_MAX);
    let (leadership_in, leadership) = watch::channel(Leadership::default());
    let (status_in, status) = watch::channel(QuorumStatus::default());
    let (failure_in, failure) = watch::channel(None);
    let channels =
        Channels { commands: commands_out, feed, leadership: leadership_in, status: status_in, failure: failure_in };
    (Quorum { commands, leadership, status, failure }, Feed { items }, channels)
}

/// A quorum of one is what this release runs; with static voters the directory does not matter.
fn only_voter(voters: &VoterHistory, me: ReplicaKey, config: &QuorumConfig) -> Result<(), StartError> {
    let voters = voters.last();
    if voters.is_empty() {
        return Err(StartError::NoVoters);
    }
    if voters.is_only(&me) {
        return Ok(());
    }
    let voters = voters.ids().collect();
    Err(StartError::NotTheOnlyVoter { voters, node: me.id, directory: config.directory_id })
}

fn recover(
    disk: &dyn Disk,
    dir: &Path,
    log: &mut dyn MetadataLog,
    config: &QuorumConfig,
) -> Result<Recovered, StartError> {
    let snapshots = tidy_snapshots(disk, dir, log.start())?;
    if let Some(latest) = snapshots.last()
        && is_ahead(log, *latest)
    {
        log.restart_at(*latest)?;
    }
    let mut recovered = Recovered {
        snapshots,
        voters: VoterHistory::new(config.static_voters.clone()),
        kraft_version: KraftVersion::STATIC,
        first: VecDeque::new(),
        after: OffsetAndEpoch::BOOTSTRAP,
    };
    recovered.load_latest(disk, dir)?;
    recovered.scan(log)?;
    Ok(recovered)
}

/// Whether the snapshot reaches beyond the log: the node stopped between fetching it and emptying the log.
fn is_ahead(log: &dyn MetadataLog, snapshot: OffsetAndEpoch) -> bool {
    let epoch = log.epochs().last().map(|(epoch, _)| *epoch).unwrap_or_default();
    snapshot.epoch > epoch || (snapshot.epoch == epoch && snapshot.offset > log.end())
}

/// Removes what is left of unfinished and outdated snapshots; answers the others.
fn tidy_snapshots(disk: &dyn Disk, dir: &Path, log_start: Offset) -> Result<BTreeSet<OffsetAndEpoch>, StartError> {
    let io = |what: &'static str, path: PathBuf| move |error| StartError::Io { what, path, error };
    let mut snapshots = BTreeSet::new();
    for entry in disk.list(dir).map_err(io("list", dir.to_owned()))? {
        let keep = match snapshot::parse_name(&entry.name) {
            Some(SnapshotFile::Whole(id)) if id.offset >= log_start => {
                snapshots.insert(id);
                true
            }
            Some(SnapshotFile::Whole(_) | SnapshotFile::Remnant) => false,
            None => true,
        };
        if !keep {
            let path = dir.join(&entry.name);
            disk.remove_file(&path).map_err(io("remove", path.clone()))?;
        }
    }
    let latest = snapshots.last().copied();
    if log_start > Offset(0) && latest.is_none_or(|latest| latest.offset < log_start) {
        return Err(StartError::Gap { start: log_start, latest });
    }
    Ok(snapshots)
}

impl Recovered {
    fn load_latest(&mut self, disk: &dyn Disk, dir: &Path) -> Result<(), StartError> {
        let latest = self.snapshots.last().copied();
        match latest {
            Some(id) if id != OffsetAndEpoch::BOOTSTRAP => {
                let Snapshot { last_timestamp_ms, kraft, records } =
                    snapshot::read(disk, &dir.join(snapshot::file_name(id)))?;
                self.take_kraft(kraft, id);
                self.after = id;
                self.first.push_back(Committed::Snapshot { id, last_timestamp_ms, records });
            }
            Some(id) => {
                let Snapshot { kraft, records, .. } = snapshot::read(disk, &dir.join(snapshot::file_name(id)))?;
                self.take_kraft(kraft, id);
                if !records.is_empty() {
                    self.first.push_back(Committed::Bootstrap(records));
                }
            }
            None => {}
        }
        if self.first.is_empty()
            && let Some(path) = dir.parent().map(|parent| parent.join(OLD_BOOTSTRAP))
            && disk
                .stat(&path)
                .map_err(|error| StartError::Io { what: "look for", path: path.clone(), error })?
                .is_some()
        {
            self.first.push_back(Committed::Bootstrap(snapshot::read_old_bootstrap(disk, &path)?));
        }
        Ok(())
    }

    fn take_kraft(&mut self, kraft: Option<snapshot::Kraft>, id: OffsetAndEpoch) {
        if let Some(kraft) = kraft {
            self.kraft_version = kraft.version;
            if let Some(voters) = kraft.voters {
                // The record counts as the last one that the snapshot contains; -1 in the bootstrap snapshot.
                self.voters.add(id.offset.plus(-1), voters);
            }
        }
    }

    /// Looks through the log behind the snapshot for control records that set version and voters.
    fn scan(&mut self, log: &dyn MetadataLog) -> Result<(), StartError> {
        let mut at = self.after.offset.max(log.start());
        while at < log.end() {
            let bytes = log.read(at, SCAN_BYTES)?;
            let before = at;
            for batch in Batches::new(from_batch_of(&bytes, at)) {
                let (header, bytes) = batch.map_err(|error| ReadError::Batch { base: before, error })?;
                if header.is_control() {
                    self.take_control(Batch::read(bytes)?);
                }
                at = header.next_offset();
            }
            if at <= before {
                let error = ottla_wire::batch::BatchError::Missing;
                return Err(ReadError::Batch { base: at, error }.into());
            }
        }
        Ok(())
    }

    fn take_control(&mut self, batch: Batch) {
        let Content::Control(records) = batch.content else { return };
        for (delta, record) in (0..).zip(records) {
            match record {
                ControlRecord::KraftVersion(version) => self.kraft_version = version,
                ControlRecord::Voters(voters) => self.voters.add(batch.base.plus(delta), voters),
                ControlRecord::LeaderChange { .. }
                | ControlRecord::SnapshotHeader { .. }
                | ControlRecord::SnapshotFooter
                | ControlRecord::Other(_) => {}
            }
        }
    }
}
