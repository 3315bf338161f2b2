//! Times as options take them: a date with a time, a duration, now.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time in ms since 1970 of `2026-11-24T03:00:00.000`, in UTC unless it ends in `Z` or an offset like `+02`, `+0200`, `+02:00`.
pub(crate) fn datetime(text: &str) -> Result<i64, String> {
    let Some((date, time)) = text.split_once('T') else {
        return Err(
            "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to ISO8601 format"
                .to_owned(),
        );
    };
    instant(date, time).ok_or_else(|| format!("java.text.ParseException: Unparseable date: \"{text}\""))
}

fn instant(date: &str, time: &str) -> Option<i64> {
    let (time, zone) = match time.find(['+', '-', 'Z']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let [year, month, day] = numbers(date, '-')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    let valid = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    if !valid || fraction.is_empty() || fraction.len() > 3 {
        return None;
    }
    // As in Kafka, the digits count milliseconds: `.5` is five of them.
    let ms: i64 = fraction.parse().ok().filter(|ms| *ms >= 0)?;
    let of_day = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    Some(days_since_1970(year, month, day) * DAY_MS + of_day - offset_ms(zone)?)
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let digits = |part: &str| {
        let fits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse().ok()).flatten()
    };
    text.split(separator).map(digits).collect::<Option<Vec<i64>>>()?.try_into().ok()
}

/// The offset of a zone from UTC.
fn offset_ms(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    let digits = digits.replacen(':', "", 1);
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "00"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let [hours] = numbers(hours, ':')?;
    let [minutes] = numbers(minutes, ':')?;
    let ms = (hours * 60 + minutes) * 60_000;
    match sign {
        "+" => Some(ms),
        "-" => Some(-ms),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = |year: i64| year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    before(year - 1) - before(1969) + months + day - 1
}

/// A duration in ms, as ISO 8601 has it: `P2DT3H4M5.6S`, each part and the whole with a sign if it likes.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    parts(text).ok_or_else(|| "Text cannot be parsed to a Duration".to_owned())
}

fn parts(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let (sign, rest) = match upper.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let rest = rest.strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut sum = units(days, &[('D', DAY_MS)])?;
    sum = sum.checked_add(units(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1000)])?)?;
    sum.checked_mul(sign)
}

/// The sum of numbers that are each followed by their unit, in the order of `known`; only seconds may have a fraction.
fn units(mut text: &str, known: &[(char, i64)]) -> Option<i64> {
    let mut sum: i64 = 0;
    for (unit, ms) in known {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        sum = sum.checked_add(amount(number, *unit, *ms)?)?;
        text = rest;
    }
    text.is_empty().then_some(sum)
}

fn amount(number: &str, unit: char, ms: i64) -> Option<i64> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if unit == 'S' && fraction.len() <= 9 => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    let value: i64 = whole.parse().ok()?;
    let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let thousandths = if whole.starts_with('-') { -thousandths } else { thousandths };
    value.checked_mul(ms)?.checked_add(thousandths)
}

#[cfg(test)]
mod tests {
    use super::{datetime, duration};

    #[test]
    fn a_time_is_utc_unless_it_says_otherwise() {
        assert_eq!(datetime("1970-01-01T00:00:00.001"), Ok(1));
        assert_eq!(datetime("2026-11-24T03:00:00Z"), Ok(1_795_489_200_000));
        assert_eq!(datetime("2026-11-24T05:00:00+02:00"), datetime("2026-11-24T03:00:00"));
        assert_eq!(datetime("2026-11-23T22:30:00.000-0430"), datetime("2026-11-24T03:00:00"));
        assert_eq!(datetime("2024-02-29T00:00:00"), Ok(1_709_164_800_000));
    }

    #[test]
    fn a_time_that_does_not_exist_is_refused() {
        for wrong in
            ["gaga", "2026-02-29T00:00:00", "2026-13-01T00:00:00", "2026-01-01T24:00:00", "2026-01-01T00:00", "T"]
        {
            assert!(datetime(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_the_sum_of_its_parts() {
        assert_eq!(duration("PT0S"), Ok(0));
        assert_eq!(duration("P1DT2H3M4.5S"), Ok(93_784_500));
        assert_eq!(duration("-PT1M"), Ok(-60_000));
        assert_eq!(duration("PT-1.5S"), Ok(-1500));
        for wrong in ["gaga", "P", "PT", "P1H", "PT1D", "PT1.5M", "PT1S2M"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
