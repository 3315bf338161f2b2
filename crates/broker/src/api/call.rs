//! A request on its way through its handler: what the handler is given, and what becomes of its response.

use crate::cx::rights::{Operation, Resource};
use crate::cx::{Cx, Region};

use crate::api::peer::{Peer, Stage};
use bytes::Bytes;
use ottla_messages::api::ApiInfo;
use ottla_messages::header::{RequestHeader, ResponseHeader};
use ottla_wire::encoder::Cut;
use ottla_wire::{ApiVersion, Cursor, EncodeError, Encoder};
use parking_lot::Mutex;
use std::sync::Arc;

/// What a connection gives away with a request.
pub(crate) struct Work {
    pub(crate) peer: Arc<Peer>,
    /// Number of the request's stage on its connection.
    pub(crate) slot: usize,
    /// The request without its length.
    pub(crate) frame: Bytes,
    /// Memory for the answer.
    pub(crate) buffer: Vec<u8>,
}

/// An encoded answer: its own bytes, and where regions of files go between them.
#[derive(Default)]
pub(crate) struct Answer {
    /// Length, header and body without record data.
    pub(crate) bytes: Vec<u8>,
    /// Places of the regions, in order; `id` is an index into `regions`.
    pub(crate) cuts: Vec<Cut>,
    /// Record data in files.
    pub(crate) regions: Vec<Region>,
}

/// What a connection gets back.
pub(crate) enum Outcome {
    /// An answer to send.
    Answer(Answer),
    /// The client does not want an answer (acks=0).
    Silence,
    /// The connection cannot go on.
    Close(String),
}

/// A decoded request for its handler.
pub(crate) struct Call<'a, R> {
    pub(crate) request: R,
    pub(crate) version: ApiVersion,
    /// As the client named itself, empty if it did not.
    pub(crate) client_id: &'a str,
    pub(crate) peer: &'a Arc<Peer>,
    pub(crate) slot: usize,
    /// What the request borrows from.
    pub(crate) frame: &'a Bytes,
    /// Regions of files that the response's record data names by their index.
    pub(crate) regions: &'a Mutex<Vec<Region>>,
    /// What the table demands for each resource that the request names.
    pub(crate) operation: Operation,
}

impl<R> Call<'_, R> {
    /// Tells the connection how far the request has come.
    pub(crate) fn set_stage(&self, stage: Stage) {
        self.peer.set_stage(self.slot, stage);
    }

    /// Whether the caller has the right that the table demands, on `resource`.
    pub(crate) fn may(&self, cx: &Cx, resource: Resource<'_>) -> bool {
        cx.allows(self.peer, self.operation, resource)
    }
}

/// A request's header, and the cursor behind it.
pub(crate) struct Opened<'a> {
    pub(crate) header: RequestHeader<'a>,
    pub(crate) version: ApiVersion,
    pub(crate) body: Cursor<'a>,
}

/// Reads the header of a request of `info`.
pub(crate) fn open<'a>(frame: &'a Bytes, info: &ApiInfo, version: ApiVersion) -> Result<Opened<'a>, String> {
    let mut body = Cursor::new(frame);
    match RequestHeader::decode(&mut body, info.request_header_version(version)) {
        Ok(header) => Ok(Opened { header, version, body }),
        Err(error) => Err(format!("the header of {} version {} cannot be read: {error}", info.name, version.0)),
    }
}

/// Encodes length, header and the body that `encode` writes.
pub(crate) fn answer(
    to: &Opened<'_>,
    info: &ApiInfo,
    (buffer, regions): (Vec<u8>, Vec<Region>),
    encode: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
) -> Outcome {
    let mut encoder = Encoder::with_buffer(buffer);
    encoder.i32(0);
    let header = ResponseHeader { correlation_id: to.header.correlation_id };
    let written = header
        .encode(&mut encoder, info.response_header_version(to.version))
        .and_then(|()| encode(&mut encoder, to.version));
    if let Err(error) = written {
        return Outcome::Close(format!("an answer to {} version {} cannot be sent: {error}", info.name, to.version.0));
    }
    let Ok(length) = i32::try_from(encoder.total() - 4) else {
        return Outcome::Close(format!("an answer to {} is longer than the protocol can say", info.name));
    };
    encoder.patch_i32(0, length);
    let (bytes, cuts) = encoder.into_parts();
    Outcome::Answer(Answer { bytes, cuts, regions })
}

/// The function of a table row: decodes a request of module `$api`, calls `$handler`, encodes what it returns.
///
/// With `or_outcome`, the handler may return another outcome than an answer.
macro_rules! handled_by {
    ($request:ty, $handler:path) => {
        handled_by!(@ $request, cx, call, Ok::<_, Outcome>($handler(cx, call).await))
    };
    ($request:ty, $handler:path, or_outcome) => {
        handled_by!(@ $request, cx, call, $handler(cx, call).await)
    };
    (@ $request:ty, $cx:ident, $call:ident, $handled:expr) => {
        |work, row, version| {
            Box::pin(async move {
                let Work { peer, slot, frame, buffer } = work;
                let $cx: &Cx = &peer.cx;
                let info = row.key.info();
                let mut opened = match $crate::api::call::open(&frame, info, version) {
                    Ok(opened) => opened,
                    Err(reason) => return Outcome::Close(reason),
                };
                // Bytes after the request are left unread, as in Kafka: librdkafka sends three after Metadata 13.
                let request = match <$request>::decode(&mut opened.body, version) {
                    Ok(request) => request,
                    Err(error) => return Outcome::Close(format!("{} version {}: {error}", info.name, version.0)),
                };
                let regions = parking_lot::Mutex::new(Vec::new());
                let $call = Call {
                    request,
                    version,
                    client_id: opened.header.client_id.as_deref().unwrap_or_default(),
                    peer: &peer,
                    slot,
                    frame: &frame,
                    regions: &regions,
                    operation: row.operation,
                };
                let response = match $handled {
                    Ok(response) => response,
                    Err(outcome) => return outcome,
                };
                let regions = std::mem::take(&mut *regions.lock());
                $crate::api::call::answer(&opened, info, (buffer, regions), |out, version| {
                    response.encode(out, version)
                })
            })
        }
    };
}
pub(crate) use handled_by;
