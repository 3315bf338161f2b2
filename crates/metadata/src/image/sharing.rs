//! A map whose copies share what did not change: a fixed number of small sorted maps behind counted pointers.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_wire::Uuid;

const SHARDS: usize = 64;

/// What a key is spread over the shards by; fixed, so that iteration order is the same in every process.
pub(super) trait Spread: Ord {
    /// A number that differs between most keys.
    fn spread(&self) -> u64;
}

impl Spread for Uuid {
    fn spread(&self) -> u64 {
        fnv(&self.0)
    }
}

impl Spread for Arc<str> {
    fn spread(&self) -> u64 {
        fnv(self.as_bytes())
    }
}

impl Spread for str {
    fn spread(&self) -> u64 {
        fnv(self.as_bytes())
    }
}

/// FNV-1a, folded so that the low bits depend on every byte.
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash ^ (hash >> 32)
}

type Shard<K, V> = Option<Arc<BTreeMap<K, V>>>;

/// The map. Cloning copies one pointer; changing one key afterwards copies the pointers of all shards and the entries of one.
#[derive(Clone, Debug)]
pub(super) struct Shared<K, V> {
    shards: Arc<[Shard<K, V>; SHARDS]>,
    len: usize,
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Shared<K, V> {
        Shared { shards: Arc::new([const { None }; SHARDS]), len: 0 }
    }
}

impl<K: Spread + Clone, V: Clone> Shared<K, V> {
    /// Number of keys.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    #[must_use]
    pub(super) fn get<Q: Spread + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[shard(key)].as_ref()?.get(key)
    }

    /// The value of a key, to be changed.
    pub(super) fn get_mut<Q: Spread + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        self.shard_mut(key).get_mut(key)
    }

    /// Sets the value of a key and answers the former one.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let former = self.shard_mut(&key).insert(key, value);
        self.len += usize::from(former.is_none());
        former
    }

    /// Removes a key and answers its value.
    pub(super) fn remove<Q: Spread + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        let former = self.shard_mut(key).remove(key);
        self.len -= usize::from(former.is_some());
        former
    }

    /// All keys and values, in an order that depends on the keys alone.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flatten().flat_map(|shard| shard.iter())
    }

    fn shard_mut<Q: Spread + ?Sized>(&mut self, key: &Q) -> &mut BTreeMap<K, V> {
        let shards = Arc::make_mut(&mut self.shards);
        Arc::make_mut(shards[shard(key)].get_or_insert_default())
    }
}

fn shard<K: Spread + ?Sized>(key: &K) -> usize {
    (key.spread() % SHARDS as u64) as usize
}

impl<K: Spread + Clone, V: Clone + PartialEq> PartialEq for Shared<K, V> {
    fn eq(&self, other: &Shared<K, V>) -> bool {
        self.len == other.len && self.iter().zip(other.iter()).all(|(one, two)| one == two)
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;
    use std::sync::Arc;

    #[test]
    fn copies_do_not_see_later_changes() {
        let mut one: Shared<Arc<str>, i32> = Shared::default();
        for at in 0..1000 {
            assert_eq!(one.insert(format!("topic-{at}").into(), at), None);
        }
        let two = one.clone();
        one.remove("topic-7");
        *one.get_mut("topic-8").unwrap() = -1;
        assert_eq!((one.len(), two.len()), (999, 1000));
        assert_eq!((two.get("topic-7"), two.get("topic-8")), (Some(&7), Some(&8)));
        assert_eq!((one.get("topic-7"), one.get("topic-8")), (None, Some(&-1)));
        assert_eq!(two.iter().count(), 1000);
    }
}
