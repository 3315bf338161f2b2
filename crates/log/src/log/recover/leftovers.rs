//! Files that an unfinished deletion or compaction left: removed or put in place, as Kafka does.

use crate::dir::names::{CLEANED, DELETED, FileKind, SWAP};
use crate::home::Home;
use crate::segment::scan::{REPLAY, Scan};
use ottla_host::disk::Open;
use std::io;

/// Offset that a segment file's name says, its suffix taken off.
fn offset_of(name: &str) -> Option<(i64, FileKind)> {
    FileKind::parse(name)
}

/// Removes `.deleted` and `.cleaned` files, and finishes the swaps of a compaction that was complete: the segments they
/// replace go, then the suffix does. Answers the names of the files that are there then, sorted.
pub(super) fn settle(home: &Home) -> io::Result<Vec<String>> {
    let names = list(home)?;
    if !names.iter().any(|name| [DELETED, CLEANED, SWAP].iter().any(|suffix| name.ends_with(suffix))) {
        return Ok(names);
    }
    settle_names(home, &names)?;
    list(home)
}

fn list(home: &Home) -> io::Result<Vec<String>> {
    Ok(home.disk().list(&home.path())?.into_iter().map(|entry| entry.name).collect())
}

fn settle_names(home: &Home, names: &[String]) -> io::Result<()> {
    let path = home.path();
    let with = |suffix: &'static str| names.iter().filter_map(move |name| name.strip_suffix(suffix));
    for name in names.iter().filter(|name| name.ends_with(DELETED) && !name.contains(".checkpoint")) {
        home.disk().remove_file(&path.join(name))?;
    }
    let cleaned = with(CLEANED).filter_map(offset_of).map(|(offset, _)| offset).min().unwrap_or(i64::MAX);
    for name in names.iter().filter(|name| name.ends_with(CLEANED)) {
        home.disk().remove_file(&path.join(name))?;
    }
    let mut swaps = Vec::new();
    for name in with(SWAP) {
        match offset_of(name) {
            Some((offset, kind)) if offset < cleaned => swaps.push((name.to_owned(), offset, kind)),
            Some(_) | None => home.disk().remove_file(&path.join(format!("{name}{SWAP}")))?,
        }
    }
    finish_swaps(home, names, &swaps)
}

fn finish_swaps(home: &Home, names: &[String], swaps: &[(String, i64, FileKind)]) -> io::Result<()> {
    let path = home.path();
    let mut range: Option<(i64, i64)> = None;
    for (name, base, _) in swaps.iter().filter(|(_, _, kind)| *kind == FileKind::Log) {
        let end = end_of(home, &format!("{name}{SWAP}"), *base)?;
        let (low, high) = range.unwrap_or((*base, end));
        range = Some((low.min(*base), high.max(end)));
    }
    for name in names {
        if let (Some((low, high)), Some((offset, _))) = (range, offset_of(name))
            && (low..high).contains(&offset)
        {
            home.disk().remove_file(&path.join(name))?;
        }
    }
    for (name, _, _) in swaps {
        home.disk().rename(&path.join(format!("{name}{SWAP}")), &path.join(name))?;
    }
    Ok(())
}

/// Offset after the last batch of a segment file.
fn end_of(home: &Home, name: &str, base: i64) -> io::Result<i64> {
    let file = home.disk().open(&home.path().join(name), Open::Read)?;
    let mut scan = Scan::new(&*file, 0, file.len()?, vec![0; REPLAY]);
    let mut end = base;
    while let Some((_, header)) = scan.next()? {
        end = header.next_offset().0;
    }
    Ok(end)
}
