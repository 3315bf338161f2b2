//! Offsets as lines of CSV: `topic,partition,offset` of one group, `group,topic,partition,offset` of several.

use super::Plan;
use crate::client::offsets::TopicPartition;
use std::collections::BTreeMap;

/// The lines of all plans, each with its end of line; without the group when there is but one.
pub(super) fn write(plans: &BTreeMap<String, Plan>, single: bool) -> String {
    let mut text = String::new();
    for (group, plan) in plans {
        for (place, offset) in plan {
            let group = if single { String::new() } else { format!("{},", quoted(group)) };
            text.push_str(&format!("{group}{},{},{offset}\n", quoted(&place.topic), place.partition));
        }
    }
    text
}

/// A field, in quotes when it has to be.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r', ' ']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The plans in a sheet. Lines of three fields belong to the `only` group.
pub(super) fn read(text: &str, only: Option<&str>) -> Result<BTreeMap<String, Plan>, String> {
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| format!("line {} of the file, {line:?}, {what}", at + 1);
        let fields = fields(line).ok_or_else(|| wrong("has a quote that is not closed"))?;
        let (group, rest) = match (fields.as_slice(), only) {
            ([_, _, _], Some(only)) => (only, &fields[..]),
            ([group, _, _, _], _) => (group.as_str(), &fields[1..]),
            _ => return Err(wrong("is neither topic,partition,offset of one group nor group,topic,partition,offset")),
        };
        let partition = rest[1].trim().parse().map_err(|_| wrong("has no number as its partition"))?;
        let offset = rest[2].trim().parse().map_err(|_| wrong("has no number as its offset"))?;
        let place = TopicPartition::new(rest[0].as_str(), partition);
        plans.entry(group.to_owned()).or_default().insert(place, offset);
    }
    Ok(plans)
}

/// The fields of a line; None when a quote is not closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars().peekable();
    let mut inside = false;
    while let Some(letter) = letters.next() {
        let last = fields.last_mut().expect("there is one field from the start and none is ever taken away");
        match letter {
            '"' if inside && letters.peek() == Some(&'"') => {
                last.push('"');
                letters.next();
            }
            '"' => inside = !inside,
            ',' if !inside => fields.push(String::new()),
            other => last.push(other),
        }
    }
    (!inside).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn what_is_written_is_read_back() {
        let text = "a,orders,0,5\na,orders,1,7\n\"b,c\",orders,0,9\n";
        let plans = read(text, None).unwrap();
        assert_eq!(write(&plans, false), text);
        assert_eq!(plans["b,c"].len(), 1);
    }

    #[test]
    fn lines_without_a_group_belong_to_the_only_one() {
        let plans = read("orders,0,5\n", Some("g")).unwrap();
        assert_eq!(write(&plans, true), "orders,0,5\n");
        assert!(read("orders,0,5\n", None).is_err());
        assert!(read("orders,zero,5\n", Some("g")).is_err());
        assert!(read("\"orders,0,5\n", Some("g")).is_err());
    }
}
