//! A disk in memory that keeps only what it has promised to: see `SimDisk`.

mod content;
mod fault;
mod file;
mod names;
mod slow;
mod world;

#[cfg(test)]
mod tests;

pub use fault::{Crash, Fault, FaultRates, Met};

use crate::clock::SimClock;
use content::Capture;
use fault::Operation;
use file::SimFile;
use names::Node;
use ottla_host::BoxFuture;
use ottla_host::clock::Clock;
use ottla_host::disk::{DirLock, Disk, Entry, File, Open, Space, Stat};
use parking_lot::Mutex;
pub(crate) use slow::Stalls;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use world::World;

/// Waits for virtual time to pass; how a disk in a simulation lets a sync take its time.
pub type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// A disk that outlives its node. Clones are the same disk.
///
/// Files and directory entries that were not synced may be lost, in part too, when the power fails; `Open::Durable`
/// files keep each write. `crash_at` stops the node in the middle of an operation: that and all later ones fail until
/// `restart`, and files opened before stay dead.
#[derive(Clone)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
    sleep: Option<Sleep>,
}

impl SimDisk {
    /// An empty disk whose accidents follow from `seed`. On its own its asynchronous syncs end at once.
    #[must_use]
    pub fn new(seed: u64) -> SimDisk {
        SimDisk { world: Arc::new(Mutex::new(World::new(seed, SimClock::new()))), sleep: None }
    }

    /// A disk of a simulated node: operations take time on `clock`, and syncs wait by `sleep`.
    #[must_use]
    pub fn with_time(seed: u64, clock: SimClock, sleep: Sleep) -> SimDisk {
        SimDisk { world: Arc::new(Mutex::new(World::new(seed, clock))), sleep: Some(sleep) }
    }

    /// Number of operations so far that change the disk: writes, syncs, creations, renames, removals, resizes.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.world.lock().operations
    }

    /// Crashes in the middle of operation number `operation` (the next one is `operations()`).
    pub fn crash_at(&self, operation: u64, how: Crash) {
        self.world.lock().crash_at = Some((operation, how));
    }

    /// Crashes between two operations.
    pub fn crash(&self, how: Crash) {
        self.world.lock().crash(how);
    }

    /// Whether the node has crashed and was not restarted.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.world.lock().is_down
    }

    pub(crate) fn last_crash(&self) -> Option<Crash> {
        self.world.lock().last_crash
    }

    /// Starts the node again. Planned crashes and faults are forgotten, rates are kept.
    pub fn restart(&self) {
        self.world.lock().restart();
    }

    /// Sets how often faults come by themselves.
    pub fn set_rates(&self, rates: FaultRates) {
        self.world.lock().rates = rates;
    }

    /// Makes the next `times` operations that `fault` concerns fail, on paths that contain `path_part`.
    pub fn fail_next(&self, fault: Fault, path_part: &str, times: u32) {
        self.world.lock().planned.push(world::Planned { fault, path_part: path_part.to_owned(), times });
    }

    /// From now on the device of `dir` answers nothing for `time`. The thread of a directory waits with all its work;
    /// a task that writes there blocks the worker that runs it, although what it did shows at once.
    pub fn stall(&self, dir: &Path, time: Duration) {
        let world = self.world.lock();
        world.stalls.begin(dir, world.clock.monotonic() + time);
    }

    /// From now on threads whose name contains `part` begin no work for `time`, as where the device of the journal alone
    /// does not answer.
    pub fn stall_lane(&self, part: &str, time: Duration) {
        let world = self.world.lock();
        world.stalls.begin_lane(part, world.clock.monotonic() + time);
    }

    pub(crate) fn stalls(&self) -> Arc<Stalls> {
        Arc::clone(&self.world.lock().stalls)
    }

    /// Sets the room for all files, in bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.world.lock().capacity = bytes;
    }

    /// The faults met so far.
    #[must_use]
    pub fn met(&self) -> Met {
        self.world.lock().met.clone()
    }

    /// A number that sums up all operations so far: equal runs have equal ones.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.world.lock().trace
    }

    /// The clock by which files are stamped.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        self.world.lock().clock.clone()
    }

    fn handle(&self, id: u64, path: &Path, how: Open, generation: u64) -> Arc<dyn File> {
        let file = Arc::new(SimFile { world: Arc::clone(&self.world), id, path: path.to_owned(), how, generation });
        self.world.lock().register(&file);
        file
    }

    /// Begins a sync of a file of this disk; syncs of wrapped files begin when they end.
    fn begin_sync(&self, file: Arc<dyn File>) -> UnderWay {
        let ours = self.world.lock().registered(&file);
        match ours {
            Some(ours) => UnderWay::Ours(ours.begin_sync(), ours),
            None => UnderWay::Foreign(file),
        }
    }
}

/// A sync of one file that has begun.
enum UnderWay {
    Ours(io::Result<Capture>, Arc<SimFile>),
    Foreign(Arc<dyn File>),
}

impl UnderWay {
    fn path(&self) -> Option<&Path> {
        match self {
            UnderWay::Ours(_, file) => Some(&file.path),
            UnderWay::Foreign(_) => None,
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            UnderWay::Ours(capture, file) => capture.and_then(|capture| file.end_sync(capture)),
            UnderWay::Foreign(file) => file.sync(),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut world = self.world.lock();
        let generation = world.check_up()?;
        let place = world.names.place(path)?;
        let id = match (place.found, how) {
            (Some(_), Open::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(id), _) if world.names.entries(id).is_ok() => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(id), _) => id,
            (None, Open::Read | Open::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::Create | Open::CreateNew | Open::Durable) => {
                let now = world.clock.wall().0;
                world.change(Operation::Create, path, |names| Ok(names.add_file(place, now)))?
            }
        };
        drop(world);
        Ok(self.handle(id, path, how, generation))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        world.check_up()?;
        let missing = path.ancestors().filter(|above| world.names.find(above).is_none());
        let missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        for dir in missing.into_iter().rev() {
            let place = world.names.place(&dir)?;
            world.change(Operation::MakeDir, &dir, |names| Ok(names.add_dir(place)))?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let world = self.world.lock();
        world.check_up()?;
        let dir = world.names.find(path).ok_or(io::ErrorKind::NotFound)?;
        let entries = world.names.entries(dir)?.iter();
        Ok(entries.map(|(name, id)| Entry { name: name.clone(), is_dir: world.names.entries(*id).is_ok() }).collect())
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let world = self.world.lock();
        world.check_up()?;
        let found = world.names.find(path).map(|id| match world.names.node(id) {
            Node::File { content, modified_ms } => {
                Stat { len: content.len() as u64, is_dir: false, modified_ms: *modified_ms }
            }
            Node::Dir { .. } => Stat { len: 0, is_dir: true, modified_ms: 0 },
        });
        Ok(found)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        world.check_up()?;
        let source = world.names.place(from)?;
        let target = world.names.place(to)?;
        if source.found.is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change(Operation::Rename, to, |names| {
            names.rename(source, target);
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        world.check_up()?;
        let Ok(place) = world.names.place(path) else { return Ok(()) };
        match place.found {
            None => Ok(()),
            Some(id) if world.names.entries(id).is_ok() => Err(io::ErrorKind::IsADirectory.into()),
            Some(_) => world.change(Operation::Remove, path, |names| {
                names.remove(place);
                Ok(())
            }),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        for entry in self.list(path)? {
            let inner = path.join(&entry.name);
            if entry.is_dir { self.remove_dir_all(&inner)? } else { self.remove_file(&inner)? }
        }
        let mut world = self.world.lock();
        world.check_up()?;
        let place = world.names.place(path)?;
        world.change(Operation::Remove, path, |names| {
            names.remove(place);
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        world.check_up()?;
        let dir = world.names.find(path).ok_or(io::ErrorKind::NotFound)?;
        world.change(Operation::SyncDir, path, |names| {
            names.sync_dir(dir);
            Ok(())
        })
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let world = self.world.lock();
        world.check_up()?;
        Ok(Space { free: world.capacity.saturating_sub(world.names.used()), total: world.capacity })
    }

    fn lock_dir(&self, dir: &Path) -> io::Result<Box<dyn DirLock>> {
        let path = dir.join(".lock");
        self.open(&path, Open::Create)?;
        let mut world = self.world.lock();
        let generation = world.check_up()?;
        if !world.locks.insert(dir.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(file::SimLock { world: Arc::clone(&self.world), dir: dir.to_owned(), generation }))
    }

    fn boot_id(&self) -> String {
        format!("boot-{}", self.world.lock().boot)
    }

    fn sync_all(&self, files: Vec<Arc<dyn File>>) -> BoxFuture<'static, Vec<io::Result<()>>> {
        let under_way: Vec<UnderWay> = files.into_iter().map(|file| self.begin_sync(file)).collect();
        let paths = under_way.iter().filter_map(UnderWay::path);
        let sleep = self.sleep.as_ref().map(|sleep| sleep(self.world.lock().sync_time(paths)));
        Box::pin(async move {
            if let Some(sleep) = sleep {
                sleep.await;
            }
            under_way.into_iter().map(UnderWay::end).collect()
        })
    }
}
