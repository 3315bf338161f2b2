//! Durations as Java writes them: `PnDTnHnMn.nS`.

/// Seconds of each unit, with whether it stands behind the `T`.
const UNITS: [(char, i128, bool); 4] = [('D', 86_400, false), ('H', 3_600, true), ('M', 60, true), ('S', 1, true)];
const NANOS: i128 = 1_000_000_000;

/// Whether `text` is a duration that is not negative.
pub(super) fn is_duration(text: &str) -> bool {
    nanos(&text.to_ascii_uppercase()).is_some_and(|nanos| nanos >= 0)
}

fn nanos(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut rest = text.strip_prefix('P')?;
    let (mut total, mut units, mut is_time) = (0, UNITS.iter(), false);
    if rest.is_empty() || rest.ends_with('T') {
        return None;
    }
    while !rest.is_empty() {
        if let (false, Some(time)) = (is_time, rest.strip_prefix('T')) {
            (rest, is_time) = (time, true);
        }
        let at = rest.find(|one: char| one.is_ascii_alphabetic())?;
        let (number, tail) = rest.split_at(at);
        let mut letters = tail.chars();
        let letter = letters.next()?;
        // Units come in their order, each at most once.
        let (_, seconds, _) = units.find(|(unit, _, behind)| *unit == letter && *behind == is_time)?;
        total += quantity(number, letter == 'S')? * seconds;
        rest = letters.as_str();
    }
    Some(sign * total)
}

/// A number of units in billionths; only seconds may have a fraction.
fn quantity(text: &str, may_be_fraction: bool) -> Option<i128> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) if may_be_fraction => (whole, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let whole: i64 = whole.parse().ok()?;
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let billionths: i128 = format!("{fraction:0<9}").parse().ok()?;
    let is_negative = text.starts_with('-');
    Some(i128::from(whole) * NANOS + if is_negative { -billionths } else { billionths })
}
