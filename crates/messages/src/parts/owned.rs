//! Borrowed values made to hold their own.

use std::borrow::Cow;

pub(crate) fn text(value: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(value.into_owned())
}

pub(crate) fn bytes(value: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(value.into_owned())
}

pub(crate) fn texts(list: Vec<Cow<'_, str>>) -> Vec<Cow<'static, str>> {
    list.into_iter().map(text).collect()
}
