//! Reading what several generated decoders read alike. Counts were checked against the bytes left by the caller.

use ottla_wire::{ApiVersion, Cursor, DecodeError};
use std::borrow::Cow;

type Read<T> = Result<T, DecodeError>;

/// Refuses a version that the message does not have.
pub(crate) fn check_version(what: &'static str, version: ApiVersion, min: i16, max: i16) -> Read<()> {
    if version.0 < min || version.0 > max {
        return Err(DecodeError::Version { what, version: version.0 });
    }
    Ok(())
}

/// Refuses a null where this version has none.
pub(crate) fn null_if<T>(allowed: bool, value: Option<T>, what: &'static str) -> Read<Option<T>> {
    if value.is_none() && !allowed {
        return Err(DecodeError::Null { what, length: -1 });
    }
    Ok(value)
}

/// `count` values of fixed size.
pub(crate) fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    count: usize,
    item: impl Fn(&mut Cursor<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    cursor.spend(count, size_of::<T>())?;
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        out.push(item(cursor)?);
    }
    Ok(out)
}

/// `count` values of fixed size, or null.
pub(crate) fn list_or_null<'a, T>(
    cursor: &mut Cursor<'a>,
    count: Option<usize>,
    item: impl Fn(&mut Cursor<'a>) -> Read<T>,
) -> Read<Option<Vec<T>>> {
    count.map(|count| list(cursor, count, item)).transpose()
}

/// `count` strings.
pub(crate) fn texts<'a>(
    cursor: &mut Cursor<'a>,
    count: usize,
    flexible: bool,
    what: &'static str,
) -> Read<Vec<Cow<'a, str>>> {
    list(cursor, count, |cursor| cursor.string(flexible, what).map(Cow::Borrowed))
}

/// `count` strings, or null.
pub(crate) fn texts_or_null<'a>(
    cursor: &mut Cursor<'a>,
    count: Option<usize>,
    flexible: bool,
    what: &'static str,
) -> Read<Option<Vec<Cow<'a, str>>>> {
    count.map(|count| texts(cursor, count, flexible, what)).transpose()
}

/// `count` structs.
pub(crate) fn structs<'a, T>(
    cursor: &mut Cursor<'a>,
    count: usize,
    version: ApiVersion,
    decode: impl Fn(&mut Cursor<'a>, ApiVersion) -> Read<T>,
) -> Read<Vec<T>> {
    cursor.spend(count, size_of::<T>())?;
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        out.push(decode(cursor, version)?);
    }
    Ok(out)
}

/// `count` structs, or null.
pub(crate) fn structs_or_null<'a, T>(
    cursor: &mut Cursor<'a>,
    count: Option<usize>,
    version: ApiVersion,
    decode: impl Fn(&mut Cursor<'a>, ApiVersion) -> Read<T>,
) -> Read<Option<Vec<T>>> {
    count.map(|count| structs(cursor, count, version, decode)).transpose()
}
