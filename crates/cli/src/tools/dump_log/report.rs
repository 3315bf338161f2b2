//! What does not fit between files, told at the end on standard error.

use crate::output;
use std::collections::BTreeMap;
use std::path::Path;

/// Kinds of misfit, in the order of telling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Misfit {
    /// An offset index entry points at another batch.
    OffsetIndex,
    /// A time index entry has another timestamp than its batch.
    TimeIndex,
    /// Timestamps of a time index go back.
    TimeOrder,
    /// The offset of a time index entry ends no batch.
    TimeOffset,
    /// Offsets of a log leave some out.
    Gap,
}

/// The misfits found.
#[derive(Default, Debug)]
pub(super) struct Report {
    found: BTreeMap<(Misfit, String), Vec<(i64, i64)>>,
}

impl Report {
    /// Notes a misfit of two numbers in a file.
    pub(super) fn note(&mut self, misfit: Misfit, file: &Path, left: i64, right: i64) {
        self.found.entry((misfit, file.display().to_string())).or_default().push((left, right));
    }

    /// Prints all misfits.
    pub(super) fn print(&self) {
        for ((misfit, file), pairs) in &self.found {
            output::note(format_args!("{}{file}", misfit.title()));
            for (left, right) in pairs {
                output::note(format_args!("  {}", misfit.line(*left, *right)));
            }
        }
    }
}

impl Misfit {
    fn title(self) -> &'static str {
        match self {
            Misfit::OffsetIndex => "Mismatches in :",
            Misfit::TimeIndex => "Found timestamp mismatch in :",
            Misfit::TimeOrder => "Found out of order timestamp in :",
            Misfit::TimeOffset => "The following indexed offsets are not found in :",
            Misfit::Gap => "Non-consecutive offsets in ",
        }
    }

    fn line(self, left: i64, right: i64) -> String {
        match self {
            Misfit::OffsetIndex => format!("Index offset: {left}, log offset: {right}"),
            Misfit::TimeIndex => format!("Index timestamp: {left}, log timestamp: {right}"),
            Misfit::TimeOrder => format!("Index timestamp: {left}, Previously indexed timestamp: {right}"),
            Misfit::TimeOffset => format!("Indexed offset: {left}, found log offset: {right}"),
            Misfit::Gap => format!("{left} is followed by {right}"),
        }
    }
}
