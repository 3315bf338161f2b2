//! Directories: the entries that programs see, and the changes that the device has not been told of yet.

use super::content::{Content, Mood};
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

/// The directory that holds all others.
pub(super) const ROOT: u64 = 0;

/// A file or directory.
#[derive(Debug)]
pub(super) enum Node {
    File { content: Content, modified_ms: i64 },
    Dir { live: BTreeMap<String, u64>, device: BTreeMap<String, u64> },
}

/// A change of directory entries; a rename changes two at once.
#[derive(Debug)]
struct Change {
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    dir: u64,
    name: String,
    entry: Option<u64>,
}

/// The tree of one device. `changes` are in the order they were made.
#[derive(Debug)]
pub(super) struct Names {
    nodes: BTreeMap<u64, Node>,
    changes: Vec<Change>,
    next: u64,
}

/// A place in the tree: the directory, the last name, and what lies there.
pub(super) struct Place {
    pub(super) dir: u64,
    pub(super) name: String,
    pub(super) found: Option<u64>,
}

impl Names {
    pub(super) fn new() -> Names {
        let root = Node::Dir { live: BTreeMap::new(), device: BTreeMap::new() };
        Names { nodes: BTreeMap::from([(ROOT, root)]), changes: Vec::new(), next: ROOT + 1 }
    }

    /// The node at `path`; None if nothing lies there.
    pub(super) fn find(&self, path: &Path) -> Option<u64> {
        let mut at = ROOT;
        for name in names_of(path) {
            at = *self.entries(at).ok()?.get(&name)?;
        }
        Some(at)
    }

    /// Where `path` is or would be; `NotFound` without its directory.
    pub(super) fn place(&self, path: &Path) -> io::Result<Place> {
        let name = names_of(path).pop().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().unwrap_or(Path::new("/"));
        let dir = self.find(parent).ok_or(io::ErrorKind::NotFound)?;
        let found = self.entries(dir)?.get(&name).copied();
        Ok(Place { dir, name, found })
    }

    pub(super) fn node(&self, id: u64) -> &Node {
        self.nodes.get(&id).expect("entries point to nodes, and handles of purged nodes are refused")
    }

    pub(super) fn content(&mut self, id: u64, now_ms: i64) -> io::Result<&mut Content> {
        match self.nodes.get_mut(&id) {
            Some(Node::File { content, modified_ms }) => {
                *modified_ms = now_ms;
                Ok(content)
            }
            Some(Node::Dir { .. }) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn entries(&self, dir: u64) -> io::Result<&BTreeMap<String, u64>> {
        match self.node(dir) {
            Node::Dir { live, .. } => Ok(live),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn add_file(&mut self, place: Place, now_ms: i64) -> u64 {
        self.add(place, Node::File { content: Content::default(), modified_ms: now_ms })
    }

    pub(super) fn add_dir(&mut self, place: Place) -> u64 {
        self.add(place, Node::Dir { live: BTreeMap::new(), device: BTreeMap::new() })
    }

    fn add(&mut self, place: Place, node: Node) -> u64 {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        self.change(vec![Edit { dir: place.dir, name: place.name, entry: Some(id) }]);
        id
    }

    pub(super) fn remove(&mut self, place: Place) {
        self.change(vec![Edit { dir: place.dir, name: place.name, entry: None }]);
    }

    pub(super) fn rename(&mut self, from: Place, to: Place) {
        let gone = Edit { dir: from.dir, name: from.name, entry: None };
        self.change(vec![gone, Edit { dir: to.dir, name: to.name, entry: from.found }]);
    }

    fn change(&mut self, edits: Vec<Edit>) {
        for edit in &edits {
            self.apply(edit, false);
        }
        self.changes.push(Change { edits });
    }

    fn apply(&mut self, edit: &Edit, on_device: bool) {
        let Some(Node::Dir { live, device }) = self.nodes.get_mut(&edit.dir) else { return };
        let entries = if on_device { device } else { live };
        match edit.entry {
            Some(id) => entries.insert(edit.name.clone(), id),
            None => entries.remove(&edit.name),
        };
    }

    /// Puts the entries of `dir` on the device, with what had to happen before in directories that renames tie to it.
    pub(super) fn sync_dir(&mut self, dir: u64) {
        let mut tied = BTreeSet::from([dir]);
        let mut synced = Vec::new();
        for change in std::mem::take(&mut self.changes).into_iter().rev() {
            if change.edits.iter().any(|edit| tied.contains(&edit.dir)) {
                tied.extend(change.edits.iter().map(|edit| edit.dir));
                synced.push(change);
            } else {
                self.changes.push(change);
            }
        }
        self.changes.reverse();
        for change in synced.into_iter().rev() {
            change.edits.iter().for_each(|edit| self.apply(edit, true));
        }
    }

    /// Puts the entries of all directories on the device.
    pub(super) fn sync_dirs(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            change.edits.iter().for_each(|edit| self.apply(edit, true));
        }
    }

    /// What every file holds, those without a name included.
    pub(super) fn contents(&mut self) -> impl Iterator<Item = &mut Content> {
        self.nodes.values_mut().filter_map(|node| match node {
            Node::File { content, .. } => Some(content),
            Node::Dir { .. } => None,
        })
    }

    /// Keeps of each directory some first part of its unsynced changes, and of each file what its device may hold.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let mood = Mood::draw(random);
        let mut stopped = BTreeSet::new();
        for change in std::mem::take(&mut self.changes) {
            let is_stopped = change.edits.iter().any(|edit| stopped.contains(&edit.dir));
            if !is_stopped && mood.keeps(random) {
                change.edits.iter().for_each(|edit| self.apply(edit, true));
            } else {
                stopped.extend(change.edits.iter().map(|edit| edit.dir));
            }
        }
        for node in self.nodes.values_mut() {
            match node {
                Node::File { content, .. } => content.lose_power(random),
                Node::Dir { live, device } => live.clone_from(device),
            }
        }
    }

    /// Forgets nodes that no entry leads to, nor would if a part of the unsynced changes were lost. Only when no handle is
    /// in use.
    pub(super) fn purge(&mut self) {
        let mut kept = BTreeSet::new();
        let mut open = vec![ROOT];
        open.extend(self.changes.iter().flat_map(|change| &change.edits).filter_map(|edit| edit.entry));
        while let Some(id) = open.pop() {
            if kept.insert(id)
                && let Some(Node::Dir { live, device }) = self.nodes.get(&id)
            {
                open.extend(live.values().chain(device.values()));
            }
        }
        self.nodes.retain(|id, _| kept.contains(id));
    }

    /// Bytes of all files that entries lead to.
    pub(super) fn used(&self) -> u64 {
        let mut used = 0;
        let mut open = vec![ROOT];
        while let Some(id) = open.pop() {
            match self.node(id) {
                Node::File { content, .. } => used += content.len() as u64,
                Node::Dir { live, .. } => open.extend(live.values()),
            }
        }
        used
    }
}

fn names_of(path: &Path) -> Vec<String> {
    let normal = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    });
    normal.collect()
}
