//! The groups of one partition of `__consumer_offsets` as one machine: each command goes to the group that it names.

mod classic;
mod consumer;
mod offsets;
mod survey;

pub use super::any::Group;
use super::offsets::Offsets;
use super::timers::{Timer, Timers};
use super::{Answer, Change, Command, Fault, GroupSettings, Record};
use crate::machine::{Decision, Machine, Now, Origin, Refused, Stored, Ticket};
use ottla_host::Monotonic;
use ottla_host::planted::{self, Bug};
use ottla_metadata::Image;
use ottla_wire::DecodeError;
use ottla_wire::ids::ProducerId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The groups of one partition of `__consumer_offsets`.
pub struct Groups {
    settings: Arc<GroupSettings>,
    image: Arc<Image>,
    groups: BTreeMap<Arc<str>, Group>,
    offsets: Offsets,
    timers: Timers,
}

impl Groups {
    /// No groups.
    #[must_use]
    pub fn new(settings: Arc<GroupSettings>, image: Arc<Image>) -> Groups {
        Groups { settings, image, groups: BTreeMap::new(), offsets: Offsets::default(), timers: Timers::default() }
    }

    /// What they have committed.
    #[must_use]
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }
}

impl Machine for Groups {
    type Command = Command;
    type Answer = Answer;
    type Refusal = Fault;
    type Change = Change;
    type Fault = DecodeError;

    fn is_light(&self, command: &Command) -> bool {
        match command {
            Command::Classic(command) => self.is_light_classic(command),
            Command::Consumer(command) => self.is_light_consumer(command),
            Command::Offsets(_)
            | Command::DescribeClassic(_)
            | Command::DescribeConsumer(_)
            | Command::List { .. }
            | Command::Survey(_)
            | Command::Delete(_)
            | Command::Image(_)
            | Command::Due(_) => false,
        }
    }

    fn decide(&self, command: Command, ticket: Ticket, now: Now) -> Decision<Groups> {
        match command {
            Command::Image(image) => {
                let mut changes = vec![Change::Image(image)];
                changes.extend(self.plan_topics(now));
                Decision { changes, answers: vec![(ticket, Ok(Answer::Done))] }
            }
            Command::Classic(command) => self.decide_classic(command, ticket, now),
            Command::Consumer(command) => self.decide_consumer(command, ticket, now),
            Command::Offsets(command) => self.decide_offsets(&command, ticket, now),
            Command::Due(timer @ (Timer::Classic(..) | Timer::Consumer(..))) if planted::active(Bug::DeafSession) => {
                Decision { changes: vec![Change::Timer(timer, None)], answers: Vec::new() }
            }
            Command::Due(Timer::Classic(group, timer)) => self.classic_due(&group, timer, now),
            Command::Due(Timer::Consumer(group, timer)) => self.consumer_due(&group, timer, now),
            Command::Due(Timer::Offsets(from)) => self.offsets_due(from, now),
            Command::Due(Timer::Topics) => self.topics_due(),
            Command::DescribeClassic(groups) => Decision::answer(ticket, Ok(self.describe_classic(&groups))),
            Command::List { states, types } => Decision::answer(ticket, Ok(self.list(&states, &types))),
            Command::Survey(after) => Decision::answer(ticket, Ok(self.survey(after.as_ref()))),
            Command::Delete(group) => self.delete(&group, ticket),
            Command::DescribeConsumer(groups) => Decision::answer(ticket, Ok(self.describe_consumer(&groups))),
        }
    }

    fn replay(&mut self, change: Change) {
        match change {
            Change::Image(image) => self.replay_image(image),
            Change::Timer(timer, deadline) => self.timers.set(timer, deadline),
            Change::Record(Record::Offset(key, value)) => self.replay_offset(&key, value.as_ref(), Origin::Plain),
            Change::Record(Record::Classic(key, value)) => self.replay_classic(&key, value.as_ref()),
            Change::Record(record) => self.replay_consumer(&record),
            Change::Classic(group, soft) => self.replay_classic_soft(&group, soft),
            Change::Consumer(group, soft) => self.replay_consumer_soft(&group, soft),
        }
    }

    fn load(&mut self, key: &[u8], value: Option<&[u8]>, origin: Origin) -> Result<(), DecodeError> {
        match Record::decode(key, value)? {
            Some(Record::Offset(key, value)) => self.replay_offset(&key, value.as_ref(), origin),
            Some(Record::Classic(key, Some(value))) => self.load_classic(&key, &value),
            Some(Record::Classic(key, None)) => self.replay_classic(&key, None),
            Some(record) => self.replay_consumer(&record),
            None => {}
        }
        Ok(())
    }

    fn end_transaction(&mut self, producer: ProducerId, committed: bool) {
        self.offsets.end_transaction(producer, committed);
    }

    fn begin(&self, now: Now) -> Decision<Groups> {
        let mut all = self.begin_classic(now);
        all.changes.extend(self.begin_consumer(now));
        all.changes.extend(self.begin_offsets(now));
        all
    }

    fn encode(&self, change: &Change) -> Result<Option<Stored>, Refused> {
        match change {
            Change::Record(record) => record.encode().map(Some).map_err(|_| Refused::TooLarge),
            Change::Image(_) | Change::Classic(..) | Change::Consumer(..) | Change::Timer(..) => Ok(None),
        }
    }

    fn due(&self, now: Now) -> Option<Command> {
        self.timers
            .first()
            .filter(|(deadline, _)| *deadline <= now.monotonic)
            .map(|(_, timer)| Command::Due(timer.clone()))
    }

    fn put_off(&mut self, until: Monotonic) {
        if let Some((_, timer)) = self.timers.first().cloned() {
            self.timers.set(timer, Some(until));
        }
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.timers.first().map(|(deadline, _)| *deadline)
    }
}
