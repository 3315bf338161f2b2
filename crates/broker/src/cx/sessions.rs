//! Fetch sessions (KIP-227): what a client fetches is kept here, so that it sends only what changes.

use ottla_host::Monotonic;
use ottla_messages::fetch::{FetchPartition, FetchRequest};
use ottla_wire::{ErrorCode, Uuid};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Session epoch of a request that opens a session or replaces one.
const INITIAL: i32 = 0;
/// Session epoch of a request without a session, or that ends one.
const FINAL: i32 = -1;
/// No session.
pub(crate) const NO_SESSION: i32 = 0;
/// A session unused for this long gives its slot to a new one.
const EVICT_AFTER: Duration = Duration::from_secs(120);

/// A partition that a client fetches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) index: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
    pub(crate) current_leader_epoch: i32,
    pub(crate) last_fetched_epoch: i32,
    pub(crate) log_start: i64,
}

impl Spec {
    pub(crate) fn of(partition: &FetchPartition) -> Spec {
        Spec {
            index: partition.partition,
            offset: partition.fetch_offset,
            max_bytes: partition.partition_max_bytes,
            current_leader_epoch: partition.current_leader_epoch,
            last_fetched_epoch: partition.last_fetched_epoch,
            log_start: partition.log_start_offset,
        }
    }
}

/// A partition to read, and the topic as the client names it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Empty where the client names topics by id.
    pub(crate) topic: Arc<str>,
    pub(crate) topic_id: Uuid,
    pub(crate) spec: Spec,
}

/// What the client was told last of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Told {
    pub(crate) watermark: i64,
    pub(crate) log_start: i64,
}

struct Kept {
    wanted: Wanted,
    told: Told,
}

/// Where a partition stands in a session: topic name or id, and index.
type Place = (Arc<str>, Uuid, i32);

struct Session {
    epoch: i32,
    by_id: bool,
    /// Turn order: the partition that was answered with data goes to the end, so that all get their turn.
    order: BTreeMap<u64, Kept>,
    places: BTreeMap<Place, u64>,
    next_turn: u64,
    used: Monotonic,
}

/// The sessions of a broker, at most as many as slots (`max.incremental.fetch.session.cache.slots`). A leaf lock, held
/// while one request's partitions are taken in or told apart.
pub(crate) struct Sessions {
    slots: usize,
    kept: Mutex<BTreeMap<i32, Session>>,
}

/// What a request means for its session.
pub(crate) enum Context {
    /// Without a session: all partitions are answered.
    Full,
    /// All partitions are answered, and kept in a new session if there is a slot.
    Open,
    /// Only what has changed is answered.
    Incremental { id: i32 },
}

impl Sessions {
    pub(crate) fn new(slots: usize) -> Sessions {
        Sessions { slots, kept: Mutex::default() }
    }

    /// Sessions open now, and partitions in them.
    pub(crate) fn count(&self) -> (usize, usize) {
        let kept = self.kept.lock();
        (kept.len(), kept.values().map(|session| session.order.len()).sum())
    }

    /// Takes a request in: what it wants to read, in turn order, and what its answer has to contain.
    pub(crate) fn begin(
        &self,
        request: &FetchRequest<'_>,
        by_id: bool,
        now: Monotonic,
    ) -> Result<(Context, Vec<Wanted>), ErrorCode> {
        match request.session_epoch {
            FINAL => {
                self.kept.lock().remove(&request.session_id);
                Ok((Context::Full, listed(request)))
            }
            INITIAL => {
                self.kept.lock().remove(&request.session_id);
                Ok((Context::Open, listed(request)))
            }
            epoch => {
                let mut kept = self.kept.lock();
                let session = kept.get_mut(&request.session_id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
                if session.epoch != epoch {
                    return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
                }
                if session.by_id != by_id {
                    return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
                }
                session.epoch = next_epoch(epoch);
                session.used = now;
                session.take_in(request);
                let wanted = session.order.values().map(|kept| kept.wanted.clone()).collect();
                Ok((Context::Incremental { id: request.session_id }, wanted))
            }
        }
    }

    /// Keeps what was answered in a new session; its id, or none when all slots are in use.
    pub(crate) fn open(
        &self,
        fresh_id: impl Fn() -> i32,
        by_id: bool,
        partitions: impl Iterator<Item = (Wanted, Told)>,
        now: Monotonic,
    ) -> i32 {
        let mut kept = self.kept.lock();
        if kept.len() >= self.slots {
            let oldest = kept.iter().min_by_key(|(_, session)| session.used).map(|(id, session)| (*id, session.used));
            match oldest {
                Some((id, used)) if now.since(used) > EVICT_AFTER => drop(kept.remove(&id)),
                Some(_) | None => return NO_SESSION,
            }
        }
        let mut session = Session {
            epoch: next_epoch(INITIAL),
            by_id,
            order: BTreeMap::new(),
            places: BTreeMap::new(),
            next_turn: 0,
            used: now,
        };
        for (wanted, told) in partitions {
            session.add(wanted, told);
        }
        if session.order.is_empty() {
            return NO_SESSION;
        }
        let id = loop {
            let id = fresh_id();
            if id != NO_SESSION && !kept.contains_key(&id) {
                break id;
            }
        };
        kept.insert(id, session);
        id
    }

    /// Whether a partition of a session has something to tell, given what `told` says now; data moves it to the end
    /// of the turn order.
    pub(crate) fn tell(&self, id: i32, wanted: &Wanted, told: Option<Told>, has_data: bool) -> bool {
        let mut kept = self.kept.lock();
        kept.get_mut(&id).is_none_or(|session| session.tell(wanted, told, has_data))
    }
}

impl Session {
    fn add(&mut self, wanted: Wanted, told: Told) {
        let place = (wanted.topic.clone(), wanted.topic_id, wanted.spec.index);
        let turn = *self.places.entry(place).or_insert_with(|| {
            self.next_turn += 1;
            self.next_turn
        });
        self.order.insert(turn, Kept { wanted, told });
    }

    fn take_in(&mut self, request: &FetchRequest<'_>) {
        for wanted in listed(request) {
            let place = (wanted.topic.clone(), wanted.topic_id, wanted.spec.index);
            match self.places.get(&place).and_then(|turn| self.order.get_mut(turn)) {
                Some(kept) => kept.wanted.spec = wanted.spec,
                // Nothing was told of it yet: whatever its offsets are, they are news.
                None => self.add(wanted, Told { watermark: -1, log_start: -1 }),
            }
        }
        for topic in &request.forgotten_topics_data {
            let name: Arc<str> = topic.topic.as_ref().into();
            for index in &topic.partitions {
                if let Some(turn) = self.places.remove(&(name.clone(), topic.topic_id, *index)) {
                    self.order.remove(&turn);
                }
            }
        }
    }

    fn tell(&mut self, wanted: &Wanted, told: Option<Told>, has_data: bool) -> bool {
        let place = (wanted.topic.clone(), wanted.topic_id, wanted.spec.index);
        let Some(turn) = self.places.get_mut(&place) else { return true };
        let Some(kept) = self.order.get_mut(turn) else { return true };
        // An error is told each time.
        let Some(told) = told else {
            kept.told = Told { watermark: -1, log_start: -1 };
            return true;
        };
        let news = has_data || kept.told != told;
        kept.told = told;
        if has_data && let Some(kept) = self.order.remove(turn) {
            self.next_turn += 1;
            *turn = self.next_turn;
            self.order.insert(self.next_turn, kept);
        }
        news
    }
}

/// The epoch after `epoch`; it never comes back to the initial one.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

fn listed(request: &FetchRequest<'_>) -> Vec<Wanted> {
    let mut wanted = Vec::with_capacity(request.topics.iter().map(|topic| topic.partitions.len()).sum());
    for topic in &request.topics {
        let name: Arc<str> = topic.topic.as_ref().into();
        for partition in &topic.partitions {
            let spec = Spec::of(partition);
            wanted.push(Wanted { topic: name.clone(), topic_id: topic.topic_id, spec });
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
