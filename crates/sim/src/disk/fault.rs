//! What may go wrong on a disk, how often, and what has: a suite that never met a fault has not tested it.

use std::collections::BTreeMap;
use std::path::Path;

/// What is left when a node goes down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// The process is killed: the page cache survives it, an operation under way is done in part.
    Process,
    /// The power fails: what was not synced is there, gone or torn.
    Power,
}

/// A fault of one operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// A write takes only a first part of its bytes.
    ShortWrite,
    /// A write fails with EIO after any first part.
    WriteError,
    /// A write, reservation or new file fails with ENOSPC.
    NoSpace,
    /// A sync fails with EIO; some pages are lost and count as clean.
    SyncError,
    /// A truncation fails with EIO.
    TruncateError,
    /// A read fails with EIO.
    ReadError,
}

/// How often faults come by themselves, in operations per million.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultRates {
    /// Writes that take only a part.
    pub short_write: u32,
    /// Writes that fail.
    pub write_error: u32,
    /// Syncs that fail.
    pub sync_error: u32,
    /// Truncations that fail.
    pub truncate_error: u32,
    /// Writes after which the kernel writes some pages back early.
    pub early_writeback: u32,
    /// Looks into the page cache that find nothing.
    pub cold_read: u32,
}

/// How often each thing was met, by name: `"short write"`, `"crash in append"`.
pub type Met = BTreeMap<&'static str, u64>;

/// An operation that changes the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    Create,
    Write,
    SetLen,
    Reserve,
    Sync,
    Rename,
    Remove,
    MakeDir,
    SyncDir,
}

impl Fault {
    pub(super) fn name(self) -> &'static str {
        match self {
            Fault::ShortWrite => "short write",
            Fault::WriteError => "write error",
            Fault::NoSpace => "no space",
            Fault::SyncError => "sync error",
            Fault::TruncateError => "truncate error",
            Fault::ReadError => "read error",
        }
    }

    pub(super) fn concerns(self, operation: Operation) -> bool {
        match self {
            Fault::ShortWrite | Fault::WriteError => operation == Operation::Write,
            Fault::NoSpace => matches!(operation, Operation::Write | Operation::Reserve | Operation::Create),
            Fault::SyncError => operation == Operation::Sync,
            Fault::TruncateError => operation == Operation::SetLen,
            Fault::ReadError => false,
        }
    }
}

/// The name under which a crash in an operation is counted.
pub(super) fn crash_site(operation: Operation, path: &Path) -> &'static str {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.contains("checkpoint") {
        return "crash in checkpoint";
    }
    if name.ends_with(".snapshot") || name.contains(".snapshot.") {
        return "crash in producer snapshot";
    }
    let is_log = name.ends_with(".log");
    match operation {
        Operation::Write if is_log => "crash in append",
        Operation::Create if is_log => "crash in roll",
        Operation::SetLen if is_log => "crash in truncate",
        Operation::Write if name.contains("journal") => "crash in journal write",
        Operation::Write | Operation::Reserve => "crash in write",
        Operation::Create | Operation::MakeDir => "crash in create",
        Operation::SetLen => "crash in resize",
        Operation::Sync | Operation::SyncDir => "crash in sync",
        Operation::Rename => "crash in rename",
        Operation::Remove => "crash in remove",
    }
}
