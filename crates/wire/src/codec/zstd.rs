//! Zstandard with contexts that are kept from one batch to the next.

use std::cell::RefCell;
use std::io::{self, Read};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, ResetDirective};

/// Kafka's default level.
const LEVEL: i32 = 3;
/// A context that has grown beyond this many bytes is not kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

thread_local! {
    /// Memory to work in, one context a thread; a context carries nothing from one batch to the next.
    static DECODER: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    static ENCODER: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
}

/// Appends `data` as one frame.
pub(super) fn compress(data: &[u8], level: Option<i32>, out: &mut Vec<u8>) -> io::Result<()> {
    let mut context = ENCODER.take().unwrap_or_default();
    let result = compress_with(&mut context, data, level.unwrap_or(LEVEL), out);
    if context.sizeof() <= KEPT_BYTES_MAX {
        ENCODER.set(Some(context));
    }
    result
}

fn compress_with(context: &mut CCtx<'static>, data: &[u8], level: i32, out: &mut Vec<u8>) -> io::Result<()> {
    context.reset(ResetDirective::SessionAndParameters).map_err(coded)?;
    context.set_parameter(CParameter::CompressionLevel(level)).map_err(coded)?;
    let at = out.len();
    out.resize(at + zstd::zstd_safe::compress_bound(data.len()), 0);
    let written = context.compress2(&mut out[at..], data).map_err(coded)?;
    out.truncate(at + written);
    Ok(())
}

fn coded(code: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, zstd::zstd_safe::get_error_name(code))
}

/// Runs `body` over the decompressed bytes of all frames in `data`.
pub(super) fn reading<R>(data: &[u8], body: impl FnOnce(&mut dyn Read) -> R) -> io::Result<R> {
    let mut context = DECODER.take().unwrap_or_default();
    context.reset(ResetDirective::SessionAndParameters).map_err(coded)?;
    let result = body(&mut zstd::stream::read::Decoder::with_context(data, &mut context));
    if context.sizeof() <= KEPT_BYTES_MAX {
        DECODER.set(Some(context));
    }
    Ok(result)
}
