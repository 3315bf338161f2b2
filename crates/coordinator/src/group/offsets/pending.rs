//! Offsets of transactions that are not ended.

use super::names::TopicNumber;
use super::store::{Committed, Place};
use ottla_wire::Uuid;
use ottla_wire::ids::ProducerId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A partition for a group.
type GroupPlace = (Arc<str>, Place);

/// What a transaction would commit; None once a later commit has gone past it: of two commits, the one that was written
/// later counts, whenever its transaction ends.
#[derive(Clone, PartialEq, Debug)]
struct Offer {
    /// Number of the record in the order of the log.
    order: u64,
    offset: Option<Committed>,
}

/// Offsets that count once their transaction is committed.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Pending {
    offers: BTreeMap<ProducerId, BTreeMap<GroupPlace, Offer>>,
    /// Who would commit for a partition: never nobody.
    open: BTreeMap<GroupPlace, BTreeSet<ProducerId>>,
    next_order: u64,
}

impl Pending {
    pub(super) fn is_open(&self, group: &str, place: Place) -> bool {
        !self.open.is_empty() && self.open.contains_key(&(Arc::from(group), place))
    }

    pub(super) fn of_group(&self, group: &str) -> impl Iterator<Item = Place> + '_ {
        let from = (!self.open.is_empty()).then(|| (Arc::<str>::from(group), (TopicNumber::MIN, i32::MIN)));
        let of_group = from.into_iter().flat_map(|from| {
            let group = from.0.clone();
            self.open.range(from..).take_while(move |((other, _), _)| *other == group)
        });
        of_group.map(|((_, place), _)| *place)
    }

    /// Where transactions would commit for a topic, unless what they commit is of the topic with `id`.
    pub(super) fn of_topic(&self, topic: TopicNumber, id: Option<Uuid>) -> impl Iterator<Item = (&Arc<str>, i32)> {
        let is_outdated = move |(place, producers): &(&GroupPlace, &BTreeSet<ProducerId>)| {
            let offers = producers.iter().filter_map(|producer| self.offers.get(producer)?.get(*place));
            id.is_none_or(|id| offers.filter_map(|offer| offer.offset.as_ref()).any(|offset| !offset.is_of(id)))
        };
        let of_topic = self.open.iter().filter(move |((_, (other, _)), _)| *other == topic).filter(is_outdated);
        of_topic.map(|((group, (_, partition)), _)| (group, *partition))
    }

    /// Takes what a transaction would commit; whether it had offered another offset for the partition.
    pub(super) fn put(&mut self, producer: ProducerId, group: &Arc<str>, place: Place, offset: Committed) -> bool {
        self.next_order += 1;
        let offer = Offer { order: self.next_order, offset: Some(offset) };
        let place = (group.clone(), place);
        self.open.entry(place.clone()).or_default().insert(producer);
        self.offers.entry(producer).or_default().insert(place, offer).is_some()
    }

    /// A commit without a transaction has gone past all that was offered before. The partition stays unstable.
    pub(super) fn supersede(&mut self, group: &Arc<str>, place: Place) {
        if !self.open.is_empty() {
            self.supersede_before(&(group.clone(), place), u64::MAX);
        }
    }

    fn supersede_before(&mut self, place: &GroupPlace, order: u64) {
        for producer in self.open.get(place).into_iter().flatten() {
            if let Some(offer) = self.offers.get_mut(producer).and_then(|offers| offers.get_mut(place))
                && offer.order < order
            {
                offer.offset = None;
            }
        }
    }

    /// Forgets what was offered for a partition; answers how many offers there were.
    pub(super) fn clear(&mut self, group: &str, place: Place) -> usize {
        if self.open.is_empty() {
            return 0;
        }
        let place = (Arc::from(group), place);
        let producers = self.open.remove(&place).unwrap_or_default();
        for producer in &producers {
            if let Some(offers) = self.offers.get_mut(producer) {
                offers.remove(&place);
                if offers.is_empty() {
                    self.offers.remove(producer);
                }
            }
        }
        producers.len()
    }

    /// Ends a producer's transaction; answers where it had offered something, and what of that counts from here on.
    pub(super) fn end(&mut self, producer: ProducerId, committed: bool) -> Vec<(GroupPlace, Option<Committed>)> {
        let offers = self.offers.remove(&producer).unwrap_or_default();
        let mut ended = Vec::with_capacity(offers.len());
        for (place, offer) in offers {
            if let Some(producers) = self.open.get_mut(&place) {
                producers.remove(&producer);
                if producers.is_empty() {
                    self.open.remove(&place);
                }
            }
            let offset = offer.offset.filter(|_| committed);
            if offset.is_some() {
                self.supersede_before(&place, offer.order);
            }
            ended.push((place, offset));
        }
        ended
    }

    pub(super) fn check(&self) {
        assert!(self.open.values().all(|producers| !producers.is_empty()), "an open partition has a transaction");
        let offered = self.offers.values().map(BTreeMap::len).sum::<usize>();
        assert_eq!(offered, self.open.values().map(BTreeSet::len).sum::<usize>(), "each offer has its open partition");
    }
}
