//! The state of a simulated disk: its tree, its plan of faults, and the life of the node that uses it.

use super::content::{Capture, Content};
use super::fault::{Crash, Fault, FaultRates, Met, Operation, crash_site};
use super::file::SimFile;
use super::names::Names;
use super::slow::Stalls;
use crate::clock::SimClock;
use crate::random::Random;
use ottla_host::clock::Clock;
use ottla_host::disk::File;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What an operation in the page cache takes.
const CACHE_TIME: Duration = Duration::from_micros(2);
/// What a sync takes at least, and what it may take beyond.
const SYNC_TIME: Duration = Duration::from_micros(150);
const SYNC_TIME_SPREAD_US: u64 = 1000;

/// Files known by address, from which number on those closed are forgotten.
const OPEN_FILES_PRUNED_AT: usize = 1000;

/// A fault that a test has asked for.
pub(super) struct Planned {
    pub(super) fault: Fault,
    pub(super) path_part: String,
    pub(super) times: u32,
}

/// `generation` counts the lives of the node; `boot` its power losses.
pub(super) struct World {
    pub(super) names: Names,
    pub(super) random: Random,
    pub(super) clock: SimClock,
    pub(super) rates: FaultRates,
    pub(super) planned: Vec<Planned>,
    pub(super) crash_at: Option<(u64, Crash)>,
    pub(super) operations: u64,
    pub(super) capacity: u64,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) met: Met,
    pub(super) trace: u64,
    pub(super) generation: u64,
    pub(super) boot: u64,
    pub(super) is_down: bool,
    pub(super) last_crash: Option<Crash>,
    pub(super) stalls: Arc<Stalls>,
    open_files: BTreeMap<usize, Weak<SimFile>>,
}

impl World {
    pub(super) fn new(seed: u64, clock: SimClock) -> World {
        World {
            names: Names::new(),
            random: Random::stream(seed, "disk"),
            clock,
            rates: FaultRates::default(),
            planned: Vec::new(),
            crash_at: None,
            operations: 0,
            capacity: 1 << 40,
            locks: BTreeSet::new(),
            met: Met::new(),
            trace: 0,
            generation: 0,
            boot: 0,
            is_down: false,
            last_crash: None,
            stalls: Arc::default(),
            open_files: BTreeMap::new(),
        }
    }

    /// Remembers an open file by its address, to know it again behind `dyn File`.
    pub(super) fn register(&mut self, file: &Arc<SimFile>) {
        if self.open_files.len() >= OPEN_FILES_PRUNED_AT {
            self.open_files.retain(|_, file| file.strong_count() > 0);
        }
        self.open_files.insert(Arc::as_ptr(file).addr(), Arc::downgrade(file));
    }

    pub(super) fn registered(&self, file: &Arc<dyn File>) -> Option<Arc<SimFile>> {
        self.open_files.get(&Arc::as_ptr(file).addr())?.upgrade()
    }

    /// The generation of the node that lives.
    pub(super) fn check_up(&self) -> io::Result<u64> {
        if self.is_down { Err(down()) } else { Ok(self.generation) }
    }

    pub(super) fn content(&mut self, id: u64) -> io::Result<&mut Content> {
        let now = self.clock.wall().0;
        self.names.content(id, now)
    }

    pub(super) fn meet(&mut self, what: &'static str) {
        *self.met.entry(what).or_default() += 1;
    }

    /// Counts an operation; `Err` when the node crashes in it, else the fault that befalls it.
    pub(super) fn begin(&mut self, operation: Operation, path: &Path) -> Result<Option<Fault>, Crash> {
        let number = self.operations;
        self.operations += 1;
        self.clock.advance(CACHE_TIME);
        self.note(operation, path);
        if let Some(until) = self.stalls.end_of(path, self.clock.monotonic()) {
            self.meet("stalled operation");
            self.clock.owe_until(until);
        }
        match self.crash_at {
            Some((at, how)) if at == number => return Err(how),
            Some(_) | None => {}
        }
        let planned = self.take_planned(path, |fault| fault.concerns(operation));
        let fault = planned.or_else(|| self.draw_fault(operation));
        if let Some(fault) = fault {
            self.meet(fault.name());
        }
        Ok(fault)
    }

    pub(super) fn take_planned(&mut self, path: &Path, concerns: impl Fn(Fault) -> bool) -> Option<Fault> {
        let path = path.to_string_lossy();
        let matching =
            |planned: &&mut Planned| planned.times > 0 && concerns(planned.fault) && path.contains(&planned.path_part);
        let planned = self.planned.iter_mut().find(matching)?;
        planned.times -= 1;
        Some(planned.fault)
    }

    fn draw_fault(&mut self, operation: Operation) -> Option<Fault> {
        let rates = self.rates;
        match operation {
            Operation::Write if self.random.chance(rates.short_write) => Some(Fault::ShortWrite),
            Operation::Write if self.random.chance(rates.write_error) => Some(Fault::WriteError),
            Operation::Sync if self.random.chance(rates.sync_error) => Some(Fault::SyncError),
            Operation::SetLen if self.random.chance(rates.truncate_error) => Some(Fault::TruncateError),
            _ => None,
        }
    }

    /// Does a change of directory entries, or half of the time not when the node crashes in it.
    pub(super) fn change<T>(
        &mut self,
        operation: Operation,
        path: &Path,
        change: impl FnOnce(&mut Names) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.begin(operation, path) {
            Ok(None) => change(&mut self.names),
            Ok(Some(_)) => Err(enospc()),
            Err(how) => {
                if self.random.coin() {
                    change(&mut self.names)?;
                }
                Err(self.crash_in(operation, path, how))
            }
        }
    }

    /// Puts bytes into a file, as far as a power loss in the middle lets it.
    pub(super) fn store(
        &mut self,
        id: u64,
        at: usize,
        bytes: &[u8],
        is_durable: bool,
        is_torn: bool,
    ) -> io::Result<()> {
        let (now, rates) = (self.clock.wall().0, self.rates);
        let content = self.names.content(id, now)?;
        match (is_durable, is_torn) {
            (true, true) => content.tear_durable_write(at, bytes, &mut self.random),
            (true, false) => content.write_durably(at, bytes),
            (false, _) => content.write(at, bytes),
        }
        if self.random.chance(rates.early_writeback) {
            content.write_back(0..content.len(), &mut self.random);
            self.meet("early writeback");
        }
        Ok(())
    }

    pub(super) fn write_back(&mut self, id: u64, range: Range<usize>) -> io::Result<()> {
        let now = self.clock.wall().0;
        let content = self.names.content(id, now)?;
        let end = range.end.min(content.len());
        content.write_back(range.start.min(end)..end, &mut self.random);
        Ok(())
    }

    pub(super) fn fail_sync(&mut self, id: u64, capture: Capture) -> io::Result<()> {
        let now = self.clock.wall().0;
        self.names.content(id, now)?.fail_sync(capture, &mut self.random);
        Ok(())
    }

    /// The length up to which a file may grow, when it wants to grow to `wanted`.
    pub(super) fn room_for(&mut self, id: u64, wanted: usize) -> usize {
        let len = self.content(id).map_or(0, |content| content.len());
        if wanted <= len {
            return len;
        }
        let free = self.capacity.saturating_sub(self.names.used());
        len.saturating_add(usize::try_from(free).unwrap_or(usize::MAX))
    }

    /// Syncs every file and directory; where the node crashes in it, some files and no directory.
    pub(super) fn sync_everything(&mut self, path: &Path) -> io::Result<()> {
        let begun = self.begin(Operation::Sync, path);
        let random = &mut self.random;
        for content in self.names.contents() {
            let capture = content.begin_sync();
            match begun {
                Ok(None) => content.end_sync(capture),
                Ok(Some(_)) => content.fail_sync(capture, random),
                Err(_) if random.coin() => content.end_sync(capture),
                Err(_) => {}
            }
        }
        match begun {
            Ok(None) => {
                self.names.sync_dirs();
                Ok(())
            }
            Ok(Some(_)) => Err(eio()),
            Err(how) => Err(self.crash_in(Operation::Sync, path, how)),
        }
    }

    /// What a sync of these files takes.
    pub(super) fn sync_time<'a>(&mut self, paths: impl Iterator<Item = &'a Path>) -> Duration {
        let now = self.clock.monotonic();
        let stalled = paths.filter_map(|path| self.stalls.end_of(path, now)).max();
        let waits = stalled.map_or(Duration::ZERO, |until| until.since(now));
        waits + SYNC_TIME + Duration::from_micros(self.random.below(SYNC_TIME_SPREAD_US))
    }

    pub(super) fn pass_sync_time(&mut self) {
        self.clock.advance(SYNC_TIME);
    }

    pub(super) fn crash_in(&mut self, operation: Operation, path: &Path, how: Crash) -> io::Error {
        self.meet(crash_site(operation, path));
        self.crash(how);
        down()
    }

    pub(super) fn crash(&mut self, how: Crash) {
        if self.is_down {
            return;
        }
        self.is_down = true;
        self.last_crash = Some(how);
        match how {
            Crash::Process => self.meet("process crash"),
            Crash::Power => {
                self.meet("power loss");
                self.names.lose_power(&mut self.random);
                self.boot += 1;
            }
        }
    }

    pub(super) fn restart(&mut self) {
        self.is_down = false;
        self.generation += 1;
        self.crash_at = None;
        self.planned.clear();
        self.locks.clear();
        self.open_files.clear();
        self.names.purge();
    }

    fn note(&mut self, operation: Operation, path: &Path) {
        let name = path.as_os_str().as_encoded_bytes();
        let event = [self.operations, operation as u64, self.clock.monotonic().0];
        let numbers = event.iter().flat_map(|number| number.to_le_bytes());
        for byte in numbers.chain(name.iter().copied()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
        }
    }
}

fn down() -> io::Error {
    io::Error::other("the node is down")
}

/// "Input/output error".
pub(super) fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

/// "No space left on device".
pub(super) fn enospc() -> io::Error {
    io::Error::from_raw_os_error(28)
}
