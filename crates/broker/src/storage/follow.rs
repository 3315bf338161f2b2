//! Following the image: what is hosted of a topic, and how it changes.

use super::lanes::{ByDir, Lanes};
use super::open::{Pending, unique};
use super::phase::Abandoned;
use super::{Storage, is_internal};
use crate::partitions::{Held, Hosted, Rules, log_config};
use ottla_log::{LogConfig, PartitionName};
use ottla_metadata::image::{NO_LEADER, Partition as Fact};
use ottla_metadata::settings::Layers;
use ottla_metadata::{ConfigResource, Delta, Image, Topic, TopicConfig};
use ottla_replica::state::Assignment;
use ottla_wire::Uuid;
use ottla_wire::ids::PartitionIndex;
use std::sync::{Arc, OnceLock};

/// Where a partition's log is to be opened or made.
struct Place {
    index: PartitionIndex,
    /// The log directory.
    at: usize,
    /// The directory of an existing log.
    dir_name: Option<String>,
    assignment: Assignment,
}

impl Storage {
    /// Follows a change of the image; afterwards the image may be shown to clients. A change that concerns topics waits
    /// until all logs of the start are open: it never meets a topic that is half open.
    ///
    /// # Errors
    /// The broker stops, and the change is not followed.
    pub(crate) async fn apply(self: &Arc<Self>, image: &Image, delta: &Delta) -> Result<(), Abandoned> {
        let changed = changed_topics(image, delta);
        if changed.is_empty() && delta.deleted.is_empty() {
            return Ok(());
        }
        self.until_open().await?;
        for (id, topic) in &delta.deleted {
            self.remove_topic(*id, topic).await;
        }
        let (mut pending, mut hosted) = (ByDir::new(), Vec::with_capacity(changed.len()));
        for topic in &changed {
            hosted.extend(self.host_topic(image, topic, &mut pending).await);
        }
        // A new partition is made at once on the thread that deletes and syncs.
        self.open_on(pending, Lanes::Own).await;
        self.registry.publish(hosted);
        Ok(())
    }

    /// A topic as the image has it, with what is open of it. What has to be opened for it is added to `pending`; None when
    /// nothing of it is here.
    pub(super) async fn host_topic(&self, image: &Image, topic: &Topic, pending: &mut ByDir) -> Option<Arc<Hosted>> {
        let former = self.registry.by_id(topic.id);
        let config = self.log_config_of(image, topic);
        let count = topic.partitions.keys().next_back().map_or(0, |last| usize::try_from(last.0 + 1).unwrap_or(0));
        let mut slots: Vec<_> = (0..count).map(|_| OnceLock::from(Held::Elsewhere)).collect();
        let mut places = Vec::new();
        for (index, fact) in &topic.partitions {
            let slot = slots.get_mut(usize::try_from(index.0).ok()?)?;
            if let Some(partition) = former.as_ref().and_then(|former| former.partition(index.0)) {
                partition.set_config(&config).await;
                partition.assign(&assignment(fact)).await;
                *slot = Held::Open(partition.clone()).into();
                continue;
            }
            match self.place(topic, *index, fact) {
                Ok(place) => {
                    *slot = OnceLock::new();
                    places.push(place);
                }
                Err(held) => *slot = held.into(),
            }
        }
        if slots.iter().all(|slot| matches!(slot.get(), Some(Held::Elsewhere))) {
            return None;
        }
        let hosted = Arc::new(self.hosted(image, topic, former.as_deref(), slots));
        for Place { index, at, dir_name, assignment } in places {
            let one = Pending { hosted: hosted.clone(), index, dir_name, config: config.clone(), assignment };
            pending.entry(at).or_default().push_back(one);
        }
        Some(hosted)
    }

    /// Where a partition's log is to be opened or made, or what is held of a partition without one.
    fn place(&self, topic: &Topic, index: PartitionIndex, fact: &Fact) -> Result<Place, Held> {
        if !fact.replicas.contains(self.config.node_id) {
            return Err(Held::Elsewhere);
        }
        let name = PartitionName::new(&topic.name, index);
        if self.broken.lock().contains(&name) {
            return Err(Held::Broken);
        }
        let found = self.found.lock().get_mut(&name).map(|log| {
            log.is_wanted = true;
            (log.at, log.dir_name.clone())
        });
        let (at, dir_name) = match found {
            Some((at, dir_name)) => (Some(at), Some(dir_name)),
            None => (self.choose_dir(), None),
        };
        let Some(at) = at else {
            tracing::error!(partition = %name, "no log directory is online for the partition");
            return Err(Held::Elsewhere);
        };
        self.dirs.lock()[at].partitions += 1;
        Ok(Place { index, at, dir_name, assignment: assignment(fact) })
    }

    /// The directory with the fewest partitions, as Kafka chooses.
    fn choose_dir(&self) -> Option<usize> {
        let dirs = self.dirs.lock();
        let online = dirs.iter().enumerate().filter(|(_, dir)| !dir.dir.is_offline());
        online.min_by_key(|(_, dir)| dir.partitions).map(|(at, _)| at)
    }

    fn hosted(&self, image: &Image, topic: &Topic, former: Option<&Hosted>, slots: Vec<OnceLock<Held>>) -> Hosted {
        let settings = self.topic_config(image, topic);
        Hosted {
            name: topic.name.clone(),
            id: topic.id,
            is_internal: is_internal(topic),
            rules: Rules::of(&settings),
            deletes: settings.delete || !settings.compact,
            min_insync: usize::try_from(settings.min_insync_replicas).unwrap_or(1),
            slots: slots.into(),
            meters: former.map(|former| former.meters.clone()).unwrap_or_default(),
        }
    }

    fn topic_config(&self, image: &Image, topic: &Topic) -> TopicConfig {
        let broker = image.configs(&ConfigResource::broker(self.config.node_id));
        let cluster = image.configs(&ConfigResource::all_brokers());
        let own = image.topic_configs(&topic.name);
        TopicConfig::effective(&Layers {
            topic: own.map(|configs| &**configs),
            broker: broker.map(|configs| &**configs),
            cluster: cluster.map(|configs| &**configs),
            file: Some(&self.config.given),
        })
    }

    fn log_config_of(&self, image: &Image, topic: &Topic) -> Arc<LogConfig> {
        let config = log_config(&self.topic_config(image, topic), &self.config);
        if config == *self.default_config { self.default_config.clone() } else { Arc::new(config) }
    }

    async fn remove_topic(&self, id: Uuid, topic: &Topic) {
        let Some(hosted) = self.registry.withdraw(id) else { return };
        tracing::info!(topic = %topic.name, "topic deleted");
        for partition in hosted.open() {
            partition.delete();
            let unique = unique(&self.host);
            let now = self.host.clock.wall();
            let dir = partition.view().log_dir().clone();
            match partition.when_free(|log| log.delete(&unique, now)).await {
                Ok(doomed) => self.doom(&dir, doomed),
                Err(error) => dir.fail("rename the directory of a deleted partition", &error),
            }
            if let Some(entry) = self.dirs.lock().iter_mut().find(|entry| Arc::ptr_eq(&entry.dir, &dir)) {
                entry.partitions = entry.partitions.saturating_sub(1);
            }
        }
    }
}

/// Topics of the image that a change concerns.
fn changed_topics(image: &Image, delta: &Delta) -> Vec<Arc<Topic>> {
    let mut changed: Vec<Uuid> = delta.partitions.iter().map(|(topic, _)| *topic).collect();
    changed.extend(delta.created.iter().copied());
    let of_configs = delta.configs.iter().filter(|resource| resource.kind == ConfigResource::TOPIC);
    changed.extend(of_configs.filter_map(|resource| image.topic(&resource.name)).map(|topic| topic.id));
    if delta.configs.iter().any(|resource| resource.kind == ConfigResource::BROKER) {
        changed.extend(image.topics().map(|topic| topic.id));
    }
    changed.sort_unstable();
    changed.dedup();
    changed.iter().filter_map(|id| image.topic_by_id(id).cloned()).collect()
}

fn assignment(partition: &Fact) -> Assignment {
    Assignment {
        leader: Some(partition.leader).filter(|leader| *leader != NO_LEADER),
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        replicas: partition.replicas.as_slice().to_vec(),
        isr: partition.isr.as_slice().iter().copied().collect(),
    }
}
