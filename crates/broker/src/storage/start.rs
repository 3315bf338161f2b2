//! What is hosted from the start on: internal topics before anything is served, every other log as soon as it is open.

use super::lanes::{ByDir, Lanes};
use super::open::set_aside;
use super::phase::Abandoned;
use super::{LogDir, Storage, is_internal};
use ottla_host::BoxFuture;
use ottla_host::clock::Monotonic;
use ottla_log::PartitionName;
use ottla_log::dir::boot::LastEnd;
use ottla_metadata::{Image, Topic};
use std::sync::Arc;

impl Storage {
    /// Publishes every topic of the image that this broker has a replica of, and opens the logs of the internal ones;
    /// what is missing is made. Answers what [`Storage::open_rest`] is to open: until then its slots are empty.
    pub(crate) async fn begin(self: &Arc<Self>, image: &Image) -> ByDir {
        let topics: Vec<_> = image.topics().cloned().collect();
        self.note_missing(&topics);
        let (mut internal, mut rest) = (ByDir::new(), ByDir::new());
        let mut hosted = Vec::with_capacity(topics.len());
        for topic in &topics {
            let pending = if is_internal(topic) { &mut internal } else { &mut rest };
            hosted.extend(self.host_topic(image, topic, pending).await);
        }
        self.registry.publish(hosted);
        self.open_on(internal, Lanes::Own).await;
        rest
    }

    /// Opens what is left; afterwards all is open, unless the broker stops before.
    pub(crate) async fn open_rest(self: Arc<Self>, rest: ByDir) {
        self.open_on(rest, Lanes::Apart).await;
        if !self.opening.is_abandoned() {
            for (at, dir) in self.dirs().into_iter().enumerate() {
                self.settle(at, &dir).await;
            }
        }
        self.opening.end();
    }

    /// Whether every partition is open, but for those that cannot be.
    pub(crate) fn is_open(&self) -> bool {
        self.opening.is_done()
    }

    /// Waits until every partition is open.
    ///
    /// # Errors
    /// The broker stops before.
    pub(crate) async fn until_open(&self) -> Result<(), Abandoned> {
        self.opening.done().await
    }

    /// The broker stops: no further log is opened.
    pub(crate) fn abandon_opening(&self) {
        self.opening.abandon();
    }

    /// Waits until no thread opens logs any more, at most until `deadline`; whether that is so.
    pub(crate) async fn opening_ended(&self, deadline: Monotonic) -> bool {
        tokio::select! {
            biased;
            () = self.opening.ended() => true,
            () = self.host.tasks.sleep_until(deadline) => false,
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

    /// Sets aside what the image has no place for, and notes that all of the directory was checked.
    fn settle(&self, at: usize, dir: &Arc<LogDir>) -> BoxFuture<'static, ()> {
        let strays: Vec<_> = {
            let mut found = self.found.lock();
            found.extract_if(.., |_, log| log.at == at && !log.is_wanted).collect()
        };
        let is_all_open = self.unopened(dir).is_empty();
        let (dir, host, lane) = (dir.clone(), self.host.clone(), dir.lane().to_owned());
        let work = move || {
            for (name, log) in strays {
                if let Err(error) = set_aside(&host, &dir, &name, &log.dir_name) {
                    dir.fail("set a stray log aside", &error);
                }
            }
            // After a failed sync everything is checked again until the machine is started anew, and so is what could not be
            // opened: the next start may trust a log only once this one has checked it.
            if is_all_open
                && dir.last_end() == LastEnd::Lost
                && !dir.is_offline()
                && let Err(error) = dir.recovered()
            {
                tracing::warn!(dir = %dir.path().display(), %error, "recovery not noted; a kill is followed by another");
            }
        };
        self.host.tasks.offload(&lane, Box::new(work))
    }
}
