//! The log directories of this broker: partitions are opened, made, reassigned and removed as the image says.
//!
//! Long work runs on the threads of the directory it touches. Only one change of the image is applied at a time.

use crate::partitions::{Hosted, Registry, Rules, log_config};
use ottla_host::Host;
use ottla_log::dir::boot::LastEnd;
use ottla_log::dir::names::DirKind;
use ottla_log::log::Opening;
use ottla_log::{Doomed, Log, LogConfig, LogDir, PartitionName};
use ottla_metadata::image::NO_LEADER;
use ottla_metadata::settings::Layers;
use ottla_metadata::{BrokerConfig, ConfigResource, Delta, Image, Topic, TopicConfig};
use ottla_replica::state::Assignment;
use ottla_replica::{Identity, Partition};
use ottla_wire::Uuid;
use ottla_wire::ids::{BrokerId, PartitionIndex};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// Topics that only brokers write to.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// A log directory and how many partitions it holds.
struct Dir {
    dir: Arc<LogDir>,
    partitions: usize,
}

/// What is known of a partition's log before it is opened or made.
struct Pending {
    name: PartitionName,
    topic: Arc<str>,
    topic_id: Uuid,
    /// The directory of an existing log.
    dir_name: Option<String>,
    config: Arc<LogConfig>,
}

/// The partitions of this broker on their disks.
pub(crate) struct Storage {
    host: Host,
    config: Arc<BrokerConfig>,
    registry: Arc<Registry>,
    /// Logs found at the start that the image has not asked for yet, by topic and partition.
    found: Mutex<BTreeMap<PartitionName, (usize, String)>>,
    dirs: Mutex<Vec<Dir>>,
    /// Partitions whose logs could not be opened: they stay offline, and nothing is made in their place.
    broken: Arc<Mutex<BTreeSet<PartitionName>>>,
    /// A log directory did not work at the start: what is not found may lie there.
    lacks_dirs: bool,
    /// Files and directories to be removed at their time.
    doomed: Mutex<Vec<(Arc<LogDir>, Doomed)>>,
    /// Settings that many topics share.
    default_config: Arc<LogConfig>,
}

impl Storage {
    /// Lists what the directories hold; nothing is opened. The flag says that there are others, which do not work.
    pub(crate) fn new(
        host: Host,
        config: Arc<BrokerConfig>,
        registry: Arc<Registry>,
        (dirs, lacks_dirs): (Vec<Arc<LogDir>>, bool),
    ) -> io::Result<Storage> {
        let mut found = BTreeMap::new();
        let mut doomed = Vec::new();
        for (at, dir) in dirs.iter().enumerate() {
            let (partitions, foreign) = dir.partitions()?;
            for name in foreign {
                tracing::warn!(dir = %dir.path().display(), name, "unknown directory in a log directory is left alone");
            }
            for partition in partitions {
                match partition.kind {
                    DirKind::Current if partition.name.topic.as_ref() == "__cluster_metadata" => {}
                    DirKind::Current => drop(found.insert(partition.name, (at, partition.dir_name))),
                    DirKind::Delete => {
                        let paths = vec![dir.path().join(partition.dir_name)];
                        doomed.push((dir.clone(), Doomed { paths, due: host.clock.wall() }));
                    }
                    DirKind::Future | DirKind::Stray => {}
                }
            }
        }
        let default_config = log_config(&config.log, &config);
        Ok(Storage {
            host,
            registry,
            found: Mutex::new(found),
            broken: Arc::default(),
            lacks_dirs,
            dirs: Mutex::new(dirs.into_iter().map(|dir| Dir { dir, partitions: 0 }).collect()),
            doomed: Mutex::new(doomed),
            default_config: Arc::new(default_config),
            config,
        })
    }

    /// The seams to the outside.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The partitions.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// This broker.
    pub(crate) fn node(&self) -> BrokerId {
        self.config.node_id
    }

    /// The log directories.
    pub(crate) fn dirs(&self) -> Vec<Arc<LogDir>> {
        self.dirs.lock().iter().map(|dir| dir.dir.clone()).collect()
    }

    /// Opens every log of the image that this broker has a replica of; what is missing is made.
    pub(crate) async fn open_all(&self, image: &Image) {
        let topics: Vec<_> = image.topics().cloned().collect();
        self.note_missing(&topics);
        self.host_topics(image, &topics).await;
        let strays = std::mem::take(&mut *self.found.lock());
        let dirs = self.dirs();
        for (name, (at, dir_name)) in strays {
            if let Err(error) = set_aside(&self.host, &dirs[at], &name, &dir_name) {
                dirs[at].fail("set a stray log aside", &error);
            }
        }
        for dir in self.dirs() {
            // After a failed sync everything is checked again until the machine is started anew.
            if dir.last_end() == LastEnd::Lost
                && !dir.is_offline()
                && let Err(error) = dir.recovered()
            {
                tracing::warn!(dir = %dir.path().display(), %error, "recovery not noted; a kill is followed by another");
            }
        }
    }

    /// Where a directory does not work, what the others lack is not made anew: it lies there, with its records.
    fn note_missing(&self, topics: &[Arc<Topic>]) {
        if !self.lacks_dirs {
            return;
        }
        let (found, mut broken) = (self.found.lock(), self.broken.lock());
        for topic in topics {
            let here = topic.partitions.iter().filter(|(_, fact)| fact.replicas.contains(self.config.node_id));
            let names = here.map(|(index, _)| PartitionName::new(&topic.name, *index));
            broken.extend(names.filter(|name| !found.contains_key(name)));
        }
        tracing::error!(partitions = broken.len(), "partitions are offline: a log directory does not work");
    }

    /// Follows a change of the image; afterwards the image may be shown to clients.
    pub(crate) async fn apply(&self, image: &Image, delta: &Delta) {
        for (id, topic) in &delta.deleted {
            self.remove_topic(*id, topic).await;
        }
        let mut changed: Vec<Uuid> = delta.partitions.iter().map(|(topic, _)| *topic).collect();
        changed.extend(delta.created.iter().copied());
        let of_configs = delta.configs.iter().filter(|resource| resource.kind == ConfigResource::TOPIC);
        changed.extend(of_configs.filter_map(|resource| image.topic(&resource.name)).map(|topic| topic.id));
        if delta.configs.iter().any(|resource| resource.kind == ConfigResource::BROKER) {
            changed.extend(image.topics().map(|topic| topic.id));
        }
        changed.sort_unstable();
        changed.dedup();
        let topics: Vec<_> = changed.iter().filter_map(|id| image.topic_by_id(id).cloned()).collect();
        self.host_topics(image, &topics).await;
    }

    /// Brings what is hosted of `topics` in line with the image and publishes it.
    async fn host_topics(&self, image: &Image, topics: &[Arc<Topic>]) {
        let mut by_dir: BTreeMap<usize, Vec<Pending>> = BTreeMap::new();
        for topic in topics {
            self.plan_topic(image, topic, &mut by_dir);
        }
        let mut opened = BTreeMap::new();
        for partition in self.open_pending(by_dir).await {
            opened.insert((partition.topic_id(), partition.index()), partition);
        }
        let mut hosted = Vec::with_capacity(topics.len());
        for topic in topics {
            hosted.extend(self.host_topic(image, topic, &mut opened).await);
        }
        self.registry.publish(hosted);
    }

    fn plan_topic(&self, image: &Image, topic: &Topic, by_dir: &mut BTreeMap<usize, Vec<Pending>>) {
        let hosted = self.registry.by_id(topic.id);
        let config = self.log_config_of(image, topic);
        for (index, partition) in &topic.partitions {
            let is_here = partition.replicas.contains(self.config.node_id);
            let is_open = hosted.as_ref().is_some_and(|hosted| hosted.partition(index.0).is_some());
            if !is_here || is_open {
                continue;
            }
            let name = PartitionName::new(&topic.name, *index);
            if self.broken.lock().contains(&name) {
                continue;
            }
            let (at, dir_name) = match self.found.lock().remove(&name) {
                Some((at, dir_name)) => (Some(at), Some(dir_name)),
                None => (self.choose_dir(), None),
            };
            let Some(at) = at else {
                tracing::error!(partition = %name, "no log directory is online for the partition");
                continue;
            };
            self.dirs.lock()[at].partitions += 1;
            let pending =
                Pending { name, topic: topic.name.clone(), topic_id: topic.id, dir_name, config: config.clone() };
            by_dir.entry(at).or_default().push(pending);
        }
    }

    /// The directory with the fewest partitions, as Kafka chooses.
    fn choose_dir(&self) -> Option<usize> {
        let dirs = self.dirs.lock();
        let online = dirs.iter().enumerate().filter(|(_, dir)| !dir.dir.is_offline());
        online.min_by_key(|(_, dir)| dir.partitions).map(|(at, _)| at)
    }

    /// Opens and makes logs, several at a time on threads of their directories.
    async fn open_pending(&self, by_dir: BTreeMap<usize, Vec<Pending>>) -> Vec<Arc<Partition>> {
        let mut work = Vec::new();
        let done: Arc<Mutex<Vec<Arc<Partition>>>> = Arc::default();
        for (at, mut pending) in by_dir {
            let dir = self.dirs.lock()[at].dir.clone();
            let lanes = self.config.tasks.recovery_threads.clamp(1, 16).min(pending.len());
            let share = pending.len().div_ceil(lanes.max(1));
            for lane in 0..lanes {
                let rest = pending.split_off(share.min(pending.len()));
                let part = std::mem::replace(&mut pending, rest);
                // One new partition is made at once on the thread that deletes and syncs; many are opened side by side.
                let name = if lane == 0 { dir.lane().to_owned() } else { format!("{} {lane}", dir.lane()) };
                work.push(self.host.tasks.offload(&name, self.open_job(&dir, part, &done)));
            }
        }
        for job in work {
            job.await;
        }
        std::mem::take(&mut *done.lock())
    }

    fn open_job(
        &self,
        dir: &Arc<LogDir>,
        pending: Vec<Pending>,
        done: &Arc<Mutex<Vec<Arc<Partition>>>>,
    ) -> Box<dyn FnOnce() + Send> {
        let (dir, host, done) = (dir.clone(), self.host.clone(), done.clone());
        let (broker, durable, broken) = (self.config.node_id, self.config.durable_acks, self.broken.clone());
        Box::new(move || {
            for pending in pending {
                let log = match open_log(&dir, &pending, &host) {
                    Ok(log) => log,
                    Err(error) => {
                        tracing::error!(partition = %pending.name, error, "the partition is offline");
                        broken.lock().insert(pending.name);
                        continue;
                    }
                };
                let watermark = dir.high_watermark(&pending.name).unwrap_or(log.view().start());
                let identity = Identity {
                    topic: pending.topic,
                    topic_id: pending.topic_id,
                    index: pending.name.partition,
                    broker,
                    durable,
                };
                done.lock().push(Partition::new(identity, &host, log, watermark));
            }
        })
    }

    async fn host_topic(
        &self,
        image: &Image,
        topic: &Topic,
        opened: &mut BTreeMap<(Uuid, PartitionIndex), Arc<Partition>>,
    ) -> Option<Arc<Hosted>> {
        let former = self.registry.by_id(topic.id);
        let count = topic.partitions.keys().next_back().map_or(0, |last| usize::try_from(last.0 + 1).unwrap_or(0));
        let mut partitions: Vec<Option<Arc<Partition>>> = vec![None; count];
        let config = self.log_config_of(image, topic);
        for (index, fact) in &topic.partitions {
            let kept = former.as_ref().and_then(|former| former.partition(index.0).cloned());
            let is_new = kept.is_none();
            let Some(partition) = kept.or_else(|| opened.remove(&(topic.id, *index))) else { continue };
            if !is_new {
                partition.set_config(&config).await;
            }
            partition.assign(&assignment(fact)).await;
            partitions[usize::try_from(index.0).ok()?] = Some(partition);
        }
        let broken = self.broken_of(topic);
        if partitions.iter().all(Option::is_none) && broken.is_empty() {
            return None;
        }
        let settings = self.topic_config(image, topic);
        Some(Arc::new(Hosted {
            name: topic.name.clone(),
            id: topic.id,
            is_internal: INTERNAL.contains(&&*topic.name),
            rules: Rules::of(&settings),
            deletes: settings.delete || !settings.compact,
            min_insync: usize::try_from(settings.min_insync_replicas).unwrap_or(1),
            partitions: partitions.into(),
            broken,
            meters: former.map(|former| former.meters.clone()).unwrap_or_default(),
        }))
    }

    /// Partitions of the topic that are here and cannot be opened.
    fn broken_of(&self, topic: &Topic) -> BTreeSet<i32> {
        let broken = self.broken.lock();
        if broken.is_empty() {
            return BTreeSet::new();
        }
        let is_broken = |index: &&PartitionIndex| broken.contains(&PartitionName::new(&topic.name, **index));
        topic.partitions.keys().filter(is_broken).map(|index| index.0).collect()
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
        for partition in hosted.partitions.iter().flatten() {
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

    /// Keeps what is to be removed until its time.
    pub(crate) fn doom(&self, dir: &Arc<LogDir>, doomed: Doomed) {
        if !doomed.is_empty() {
            self.doomed.lock().push((dir.clone(), doomed));
        }
    }

    /// Takes what is due for removal.
    pub(crate) fn take_due(&self) -> Vec<(Arc<LogDir>, Doomed)> {
        let now = self.host.clock.wall();
        self.doomed.lock().extract_if(.., |(_, doomed)| doomed.due <= now).collect()
    }
}

fn open_log(dir: &Arc<LogDir>, pending: &Pending, host: &Host) -> Result<Log, String> {
    let now = host.clock.wall();
    let Some(dir_name) = &pending.dir_name else {
        let made = Log::create(dir, &pending.name, Some(pending.topic_id), pending.config.clone(), now);
        return made.map_err(|error| {
            dir.fail("make the directory of a partition", &error);
            error.to_string()
        });
    };
    let opening = Opening::of(dir, &pending.name);
    let opened = Log::open(dir, (&pending.name, dir_name), opening, pending.config.clone(), now);
    let mut log = opened.map_err(|error| error.to_string())?;
    match log.topic_id() {
        // A topic of the same name that is gone.
        Some(id) if id != pending.topic_id => {
            drop(log);
            set_aside(host, dir, &pending.name, dir_name).map_err(|error| error.to_string())?;
            let made = Log::create(dir, &pending.name, Some(pending.topic_id), pending.config.clone(), now);
            made.map_err(|error| error.to_string())
        }
        Some(_) => Ok(log),
        None => log.assign_topic_id(pending.topic_id).map(|()| log).map_err(|error| error.to_string()),
    }
}

/// Renames the directory of a log that no partition of the cluster owns, as Kafka does; nothing is deleted.
fn set_aside(host: &Host, dir: &LogDir, name: &PartitionName, dir_name: &str) -> io::Result<()> {
    let to = name.dir_name(DirKind::Stray, &unique(host));
    tracing::warn!(partition = %name, dir = %dir.path().display(), to, "a log that the cluster does not know is set aside");
    host.disk.rename(&dir.path().join(dir_name), &dir.path().join(to))
}

/// 32 hexadecimal digits that no other directory has.
fn unique(host: &Host) -> String {
    let mut bytes = [0; 16];
    host.chance.fill("directory name", &mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn assignment(partition: &ottla_metadata::image::Partition) -> Assignment {
    Assignment {
        leader: Some(partition.leader).filter(|leader| *leader != NO_LEADER),
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        replicas: partition.replicas.as_slice().to_vec(),
        isr: partition.isr.as_slice().iter().copied().collect(),
    }
}
