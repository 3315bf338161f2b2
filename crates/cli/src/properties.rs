//! Java properties files: `key=value`, `key: value` or `key value`, `#` and `!` comments, `\` continuation and escapes.

use std::collections::BTreeMap;

/// Why a properties file could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PropertiesError {
    /// An escape that is cut short or no hexadecimal number.
    #[error("line {line}: \\u must be followed by four hexadecimal digits")]
    Escape {
        /// Line number, from 1.
        line: usize,
    },
    /// An argument that is not `key=value`.
    #[error("{text:?} is not of the form key=value")]
    NoEquals {
        /// The argument.
        text: String,
    },
}

/// Parses the text of a properties file. A key given twice keeps its last value, as in Java.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, String>, PropertiesError> {
    let mut entries = BTreeMap::new();
    for (line, content) in logical_lines(text) {
        let (key, value) = split(&content);
        entries.insert(unescape(key, line)?, unescape(value, line)?);
    }
    Ok(entries)
}

/// Parses a `key=value` argument, as `--override` and `--property` take it.
pub(crate) fn pair(text: &str) -> Result<(String, String), PropertiesError> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        Some(_) | None => Err(PropertiesError::NoEquals { text: text.to_owned() }),
    }
}

/// Joins continued lines and leaves out blanks and comments; each with the number of its first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start_matches([' ', '\t', '\x0c']).trim_end_matches('\r');
        let (number, mut content) = match open.take() {
            Some(open) => open,
            None if line.is_empty() || line.starts_with(['#', '!']) => continue,
            None => (at + 1, String::new()),
        };
        if is_continued(line) {
            content.push_str(&line[..line.len() - 1]);
            open = Some((number, content));
        } else {
            content.push_str(line);
            lines.push((number, content));
        }
    }
    lines.extend(open);
    lines
}

/// Whether the line ends in an odd number of backslashes.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Splits at the first unescaped separator: blanks, with at most one `=` or `:` among them.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|letter: char| {
        let found = !escaped && matches!(letter, '=' | ':' | ' ' | '\t' | '\x0c');
        escaped = letter == '\\' && !escaped;
        found
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches([' ', '\t', '\x0c']);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches([' ', '\t', '\x0c']))
}

fn unescape(text: &str, line: usize) -> Result<String, PropertiesError> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\x0c'),
            Some('u') => out.push(unicode(&mut letters).ok_or(PropertiesError::Escape { line })?),
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

/// The letter of a `\uXXXX` escape; a surrogate takes its second half from the escape that follows.
fn unicode(letters: &mut std::str::Chars<'_>) -> Option<char> {
    let first = hex(letters)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    if letters.next() != Some('\\') || letters.next() != Some('u') {
        return None;
    }
    let second = hex(letters)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)
}

fn hex(letters: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value * 16 + letters.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::{PropertiesError, pair, parse};

    fn one(text: &str) -> (String, String) {
        parse(text).unwrap().into_iter().next().unwrap()
    }

    #[test]
    fn separators_may_be_equals_colon_or_blank() {
        for text in ["a=b", "a:b", "a b", " a = b", "a\t:\tb"] {
            assert_eq!(one(text), ("a".into(), "b".into()), "{text:?}");
        }
        assert_eq!(one("alone"), ("alone".into(), String::new()));
        assert_eq!(one("listeners=PLAINTEXT://:9092"), ("listeners".into(), "PLAINTEXT://:9092".into()));
    }

    #[test]
    fn comments_and_blank_lines_hold_nothing() {
        assert!(parse("# a=b\n! c=d\n\n   \n").unwrap().is_empty());
    }

    #[test]
    fn a_backslash_continues_the_line_without_its_indent() {
        assert_eq!(one("a=b,\\\n    c"), ("a".into(), "b,c".into()));
        assert_eq!(one("a=b\\\\"), ("a".into(), "b\\".into()));
    }

    #[test]
    fn escapes_give_letters() {
        assert_eq!(one("a\\=b=\\u0041\\t\\ud83d\\ude00"), ("a=b".into(), "A\t😀".into()));
        assert_eq!(parse("a=\\u12"), Err(PropertiesError::Escape { line: 1 }));
    }

    #[test]
    fn the_last_value_of_a_key_wins() {
        assert_eq!(parse("a=1\na=2").unwrap()["a"], "2");
    }

    #[test]
    fn an_override_needs_an_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("a").is_err());
        assert!(pair("=a").is_err());
    }
}
