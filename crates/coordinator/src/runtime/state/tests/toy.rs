//! A machine of a few words: it keeps texts by key, lets askers wait for a key, and has alarms.

use crate::machine::{Decision, Machine, Now, Origin, Refused, Stored, Ticket};
use ottla_host::Monotonic;
use ottla_wire::ids::ProducerId;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// What the toy is asked.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Ask {
    /// Puts values, all or none.
    Put(Vec<(String, String)>),
    /// Takes keys back.
    Drop(Vec<String>),
    /// Tells a value.
    Get(String),
    /// Waits until somebody puts the key.
    Wait(String),
    /// Sets an alarm.
    Alarm(Monotonic, Alarm),
    /// The alarm rings.
    Ring(Alarm),
}

/// What an alarm does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Alarm {
    /// It puts `rung`.
    Plain,
    /// It does nothing, and so is not put off.
    Stuck,
    /// It would put more than a batch holds.
    Large,
}

/// A key that no record can say.
const UNWRITABLE: &str = "unwritable";

/// A change of the toy.
pub(super) enum Change {
    Record(String, Option<String>),
    Waits(String, Ticket),
    Answered(String),
    Alarm(Monotonic, Alarm),
    Rung,
}

#[derive(Default)]
pub(super) struct Toy {
    pub(super) values: BTreeMap<String, String>,
    waiting: BTreeMap<String, Vec<Ticket>>,
    alarms: BTreeSet<(Monotonic, Alarm)>,
}

impl Toy {
    fn put(&self, pairs: Vec<(String, String)>) -> Decision<Toy> {
        let mut decision = Decision::default();
        for (key, value) in pairs {
            for ticket in self.waiting.get(&key).into_iter().flatten() {
                decision.answers.push((*ticket, Ok(format!("{key} has come"))));
            }
            decision.changes.push(Change::Answered(key.clone()));
            decision.changes.push(Change::Record(key, Some(value)));
        }
        decision
    }
}

impl Machine for Toy {
    type Command = Ask;
    type Answer = String;
    type Refusal = Refused;
    type Change = Change;
    type Fault = Infallible;

    fn is_light(&self, command: &Ask) -> bool {
        matches!(command, Ask::Get(_) | Ask::Alarm(..) | Ask::Wait(_) | Ask::Drop(_))
    }

    fn decide(&self, command: Ask, ticket: Ticket, _now: Now) -> Decision<Toy> {
        match command {
            Ask::Put(pairs) => {
                let mut decision = self.put(pairs);
                decision.answers.push((ticket, Ok("put".to_owned())));
                decision
            }
            Ask::Drop(keys) => {
                let changes = keys.into_iter().map(|key| Change::Record(key, None)).collect();
                Decision { changes, answers: vec![(ticket, Ok("dropped".to_owned()))] }
            }
            Ask::Get(key) => {
                let value = self.values.get(&key).map_or("nothing", String::as_str);
                Decision::answer(ticket, Ok(format!("{key} is {value}")))
            }
            Ask::Wait(key) => Decision { changes: vec![Change::Waits(key, ticket)], answers: Vec::new() },
            Ask::Alarm(at, alarm) => {
                Decision { changes: vec![Change::Alarm(at, alarm)], answers: vec![(ticket, Ok("set".to_owned()))] }
            }
            Ask::Ring(Alarm::Stuck) => Decision::default(),
            Ask::Ring(alarm) => {
                let text = if alarm == Alarm::Large { "x".repeat(1000) } else { "yes".to_owned() };
                let mut decision = self.put(vec![("rung".to_owned(), text)]);
                decision.changes.push(Change::Rung);
                decision
            }
        }
    }

    fn replay(&mut self, change: Change) {
        match change {
            Change::Record(key, Some(value)) => drop(self.values.insert(key, value)),
            Change::Record(key, None) => drop(self.values.remove(&key)),
            Change::Waits(key, ticket) => self.waiting.entry(key).or_default().push(ticket),
            Change::Answered(key) => drop(self.waiting.remove(&key)),
            Change::Alarm(at, alarm) => drop(self.alarms.insert((at, alarm))),
            Change::Rung => drop(self.alarms.pop_first()),
        }
    }

    fn load(&mut self, key: &[u8], value: Option<&[u8]>, _: Origin) -> Result<(), Infallible> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.replay(Change::Record(text(key), value.map(text)));
        Ok(())
    }

    fn end_transaction(&mut self, _: ProducerId, _: bool) {}

    fn begin(&self, _: Now) -> Decision<Toy> {
        Decision { changes: Vec::new(), answers: vec![(Ticket::NOBODY, Ok(String::new()))] }
    }

    fn encode(&self, change: &Change) -> Result<Option<Stored>, Refused> {
        match change {
            Change::Record(key, _) if key == UNWRITABLE => Err(Refused::TooLarge),
            Change::Record(key, value) => Ok(Some((key.clone().into_bytes(), value.clone().map(String::into_bytes)))),
            Change::Waits(..) | Change::Answered(_) | Change::Alarm(..) | Change::Rung => Ok(None),
        }
    }

    fn due(&self, now: Now) -> Option<Ask> {
        self.alarms.first().filter(|(at, _)| *at <= now.monotonic).map(|(_, alarm)| Ask::Ring(*alarm))
    }

    fn put_off(&mut self, until: Monotonic) {
        if let Some((_, alarm)) = self.alarms.pop_first() {
            self.alarms.insert((until, alarm));
        }
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.alarms.first().map(|(at, _)| *at)
    }
}
