//! What the runtime of one partition does with its machine: events in, effects out; it neither waits nor looks at a clock.
//!
//! ```text
//!          decided         written            committed
//!   making ───────▶ ready ─────────▶ waiting ───────────▶ answered
//!   (one batch)     (batches)        (answers by offset)
//! ```
//! Changes are replayed when they are decided. An answer waits until all that was decided before it is committed, also
//! one that changes nothing: nobody is told of what another leader might not know. When a batch cannot be written, the
//! state is what replay of the log says: everybody who waits is refused, and the machine is loaded anew.

use super::batch::{Fit, Making};
use crate::machine::{Answers, Decision, Machine, Now, Refused, Stored, Ticket};
use ottla_host::Monotonic;
use ottla_host::planted::{self, Bug};
use ottla_wire::codec::Compression;
use ottla_wire::ids::Offset;
use std::collections::VecDeque;
use std::time::Duration;

/// Most deadlines that are decided at one time; the rest follows after others had their turn.
const DUE_MAX: usize = 1000;
/// Shortest and longest time from a failed append, or a failed load, to the next load.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// A deadline that deciding it does not put off, or whose consequences cannot be written, comes again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// What a runtime goes by.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RuntimeSettings {
    /// `group.coordinator.append.linger.ms`: how long a batch waits for more records; None (-1) until no command waits.
    pub linger: Option<Duration>,
    /// `offsets.commit.timeout.ms`: how long an answer waits for its records to be committed.
    pub commit_timeout: Duration,
    /// `offsets.topic.compression.codec`.
    pub compression: Compression,
    /// `max.message.bytes` of the topic: what a batch must not exceed.
    pub batch_bytes_max: usize,
}

impl Default for RuntimeSettings {
    fn default() -> RuntimeSettings {
        RuntimeSettings {
            linger: None,
            commit_timeout: Duration::from_secs(5),
            compression: Compression::NONE,
            batch_bytes_max: 1_048_588,
        }
    }
}

/// Something has happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event<C> {
    /// Somebody asks.
    Asked(Ticket, C),
    /// No command waits.
    Idle,
    /// Time has passed.
    Tick,
    /// The batch is in the log, which ends here now.
    Appended(Offset),
    /// The batch was not written, or nobody knows.
    NotAppended,
    /// Everything before this offset is committed.
    Committed(Offset),
    /// The log was replayed up to its end, which is here.
    Loaded(Offset),
    /// The log could not be replayed.
    NotLoaded,
    /// Another broker leads the partition.
    Unloaded,
}

/// Something is to be done.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect<A, R> {
    /// The log is to be replayed into [`State::loading`] from its start; `Loaded` or `NotLoaded` follows.
    Load,
    /// The batch is to be appended; `Appended` or `NotAppended` follows.
    Append(Vec<u8>),
    /// The asker is told.
    Answer(Ticket, Result<A, R>),
    /// Everybody who was not told yet is told this.
    RefuseAll(Refused),
}

/// A command that was answered at once.
#[derive(Clone, PartialEq, Debug)]
pub struct AtOnce<A, R> {
    /// What the asker is told.
    pub answer: Result<A, R>,
    /// Whether a `Tick` is due sooner than before.
    pub is_sooner: bool,
}

/// What follows from an event to a machine `M`.
pub type Effects<M> = Vec<Effect<<M as Machine>::Answer, <M as Machine>::Refusal>>;

/// Answers that wait for what was written before `offset` to be committed; never none.
struct Held<M: Machine> {
    offset: Offset,
    deadline: Monotonic,
    answers: Answers<M>,
}

/// A batch that is sealed, and the answers that wait for it.
struct Batch<M: Machine> {
    /// Empty once it is handed out to be appended.
    bytes: Vec<u8>,
    answers: Answers<M>,
}

/// A machine that is loaded, with all that was decided and not committed.
struct Active<M: Machine> {
    machine: M,
    making: Making,
    making_answers: Answers<M>,
    /// When the batch in the making is sealed at the latest, where `linger` says so.
    linger_until: Option<Monotonic>,
    /// Batches in order; the first is being appended.
    ready: VecDeque<Batch<M>>,
    /// By offset. Each `offset ≤ written`.
    waiting: VecDeque<Held<M>>,
    /// End of the log as far as this leader has written it.
    written: Offset,
}

enum Phase<M: Machine> {
    /// The log is being replayed; `end` once it was, and only its commit is waited for.
    Loading { machine: Box<M>, end: Option<Offset> },
    /// Commands are decided.
    Active(Box<Active<M>>),
    /// Neither written nor loaded: loaded again at this time.
    Failed { again: Monotonic },
    /// Another broker leads.
    Unloaded,
}

/// The runtime of one partition.
pub struct State<M: Machine> {
    settings: RuntimeSettings,
    fresh: Box<dyn Fn() -> M + Send>,
    phase: Phase<M>,
    /// Everything before it is committed.
    watermark: Offset,
    /// Failures since a batch was last committed.
    failures: u32,
}

impl<M: Machine> State<M> {
    /// Begins to load; `fresh` makes an empty machine.
    pub fn new(settings: RuntimeSettings, fresh: Box<dyn Fn() -> M + Send>, out: &mut Effects<M>) -> State<M> {
        out.push(Effect::Load);
        let phase = Phase::Loading { machine: Box::new(fresh()), end: None };
        State { settings, fresh, phase, watermark: Offset(0), failures: 0 }
    }

    /// The machine that records of the log go into, while it is loading.
    pub fn loading(&mut self) -> Option<&mut M> {
        match &mut self.phase {
            Phase::Loading { machine, end: None } => Some(machine),
            Phase::Loading { .. } | Phase::Active(_) | Phase::Failed { .. } | Phase::Unloaded => None,
        }
    }

    /// The machine, while commands are decided.
    #[must_use]
    pub fn machine(&self) -> Option<&M> {
        match &self.phase {
            Phase::Active(active) => Some(&active.machine),
            Phase::Loading { .. } | Phase::Failed { .. } | Phase::Unloaded => None,
        }
    }

    /// Whether nothing waits to be written or committed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        match &self.phase {
            Phase::Active(active) => active.is_settled(),
            Phase::Loading { .. } | Phase::Failed { .. } | Phase::Unloaded => true,
        }
    }

    /// Whether another broker leads: nothing will happen any more.
    #[must_use]
    pub fn is_unloaded(&self) -> bool {
        matches!(self.phase, Phase::Unloaded)
    }

    /// When a `Tick` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        match &self.phase {
            Phase::Active(active) => active.deadline(),
            Phase::Failed { again } => Some(*again),
            Phase::Loading { .. } | Phase::Unloaded => None,
        }
    }

    /// Decides a light command while nothing waits to be written or committed: its answer, if nothing is written for it
    /// and nobody else is told anything. None where it has to be asked as an event; then nothing of it has happened.
    pub fn answer_at_once(&mut self, command: &M::Command, now: Now) -> Option<AtOnce<M::Answer, M::Refusal>>
    where
        M::Command: Clone,
    {
        let Phase::Active(active) = &mut self.phase else { return None };
        let is_committed = active.is_settled() && active.written <= self.watermark;
        if !is_committed || !active.machine.is_light(command) {
            return None;
        }
        let Decision { changes, mut answers } = active.machine.decide(command.clone(), Ticket::AT_ONCE, now);
        let is_written = |change: &M::Change| !matches!(active.machine.encode(change), Ok(None));
        if changes.iter().any(is_written) || !matches!(answers[..], [(Ticket::AT_ONCE, _)]) {
            return None;
        }
        let (_, answer) = answers.pop()?;
        let before = active.deadline();
        changes.into_iter().for_each(|change| active.machine.replay(change));
        let is_sooner = active.deadline().is_some_and(|after| before.is_none_or(|before| after < before));
        self.check();
        Some(AtOnce { answer, is_sooner })
    }

    /// Takes an event in.
    pub fn step(&mut self, now: Now, event: Event<M::Command>, out: &mut Effects<M>) {
        match event {
            Event::Asked(ticket, command) => self.ask(ticket, command, now, out),
            Event::Committed(offset) => self.commit(offset, now, out),
            Event::Loaded(end) => self.loaded(end, now, out),
            Event::NotLoaded | Event::NotAppended => self.fail(now, out),
            Event::Tick => self.tick(now, out),
            Event::Idle => {
                if let (Phase::Active(active), None) = (&mut self.phase, self.settings.linger) {
                    active.seal(out);
                }
            }
            Event::Appended(end) => {
                if let Phase::Active(active) = &mut self.phase {
                    active.appended(end, now.monotonic + self.settings.commit_timeout, out);
                    active.settle(self.watermark, out);
                }
            }
            Event::Unloaded => {
                self.phase = Phase::Unloaded;
                out.push(Effect::RefuseAll(Refused::NotCoordinator));
            }
        }
        self.check();
    }

    fn ask(&mut self, ticket: Ticket, command: M::Command, now: Now, out: &mut Effects<M>) {
        let why = match &mut self.phase {
            Phase::Active(active) => {
                let decision = active.machine.decide(command, ticket, now);
                // Who asks for what cannot be written has been told.
                let _ = active.take(decision, ticket, now, &self.settings, (self.watermark, out));
                return;
            }
            Phase::Loading { .. } => Refused::Loading,
            Phase::Failed { .. } => Refused::Unavailable,
            Phase::Unloaded => Refused::NotCoordinator,
        };
        if ticket != Ticket::NOBODY {
            out.push(Effect::Answer(ticket, Err(why.into())));
        }
    }

    fn commit(&mut self, offset: Offset, now: Now, out: &mut Effects<M>) {
        let moved = offset > self.watermark;
        self.watermark = self.watermark.max(offset);
        if let Phase::Active(active) = &mut self.phase {
            active.settle(self.watermark, out);
            if moved {
                self.failures = 0;
            }
        } else {
            self.begin_if_committed(now, out);
        }
    }

    fn loaded(&mut self, log_end: Offset, now: Now, out: &mut Effects<M>) {
        if let Phase::Loading { end, .. } = &mut self.phase {
            *end = Some(log_end);
        }
        self.begin_if_committed(now, out);
    }

    /// Becomes active once all that was loaded is committed.
    fn begin_if_committed(&mut self, now: Now, out: &mut Effects<M>) {
        match std::mem::replace(&mut self.phase, Phase::Unloaded) {
            Phase::Loading { machine, end: Some(end) } if self.watermark >= end => {
                let is_lost = planted::active(Bug::LostSessions);
                let decision = if is_lost { Decision::default() } else { machine.begin(now) };
                let mut active = Box::new(Active::new(*machine, end, &self.settings));
                if let Err(refused) = active.take(decision, Ticket::NOBODY, now, &self.settings, (self.watermark, out))
                {
                    tracing::error!(%refused, "what follows from loading cannot be written");
                }
                active.seal(out);
                self.phase = Phase::Active(active);
            }
            other => self.phase = other,
        }
    }

    /// Nothing is known of what was not committed: everybody is refused, and the log is read again.
    fn fail(&mut self, now: Now, out: &mut Effects<M>) {
        if self.is_unloaded() {
            return;
        }
        if let (Phase::Active(active), true) = (&mut self.phase, planted::active(Bug::KeptState)) {
            active.ready.clear();
            active.waiting.clear();
            return out.push(Effect::RefuseAll(Refused::Unavailable));
        }
        let (shortest, longest) = BACKOFF;
        let backoff = longest.min(shortest * 2_u32.saturating_pow(self.failures.min(16)));
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Failed { again: now.monotonic + backoff };
        out.push(Effect::RefuseAll(Refused::Unavailable));
    }

    fn tick(&mut self, now: Now, out: &mut Effects<M>) {
        match &mut self.phase {
            Phase::Active(active) => {
                active.give_up(now.monotonic, out);
                active.decide_due(now, &self.settings, (self.watermark, out));
                if active.linger_until.is_some_and(|until| until <= now.monotonic) || self.settings.linger.is_none() {
                    active.seal(out);
                }
            }
            Phase::Failed { again } if *again <= now.monotonic => {
                self.phase = Phase::Loading { machine: Box::new((self.fresh)()), end: None };
                out.push(Effect::Load);
            }
            Phase::Failed { .. } | Phase::Loading { .. } | Phase::Unloaded => {}
        }
    }

    fn check(&self) {
        if cfg!(debug_assertions)
            && let Phase::Active(active) = &self.phase
        {
            active.check(self.watermark);
        }
    }
}

impl<M: Machine> Active<M> {
    fn new(machine: M, end: Offset, settings: &RuntimeSettings) -> Active<M> {
        Active {
            machine,
            making: Making::new(settings.batch_bytes_max, settings.compression),
            making_answers: Vec::new(),
            linger_until: None,
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            written: end,
        }
    }

    fn is_settled(&self) -> bool {
        self.making.is_empty() && self.ready.is_empty() && self.waiting.is_empty()
    }

    fn deadline(&self) -> Option<Monotonic> {
        let patience = self.waiting.front().map(|held| held.deadline);
        [self.machine.deadline(), patience, self.linger_until].into_iter().flatten().min()
    }

    /// Writes down what was decided and holds the answers back.
    ///
    /// # Errors
    /// It cannot be written: nothing of it has happened, and the asker is told.
    fn take(
        &mut self,
        decision: Decision<M>,
        asker: Ticket,
        now: Now,
        settings: &RuntimeSettings,
        (watermark, out): (Offset, &mut Effects<M>),
    ) -> Result<(), Refused> {
        let encoded = decision.changes.iter().filter_map(|change| self.machine.encode(change).transpose());
        let fit = encoded.collect::<Result<Vec<Stored>, Refused>>().and_then(|records| {
            let fit = self.making.fit(&records)?;
            Ok((fit, records))
        });
        let records = match fit {
            Ok((Fit::Now, records)) => records,
            Ok((Fit::Next | Fit::Several, records)) => {
                self.seal(out);
                records
            }
            Err(refused) => {
                self.hold(vec![(asker, Err(refused.into()))], now, settings, (watermark, out));
                return Err(refused);
            }
        };
        for record in &records {
            if !self.making.has_room(record) {
                self.seal(out);
            }
            self.making.push(record, now.wall);
        }
        for change in decision.changes {
            self.machine.replay(change);
        }
        if !self.making.is_empty() && self.linger_until.is_none() {
            self.linger_until = settings.linger.map(|linger| now.monotonic + linger);
        }
        self.hold(decision.answers, now, settings, (watermark, out));
        if settings.linger == Some(Duration::ZERO) {
            self.seal(out);
        }
        Ok(())
    }

    /// Holds answers back until all that was decided so far is committed; gives them at once where nothing waits.
    fn hold(
        &mut self,
        mut answers: Answers<M>,
        now: Now,
        settings: &RuntimeSettings,
        (watermark, out): (Offset, &mut Effects<M>),
    ) {
        answers.retain(|(ticket, _)| *ticket != Ticket::NOBODY);
        if answers.is_empty() {
            return;
        }
        if planted::active(Bug::EarlyAnswer) {
            out.extend(answers.into_iter().map(|(ticket, answer)| Effect::Answer(ticket, answer)));
        } else if !self.making.is_empty() {
            self.making_answers.append(&mut answers);
        } else if let Some(batch) = self.ready.back_mut() {
            batch.answers.append(&mut answers);
        } else if self.written > watermark {
            let deadline = now.monotonic + settings.commit_timeout;
            self.waiting.push_back(Held { offset: self.written, deadline, answers });
        } else {
            out.extend(answers.into_iter().map(|(ticket, answer)| Effect::Answer(ticket, answer)));
        }
    }

    /// Ends the batch in the making.
    fn seal(&mut self, out: &mut Effects<M>) {
        self.linger_until = None;
        if self.making.is_empty() {
            return;
        }
        let bytes = self.making.seal();
        self.ready.push_back(Batch { bytes, answers: std::mem::take(&mut self.making_answers) });
        if self.ready.len() == 1 {
            self.hand_out(out);
        }
    }

    /// Hands out the first batch: one at a time, so that none is written behind one that was not.
    fn hand_out(&mut self, out: &mut Effects<M>) {
        if let Some(batch) = self.ready.front_mut() {
            out.push(Effect::Append(std::mem::take(&mut batch.bytes)));
        }
    }

    fn appended(&mut self, end: Offset, deadline: Monotonic, out: &mut Effects<M>) {
        let Some(Batch { answers, .. }) = self.ready.pop_front() else { return };
        self.written = end;
        if !answers.is_empty() {
            self.waiting.push_back(Held { offset: end, deadline, answers });
        }
        self.hand_out(out);
    }

    /// Gives the answers that wait for no more than `watermark`.
    fn settle(&mut self, watermark: Offset, out: &mut Effects<M>) {
        while let Some(held) = self.waiting.pop_front_if(|held| held.offset <= watermark) {
            out.extend(held.answers.into_iter().map(|(ticket, answer)| Effect::Answer(ticket, answer)));
        }
    }

    /// Refuses those who have waited too long. What was decided stays: it may be committed yet.
    fn give_up(&mut self, now: Monotonic, out: &mut Effects<M>) {
        while let Some(held) = self.waiting.pop_front_if(|held| held.deadline <= now) {
            out.extend(
                held.answers.into_iter().map(|(ticket, _)| Effect::Answer(ticket, Err(Refused::Unavailable.into()))),
            );
        }
    }

    fn decide_due(&mut self, now: Now, settings: &RuntimeSettings, (watermark, out): (Offset, &mut Effects<M>)) {
        for _ in 0..DUE_MAX {
            let Some(command) = self.machine.due(now) else { return };
            let decision = self.machine.decide(command, Ticket::NOBODY, now);
            let is_stuck = decision.changes.is_empty();
            let taken = self.take(decision, Ticket::NOBODY, now, settings, (watermark, out));
            if is_stuck || taken.is_err() {
                // Without a pause it would be decided for ever, and the deadlines behind it never.
                self.machine.put_off(now.monotonic + AGAIN);
            }
        }
    }

    fn check(&self, watermark: Offset) {
        assert!(self.waiting.iter().is_sorted_by_key(|held| held.offset), "answers wait in the order of the log");
        assert!(self.waiting.iter().is_sorted_by_key(|held| held.deadline), "who waits longer is refused first");
        let in_log =
            |held: &Held<M>| held.offset > watermark && held.offset <= self.written && !held.answers.is_empty();
        assert!(self.waiting.iter().all(in_log), "answers wait for what is written and not committed");
        assert!(!self.making.is_empty() || self.making_answers.is_empty(), "answers wait for records");
        let handed_out = self.ready.iter().map(|batch| batch.bytes.is_empty());
        assert!(handed_out.eq((0..self.ready.len()).map(|at| at == 0)), "one batch is appended at a time");
    }
}

#[cfg(test)]
mod tests;
