//! The bytes of a file as the page cache shows them, and what the device holds where the two may differ.
//!
//! A page that was written since the last sync keeps its device image aside. At a power loss each such page, and each
//! sector of it, comes back old or new; a page whose sync has failed comes back old though it counts as clean.

use crate::random::Random;
use std::collections::BTreeMap;
use std::ops::Range;

/// Unit of the page cache in bytes, and of alignment of durable files.
pub(super) const PAGE: usize = 4096;
/// Unit that the device writes whole, in bytes.
const SECTOR: usize = 512;

/// How much of what was not synced a power loss leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mood {
    Nothing,
    Half,
    Most,
    Everything,
}

impl Mood {
    pub(super) fn draw(random: &mut Random) -> Mood {
        [Mood::Nothing, Mood::Half, Mood::Most, Mood::Everything][random.index(4)]
    }

    pub(super) fn keeps(self, random: &mut Random) -> bool {
        match self {
            Mood::Nothing => false,
            Mood::Half => random.coin(),
            Mood::Most => random.chance(900_000),
            Mood::Everything => true,
        }
    }
}

type Page = Box<[u8; PAGE]>;

/// A page that the device may hold differently. `device_at` and `written` number the writes of the file.
#[derive(Debug)]
struct Held {
    device: Page,
    device_at: u64,
    written: u64,
    lost: bool,
}

/// What a sync that has begun will put on the device.
#[derive(Debug)]
pub(super) struct Capture {
    upto: u64,
    pages: Vec<(usize, Page)>,
    len: usize,
}

/// A file's bytes. `live` is what readers see.
#[derive(Debug, Default)]
pub(super) struct Content {
    live: Vec<u8>,
    held: BTreeMap<usize, Held>,
    device_len: usize,
    device_len_at: u64,
    len_lost: bool,
    writes: u64,
}

impl Content {
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    pub(super) fn read(&self, at: usize, buffer: &mut [u8]) -> usize {
        let from = at.min(self.live.len());
        let count = buffer.len().min(self.live.len() - from);
        buffer[..count].copy_from_slice(&self.live[from..from + count]);
        count
    }

    /// Reads past the page cache: pages whose sync failed show what the device has.
    pub(super) fn read_device(&self, at: usize, buffer: &mut [u8]) -> usize {
        let count = self.read(at, buffer);
        for (offset, byte) in buffer[..count].iter_mut().enumerate() {
            let position = at + offset;
            if let Some(held) = self.held.get(&(position / PAGE)).filter(|held| held.lost) {
                *byte = held.device[position % PAGE];
            }
        }
        count
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.writes += 1;
        let end = at + bytes.len();
        self.hold(at..end);
        self.put(at, bytes);
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let before = self.live.len();
        // The length follows the last page to the device.
        if at + bytes.len() > before.saturating_sub(1) / PAGE * PAGE {
            self.len_lost = false;
        }
        if at > before {
            self.live.resize(at, 0);
        }
        let inside = (self.live.len() - at).min(bytes.len());
        self.live[at..at + inside].copy_from_slice(&bytes[..inside]);
        self.live.extend_from_slice(&bytes[inside..]);
    }

    /// Writes through to the device.
    pub(super) fn write_durably(&mut self, at: usize, bytes: &[u8]) {
        self.writes += 1;
        let end = at + bytes.len();
        self.put(at, bytes);
        let held: Vec<usize> = self.held.range(pages(at..end)).map(|(page, _)| *page).collect();
        for page in held {
            self.held.remove(&page);
        }
        self.device_len = self.device_len.max(at + bytes.len());
    }

    /// The power fails while `bytes` are written through: each sector is there or not.
    pub(super) fn tear_durable_write(&mut self, at: usize, bytes: &[u8], random: &mut Random) {
        let mood = Mood::draw(random);
        for (index, sector) in bytes.chunks(SECTOR).enumerate() {
            if mood.keeps(random) {
                self.write_durably(at + index * SECTOR, sector);
            }
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.writes += 1;
        self.len_lost = false;
        if len < self.live.len() {
            self.hold(len..self.live.len());
        }
        self.live.resize(len, 0);
    }

    /// Puts pages of a range aside before they change.
    fn hold(&mut self, range: Range<usize>) {
        for page in pages(range) {
            if let Some(held) = self.held.get_mut(&page) {
                held.written = self.writes;
                held.lost = false;
            } else {
                let device = self.image(page);
                self.held.insert(page, Held { device, device_at: 0, written: self.writes, lost: false });
            }
        }
    }

    fn image(&self, page: usize) -> Page {
        let mut image = Box::new([0; PAGE]);
        self.read(page * PAGE, &mut image[..]);
        image
    }

    /// What a sync that starts now covers.
    pub(super) fn begin_sync(&self) -> Capture {
        let dirty = self.held.iter().filter(|(_, held)| !held.lost);
        let pages = dirty.map(|(page, _)| (*page, self.image(*page))).collect();
        Capture { upto: self.writes, pages, len: self.live.len() }
    }

    pub(super) fn end_sync(&mut self, capture: Capture) {
        for (page, image) in capture.pages {
            self.put_on_device(page, image, capture.upto);
        }
        if capture.upto >= self.device_len_at && !self.len_lost {
            self.device_len = capture.len;
            self.device_len_at = capture.upto;
        }
    }

    /// The device refuses some of the pages; the kernel marks them clean all the same. The length does not come to cover
    /// a last page that was refused.
    pub(super) fn fail_sync(&mut self, capture: Capture, random: &mut Random) {
        let last = capture.len.saturating_sub(1) / PAGE;
        for (page, image) in capture.pages {
            if random.coin() {
                self.put_on_device(page, image, capture.upto);
            } else if let Some(held) = self.held.get_mut(&page) {
                held.lost = held.written <= capture.upto;
                self.len_lost |= held.lost && page == last;
            }
        }
    }

    fn put_on_device(&mut self, page: usize, image: Page, upto: u64) {
        match self.held.get_mut(&page) {
            Some(held) if held.written <= upto => {
                self.held.remove(&page);
            }
            Some(held) if held.device_at < upto => {
                held.device = image;
                held.device_at = upto;
            }
            Some(_) | None => {}
        }
    }

    /// The kernel writes some dirty pages of a range by itself.
    pub(super) fn write_back(&mut self, range: Range<usize>, random: &mut Random) {
        for page in pages(range) {
            let is_dirty = self.held.get(&page).is_some_and(|held| !held.lost);
            if is_dirty && random.coin() {
                self.held.remove(&page);
                let end = self.live.len().min((page + 1) * PAGE);
                self.device_len = self.device_len.max(end);
            }
        }
    }

    /// Leaves what the device holds, or may hold.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let mood = Mood::draw(random);
        let len = self.len_after_power_loss(mood, random);
        self.live.resize(self.live.len().max(self.device_len), 0);
        for (page, held) in std::mem::take(&mut self.held) {
            let start = (page * PAGE).min(self.live.len());
            let end = (start + PAGE).min(self.live.len());
            let page_kept = !held.lost && mood.keeps(random);
            let torn = !held.lost && random.chance(500_000);
            for (index, sector) in self.live[start..end].chunks_mut(SECTOR).enumerate() {
                let kept = if torn { random.coin() } else { page_kept };
                if !kept {
                    let from = index * SECTOR;
                    sector.copy_from_slice(&held.device[from..from + sector.len()]);
                }
            }
        }
        self.live.resize(len, 0);
        self.device_len = len;
        self.len_lost = false;
    }

    fn len_after_power_loss(&self, mood: Mood, random: &mut Random) -> usize {
        let (low, high) = (self.device_len.min(self.live.len()), self.device_len.max(self.live.len()));
        if self.len_lost || low == high {
            return self.device_len;
        }
        match mood {
            Mood::Nothing => self.device_len,
            Mood::Half => low + random.index(high - low + 1),
            Mood::Most if random.coin() => low + (random.index(high - low + 1) / PAGE * PAGE).min(high - low),
            Mood::Most | Mood::Everything => self.live.len(),
        }
    }
}

fn pages(range: Range<usize>) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / PAGE..(range.end - 1) / PAGE + 1 }
}
