//! The list of groups, and its filters.

use super::{Arguments, Ended};
use crate::client::groups::{Filter, Groups, Listing};
use crate::output;
use regex_lite::Regex;

/// The states a consumer group may be in.
const STATES: [&str; 7] =
    ["Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Assigning", "Reconciling"];
/// The types a consumer group may have.
const TYPES: [&str; 2] = ["Consumer", "Classic"];
/// Least width of the column of groups, and what follows the longest name.
const GROUP_WIDTH: (usize, usize) = (15, 10);

/// What stands in a column.
type Value = fn(&Listing) -> &str;
/// A column's title and what stands in it.
type Column = (&'static str, Value);

/// Prints the groups' names; with --state or --type as a table.
pub(super) fn list(groups: &mut Groups, arguments: &Arguments) -> Result<(), Ended> {
    let filter = Filter {
        states: names(arguments.state.as_ref(), &STATES, "Invalid state list", "Valid states are")?,
        types: names(arguments.kind.as_ref(), &TYPES, "Invalid types list", "Valid types are")?,
    };
    let listed = groups.list_consumers(filter)?;
    if arguments.state.is_none() && arguments.kind.is_none() {
        for listing in listed {
            output::line(listing.group);
        }
        return Ok(());
    }
    let (least, more) = GROUP_WIDTH;
    let width = listed.iter().map(|listing| listing.group.chars().count()).max().unwrap_or(0).max(least) + more;
    let columns: Vec<Column> = [
        (arguments.kind.is_some(), "TYPE", kind as Value),
        (arguments.state.is_some(), "STATE", |listing: &Listing| &listing.state),
    ]
    .into_iter()
    .filter_map(|(shown, title, value)| shown.then_some((title, value)))
    .collect();
    output::line(format_args!(
        "{:width$}{}",
        "GROUP",
        columns.iter().map(|(title, _)| format!(" {title:20}")).collect::<String>()
    ));
    for listing in &listed {
        let values: String = columns.iter().map(|(_, value)| format!(" {:20}", value(listing))).collect();
        output::line(format_args!("{:width$}{values}", listing.group));
    }
    Ok(())
}

/// The type in Kafka's spelling.
fn kind(listing: &Listing) -> &str {
    TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(&listing.kind)).unwrap_or(&listing.kind)
}

/// The known names in a comma-separated list, whatever their case.
fn names(given: Option<&Option<String>>, known: &[&str], invalid: &str, valid: &str) -> Result<Vec<String>, Ended> {
    let Some(Some(text)) = given else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for name in text.split(',').map(str::trim) {
        let bare: String = name.chars().filter(|letter| !['_', '-'].contains(letter)).collect();
        match known.iter().find(|known| known.eq_ignore_ascii_case(&bare)) {
            Some(known) => names.push((*known).to_owned()),
            None => return Err(Ended::Usage(format!("{invalid} '{text}'. {valid}: {}", known.join(", ")))),
        }
    }
    Ok(names)
}

/// Says whether a regular expression can be subscribed to.
pub(super) fn validate(regex: &str) {
    match Regex::new(regex) {
        Ok(_) => output::line(format_args!("The regular expression `{regex}` is valid.")),
        Err(error) => output::line(format_args!("The regular expression `{regex}` is invalid: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, STATES, names};

    #[test]
    fn states_are_known_in_any_case() {
        let given = Some(Some("stable, Empty".to_owned()));
        assert_eq!(names(given.as_ref(), &STATES, "", "").ok(), Some(vec!["Stable".to_owned(), "Empty".to_owned()]));
        let wrong = names(Some(&Some("bogus".to_owned())), &["A", "B"], "Invalid state list", "Valid states are");
        let Err(Ended::Usage(text)) = wrong else { panic!("a wrong state is refused") };
        assert_eq!(text, "Invalid state list 'bogus'. Valid states are: A, B");
    }
}
