//! Writing: appends are gathered, written as one, flushed as one; snapshots are written aside and old ones removed.

use super::AppendError;
use super::task::{Failure, SNAPSHOT_LANE, Task, on_lane};
use crate::cleaning::{self, SnapshotFacts};
use crate::log::LogError;
use crate::records::{BATCH_BYTES_MAX, Batch, Content, ControlRecord, VersionedRecord, control_batch, data_batch};
use crate::snapshot::{self, Contents, Kraft};
use crate::state::event::Event;
use crate::state::ids::{OffsetAndEpoch, ReplicaKey, Voter, VoterSet};
use ottla_host::{Disk, Monotonic};
use ottla_messages::records::metadata::{MetadataRecord, NoOpRecord};
use ottla_wire::batch::BatchHeader;
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes of one write; what is above waits for the next flush.
const WRITE_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

type Done = oneshot::Sender<Result<Offset, AppendError>>;

/// An append to be written. Its batch has offsets from 0 and is built before it waits.
pub(super) struct Queued {
    epoch: LeaderEpoch,
    batch: Vec<u8>,
    records: Vec<VersionedRecord>,
    done: Option<Done>,
}

/// An append written and not committed.
pub(super) struct Waiting {
    epoch: LeaderEpoch,
    last: Offset,
    done: Option<Done>,
}

impl Waiting {
    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    pub(super) fn answer(mut self, outcome: Result<Offset, AppendError>) {
        answer(self.done.take(), outcome);
    }
}

fn answer(done: Option<Done>, outcome: Result<Offset, AppendError>) {
    if let Some(done) = done {
        // Who appended may not wait for it.
        let _ = done.send(outcome);
    }
}

/// What became of a snapshot: its facts and those of the others, ascending, or why not.
pub(super) struct SnapshotOutcome {
    id: OffsetAndEpoch,
    facts: Result<Vec<SnapshotFacts>, String>,
}

impl Task {
    pub(super) fn queue_append(&mut self, epoch: LeaderEpoch, records: Vec<VersionedRecord>, done: Done) {
        match self.build(epoch, &records) {
            Ok(batch) => self.enqueue(Queued { epoch, batch, records, done: Some(done) }),
            Err(error) => answer(Some(done), Err(error)),
        }
    }

    fn build(&self, epoch: LeaderEpoch, records: &[VersionedRecord]) -> Result<Vec<u8>, AppendError> {
        if epoch != self.state.epoch() || !self.leads() {
            return Err(AppendError::NotLeader(epoch));
        }
        let batch = data_batch(Offset(0), epoch, self.host.clock.wall().0, records)?;
        let size = batch.len();
        if size > BATCH_BYTES_MAX {
            return Err(AppendError::TooLarge { size, limit: BATCH_BYTES_MAX });
        }
        Ok(batch)
    }

    fn enqueue(&mut self, append: Queued) {
        let now = self.host.clock.monotonic();
        self.linger_until.get_or_insert(now + self.config.linger);
        self.queue.push_back(append);
    }

    /// When an idle leader says that it is alive.
    pub(super) fn idle_deadline(&self) -> Option<Monotonic> {
        let talks = self.leads() && self.publisher.any_records() && self.queue.is_empty();
        (talks && !self.config.idle_interval.is_zero()).then(|| self.last_append + self.config.idle_interval)
    }

    pub(super) fn queue_no_op(&mut self) {
        let epoch = self.state.epoch();
        let records = vec![VersionedRecord::new(MetadataRecord::NoOp(NoOpRecord {}), 0)];
        if let Ok(batch) = self.build(epoch, &records) {
            self.enqueue(Queued { epoch, batch, records, done: None });
        }
    }

    /// Writes what waits, unless a flush is under way: what arrives during a flush shares the next one.
    pub(super) async fn write_queue(&mut self) -> Result<(), Failure> {
        let due = self.linger_until.is_some_and(|at| at <= self.host.clock.monotonic());
        if self.flush.is_some() || !(due || self.stopping_soon()) {
            return Ok(());
        }
        let (mut appends, mut bytes) = (VecDeque::new(), 0);
        while let Some(append) = self.queue.pop_front_if(|append| bytes + append.batch.len() <= WRITE_BYTES_MAX) {
            bytes += append.batch.len();
            appends.push_back(append);
        }
        if self.queue.is_empty() {
            self.linger_until = None;
        }
        if !self.leads() {
            let epoch = self.state.epoch();
            appends.into_iter().for_each(|append| answer(append.done, Err(AppendError::NotLeader(epoch))));
            return Ok(());
        }
        self.write(appends).await
    }

    async fn write(&mut self, appends: VecDeque<Queued>) -> Result<(), Failure> {
        if appends.is_empty() {
            return Ok(());
        }
        let epoch = self.state.epoch();
        let mut base = self.log.end();
        let mut batches = Vec::with_capacity(appends.len());
        let mut waiting = VecDeque::with_capacity(appends.len());
        let mut decoded = Vec::with_capacity(appends.len());
        for Queued { epoch: asked, mut batch, records, done } in appends {
            if asked != epoch {
                answer(done, Err(AppendError::NotLeader(asked)));
                continue;
            }
            // The CRC does not cover the base offset.
            batch[..8].copy_from_slice(&base.0.to_be_bytes());
            let (last, timestamp_ms) = match BatchHeader::read(&batch) {
                Ok(header) => (header.last_offset(), header.max_timestamp()),
                Err(error) => return Err(format!("a batch just built: {error}").into()),
            };
            waiting.push_back(Waiting { epoch, last, done });
            decoded.push(Batch { base, last, epoch, timestamp_ms, size: batch.len(), content: Content::Data(records) });
            base = last.plus(1);
            batches.push(batch);
        }
        match self.log.append(epoch, self.host.clock.wall(), &batches) {
            Ok(end) => {
                decoded.into_iter().for_each(|batch| self.publisher.keep(batch));
                self.waiting.append(&mut waiting);
                self.wrote(end).await
            }
            Err(LogError::DiskFull) => {
                waiting.into_iter().for_each(|waiting| waiting.answer(Err(AppendError::DiskFull)));
                Ok(())
            }
            Err(LogError::Failed(error)) => Err(format!("append to the metadata log: {error}").into()),
        }
    }

    async fn wrote(&mut self, end: Offset) -> Result<(), Failure> {
        self.last_append = self.host.clock.monotonic();
        self.unflushed = true;
        self.handle(Event::Written { end }).await
    }

    pub(super) fn begin_flush(&mut self) {
        if self.unflushed && self.flush.is_none() {
            self.unflushed = false;
            self.flush = Some(self.log.flush());
        }
    }

    pub(super) async fn on_flushed(&mut self, flushed: Result<Offset, LogError>) -> Result<(), Failure> {
        match flushed {
            Ok(end) => {
                self.log.flushed(end);
                self.handle(Event::Flushed { end }).await
            }
            Err(error) => Err(format!("flush of the metadata log: {error}").into()),
        }
    }

    /// All before `end` is committed: tells those who wait.
    pub(super) fn complete(&mut self, end: Offset) {
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.last < end) {
            let last = waiting.last;
            waiting.answer(Ok(last));
        }
    }

    pub(super) fn refuse_all(&mut self) {
        let gone = || Err(AppendError::Unavailable("it has stopped"));
        self.queue.drain(..).for_each(|append| answer(append.done, gone()));
        self.waiting.drain(..).for_each(|waiting| waiting.answer(gone()));
    }

    /// Writes the batch that opens an epoch. With dynamic voters it also carries them, unless the log already has them as
    /// they are: what a bootstrap snapshot says has to get into the log.
    pub(super) fn append_epoch_start(
        &mut self,
        epoch: LeaderEpoch,
        (voters, granting): (Vec<BrokerId>, Vec<BrokerId>),
        events: &mut VecDeque<Event>,
    ) -> Result<(), Failure> {
        let base = self.log.end();
        let mut records = vec![ControlRecord::LeaderChange { leader: self.config.node_id, voters, granting }];
        let voters = self.voters_to_write();
        if let Some(voters) = &voters {
            records.push(ControlRecord::KraftVersion(self.kraft_version));
            records.push(ControlRecord::Voters(voters.clone()));
        }
        let now = self.host.clock.wall();
        let batch = control_batch(base, epoch, now.0, &records).map_err(|error| format!("leader change: {error}"))?;
        self.log.begin_epoch(epoch);
        let appended = self.log.append(epoch, now, std::slice::from_ref(&batch));
        let end = appended.map_err(|error| format!("append to the metadata log: {error}"))?;
        self.publisher.keep(Batch::read(&batch).map_err(|error| format!("a batch just built: {error}"))?);
        self.unflushed = true;
        events.push_back(Event::Written { end });
        events.extend(voters.map(|voters| Event::VotersWritten { offset: base.plus(2), voters }));
        Ok(())
    }

    fn voters_to_write(&self) -> Option<VoterSet> {
        if !self.kraft_version.has_dynamic_voters() {
            return None;
        }
        let history = self.state.voters();
        let known = history.last().get(self.config.node_id)?;
        let key = ReplicaKey::new(self.config.node_id, self.config.directory_id);
        let endpoints =
            if self.config.endpoints.is_empty() { known.endpoints.clone() } else { self.config.endpoints.clone() };
        let me = Voter { key, endpoints, kraft_versions: (0, 1) };
        let in_log = history.last_offset().is_some_and(|offset| offset >= Offset(0));
        if in_log && *known == me { None } else { history.last().with(&me) }
    }

    pub(super) fn begin_snapshot(&mut self, id: OffsetAndEpoch, last_timestamp_ms: i64, records: Vec<VersionedRecord>) {
        let known = self.state.log().snapshots.contains(&id);
        let valid = self.state.committed().is_some_and(|committed| id.offset <= committed) && id.offset > Offset(0);
        if known || !valid || self.snapshot.is_some() {
            return;
        }
        let disk = Arc::clone(&self.host.disk);
        let dir = self.dir.clone();
        let now_ms = self.host.clock.wall().0;
        let voters = self.state.voters().at(id.offset.plus(-1)).cloned();
        let kraft = self.kraft_version.has_dynamic_voters().then_some(Kraft { version: self.kraft_version, voters });
        let mut ids = self.state.log().snapshots.clone();
        ids.insert(id);
        let work = move || {
            let contents = Contents { id, last_timestamp_ms, now_ms, kraft: kraft.as_ref(), records: &records };
            let written = snapshot::write(&*disk, &dir, contents).map_err(|error| error.to_string());
            let facts = written.map(|()| ids.into_iter().filter_map(|id| facts_of(&*disk, &dir, id)).collect());
            SnapshotOutcome { id, facts }
        };
        self.snapshot = Some(on_lane(&self.host, SNAPSHOT_LANE, work));
    }

    /// A snapshot that could not be written is tried again when the next one is due: the log has everything.
    pub(super) async fn on_snapshot(&mut self, outcome: SnapshotOutcome) -> Result<(), Failure> {
        let SnapshotOutcome { id, facts } = outcome;
        self.publisher.snapshot_done(self.host.clock.monotonic());
        match facts {
            Ok(facts) => {
                self.handle(Event::SnapshotTaken { snapshot: id }).await?;
                self.clean(&facts).await
            }
            Err(error) => {
                tracing::warn!(%id, %error, "metadata snapshot not written");
                Ok(())
            }
        }
    }

    async fn clean(&mut self, facts: &[SnapshotFacts]) -> Result<(), Failure> {
        let now_ms = self.host.clock.wall().0;
        let Some(oldest) = cleaning::plan(facts, self.log.size(), self.config.retention, now_ms) else { return Ok(()) };
        let cleaned = self.log.clean_to(oldest.offset);
        let start = cleaned.map_err(|error| format!("clean the metadata log: {error}"))?;
        for gone in facts.iter().filter(|facts| facts.id < oldest) {
            let path = self.dir.join(snapshot::file_name(gone.id));
            if let Err(error) = self.host.disk.remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "old metadata snapshot not removed");
            }
        }
        self.handle(Event::Cleaned { start }).await
    }
}

fn facts_of(disk: &dyn Disk, dir: &Path, id: OffsetAndEpoch) -> Option<SnapshotFacts> {
    let path = dir.join(snapshot::file_name(id));
    let size = disk.stat(&path).ok().flatten()?.len;
    let last_timestamp_ms = snapshot::last_timestamp(disk, &path).ok()?;
    Some(SnapshotFacts { id, size, last_timestamp_ms })
}
