//! Names of topics, each kept once and known by a number.

use ottla_wire::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of a topic's name; free for another name once nothing uses it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct TopicNumber(u32);

impl TopicNumber {
    pub(super) const MIN: TopicNumber = TopicNumber(0);
}

#[derive(Clone, PartialEq, Debug)]
struct Slot {
    name: Arc<str>,
    uses: usize,
    /// Id that was committed last; zero where none was.
    id: Uuid,
    /// Whether several ids were committed.
    is_mixed: bool,
}

/// The names that are in use.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Names {
    numbers: BTreeMap<Arc<str>, TopicNumber>,
    slots: Vec<Slot>,
    free: Vec<TopicNumber>,
}

impl Names {
    pub(super) fn number(&self, name: &str) -> Option<TopicNumber> {
        self.numbers.get(name).copied()
    }

    pub(super) fn name(&self, number: TopicNumber) -> &Arc<str> {
        &self.slots[number.0 as usize].name
    }

    /// One more use of a name, with the id that goes with it.
    pub(super) fn take(&mut self, name: &str, id: Uuid) -> TopicNumber {
        let number = self.number(name).unwrap_or_else(|| self.add(name));
        let slot = &mut self.slots[number.0 as usize];
        slot.uses += 1;
        if !id.is_zero() {
            slot.is_mixed |= !slot.id.is_zero() && slot.id != id;
            slot.id = id;
        }
        number
    }

    fn add(&mut self, name: &str) -> TopicNumber {
        let name: Arc<str> = name.into();
        let slot = Slot { name: name.clone(), uses: 0, id: Uuid::ZERO, is_mixed: false };
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number.0 as usize] = slot;
                number
            }
            None => {
                self.slots.push(slot);
                TopicNumber(u32::try_from(self.slots.len() - 1).expect("memory ends before so many names"))
            }
        };
        self.numbers.insert(name, number);
        number
    }

    /// One use less.
    pub(super) fn give_back(&mut self, number: TopicNumber) {
        let slot = &mut self.slots[number.0 as usize];
        slot.uses -= 1;
        if slot.uses == 0 {
            self.numbers.remove(&slot.name);
            slot.name = Arc::default();
            self.free.push(number);
        }
    }

    /// The names whose offsets are not all of the topic that `current` says has the name now; None where there is none.
    pub(super) fn outdated(&self, current: impl Fn(&str) -> Option<Uuid>) -> Vec<(TopicNumber, Option<Uuid>)> {
        let judged = self.numbers.values().filter_map(|number| {
            let slot = &self.slots[number.0 as usize];
            let now = current(&slot.name);
            let is_current = now.is_some_and(|now| !slot.is_mixed && (slot.id.is_zero() || slot.id == now));
            (!is_current).then_some((*number, now))
        });
        judged.collect()
    }
}
