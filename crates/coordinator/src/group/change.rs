//! Changes of the groups' state.

use super::record::Record;
use super::timers::Timer;
use super::{classic, consumer};
use ottla_host::Monotonic;
use ottla_metadata::Image;
use std::sync::Arc;

/// A change of the groups' state.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// Written to the log, and known to every later leader.
    Record(Record<'static>),
    /// Of a classic group, known to this leader alone.
    Classic(Arc<str>, classic::Soft),
    /// Of a KIP-848 group, known to this leader alone.
    Consumer(Arc<str>, consumer::Soft),
    /// The cluster as last seen.
    Image(Arc<Image>),
    /// A deadline is set anew, or ended.
    Timer(Timer, Option<Monotonic>),
}
