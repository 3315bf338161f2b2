//! Patterns that members subscribe by, in RE2's syntax: matched in linear time, within bounds.

use crate::group::Fault;
use regex::bytes::{Regex, RegexBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes that a compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 16 << 10;
/// Groups within groups.
const NESTING_MAX: u32 = 100;

/// The pattern, to match whole names.
fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("it has more than {PATTERN_BYTES_MAX} bytes"));
    }
    let plain = literals(pattern);
    // What does not stand alone, such as `a)(b`, must not be completed by what is put around it.
    builder(&plain).build().map_err(|error| reason(&error))?;
    builder(&format!(r"\A(?:{plain})\z")).build().map_err(|error| reason(&error))
}

fn builder(pattern: &str) -> RegexBuilder {
    let mut builder = RegexBuilder::new(pattern);
    builder.unicode(false).size_limit(COMPILED_BYTES_MAX).nest_limit(NESTING_MAX);
    builder
}

/// The last line of the error says what is wrong; the others draw where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error:").trim().to_owned()
}

/// The pattern with `\Q…\E`, which RE2 takes literally, written out.
fn literals(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        if let Some(quoted) = escape.strip_prefix(r"\Q") {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            plain.push_str(&regex::escape(literal));
            rest = after;
        } else {
            // The character behind a backslash is not looked at: it may be a backslash.
            let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            plain.push_str(&escape[..end]);
            rest = &escape[end..];
        }
    }
    plain.push_str(rest);
    plain
}

/// Whether the pattern can be used.
///
/// # Errors
/// INVALID_REGULAR_EXPRESSION with Kafka's text.
pub fn check(pattern: &Arc<str>) -> Result<(), Fault> {
    match compile(pattern) {
        Ok(_) => Ok(()),
        Err(reason) => Err(Fault::InvalidRegex { pattern: Arc::clone(pattern), reason }),
    }
}

/// The topics that each pattern matches, of those that may be seen; a pattern that cannot be used matches none. One is
/// compiled at a time: a group may have as many patterns as members, and each may take much memory.
pub fn resolve<'t>(
    patterns: impl IntoIterator<Item = Arc<str>>,
    topics: impl Iterator<Item = &'t Arc<str>>,
    may_see: impl Fn(&str) -> bool,
) -> BTreeMap<Arc<str>, BTreeSet<Arc<str>>> {
    let mut topics: Vec<(&Arc<str>, Option<bool>)> = topics.map(|topic| (topic, None)).collect();
    let mut matching = |regex: &Regex| {
        let matched = topics.iter_mut().filter(|(topic, _)| regex.is_match(topic.as_bytes()));
        let seen =
            matched.filter_map(|(topic, is_seen)| is_seen.get_or_insert_with(|| may_see(topic)).then_some(*topic));
        seen.map(Arc::clone).collect::<BTreeSet<_>>()
    };
    let found = patterns.into_iter().map(|pattern| {
        let topics = compile(&pattern).map_or_else(|_| BTreeSet::new(), |regex| matching(&regex));
        (pattern, topics)
    });
    found.collect()
}
