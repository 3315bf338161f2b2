//! One blocking connection to one broker: negotiated versions, a request, its answer.

use crate::failure::{Failure, While};
use ottla_messages::api::ApiKey;
use ottla_messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_messages::header::{RequestHeader, ResponseHeader};
use ottla_wire::error::ErrorCode;
use ottla_wire::version::Capability;
use ottla_wire::{ApiVersion, Cursor, EncodeError, Encoder};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a connection may take, and how much longer than its own timeout an answer may.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a call that may take long asks whether to go on.
const GLANCE: Duration = Duration::from_millis(100);
/// The largest answer that is read (Kafka's `socket.request.max.bytes`).
const ANSWER_BYTES_MAX: usize = 100 * 1024 * 1024;

/// A connection that knows which versions the broker serves.
pub(crate) struct Link {
    stream: TcpStream,
    address: String,
    client_id: String,
    correlation: i32,
    served: BTreeMap<i16, (i16, i16)>,
}

/// An answer's bytes with the version they are in.
pub(crate) struct Answer {
    version: ApiVersion,
    bytes: Vec<u8>,
    body: usize,
}

impl Answer {
    /// A cursor at the start of the body, and the version to decode it in.
    pub(crate) fn body(&self) -> (Cursor<'_>, ApiVersion) {
        (Cursor::new(&self.bytes[self.body..]), self.version)
    }
}

impl Link {
    /// Connects to `host:port` under a client's id and asks which versions are served.
    pub(crate) fn connect(address: &str, client_id: &str) -> Result<Link, Failure> {
        let mut last = None;
        let addresses = address.to_socket_addrs();
        let addresses =
            addresses.map_err(|error| Failure::passing(format!("could not connect to {address}: {error}")))?;
        for resolved in addresses {
            match TcpStream::connect_timeout(&resolved, PATIENCE) {
                Ok(stream) => return Link::negotiate(stream, address, client_id),
                Err(error) => last = Some(error),
            }
        }
        let why = last.map_or_else(|| "the name has no address".to_owned(), |error| error.to_string());
        Err(Failure::passing(format!("could not connect to {address}: {why}. Is a broker running there?")))
    }

    fn negotiate(stream: TcpStream, address: &str, client_id: &str) -> Result<Link, Failure> {
        stream.set_nodelay(true).during(|| "set TCP_NODELAY".to_owned())?;
        stream.set_read_timeout(Some(PATIENCE)).during(|| "set a read timeout".to_owned())?;
        let (address, client_id) = (address.to_owned(), client_id.to_owned());
        let mut link = Link { stream, address, client_id, correlation: 0, served: BTreeMap::new() };
        let request = ApiVersionsRequest {
            client_software_name: "ottla".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
            ..ApiVersionsRequest::default()
        };
        let mut ranges = BTreeMap::new();
        for version in [3, 0].map(ApiVersion) {
            let answer = link.exchange(ApiKey::ApiVersions, version, |out, version| request.encode(out, version))?;
            // A broker that does not know the version answers in version 0, which says so.
            let (mut cursor, _) = answer.body();
            let in_version = if cursor.rest().starts_with(&[0, 0]) { version } else { ApiVersion(0) };
            let response =
                ApiVersionsResponse::decode(&mut cursor, in_version).during(|| link.reading("its versions"))?;
            ranges = response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
            if response.error_code == ErrorCode::NONE.code() {
                break;
            }
        }
        link.served = ranges;
        Ok(link)
    }

    fn reading(&self, what: &str) -> String {
        format!("read {what} from {}", self.address)
    }

    /// Sends a request in the newest version that both sides know and waits for the answer.
    pub(crate) fn call(
        &mut self,
        api: ApiKey,
        encode: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
    ) -> Result<Answer, Failure> {
        let version = self.version(api)?;
        self.exchange(api, version, encode)
    }

    /// Like [`Link::call`], in the newest version that cannot do `capability` yet: for APIs that later name topics by id
    /// alone, where names are what is known here.
    pub(crate) fn call_without(
        &mut self,
        capability: Capability,
        api: ApiKey,
        encode: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
    ) -> Result<Answer, Failure> {
        let version = self.version(api)?.min(ApiVersion(capability.since - 1));
        self.exchange(api, version, encode)
    }

    /// Like [`Link::call`] for a request that the broker may hold for as long as it takes: `go_on` is asked every
    /// [`GLANCE`] whether to wait any longer. None when it was not; the connection is of no use then.
    pub(crate) fn call_while(
        &mut self,
        api: ApiKey,
        encode: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Answer>, Failure> {
        let version = self.version(api)?;
        self.send(api, version, encode)?;
        if !self.readable(go_on)? {
            return Ok(None);
        }
        self.answer(api, version).map(Some)
    }

    /// Waits for the first byte of an answer; false when `go_on` gave up first.
    fn readable(&mut self, go_on: &mut dyn FnMut() -> bool) -> Result<bool, Failure> {
        self.stream.set_read_timeout(Some(GLANCE)).during(|| "set a read timeout".to_owned())?;
        let found = loop {
            match self.stream.peek(&mut [0]) {
                Ok(_) => break true,
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                    if !go_on() {
                        break false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(&error)),
            }
        };
        self.stream.set_read_timeout(Some(PATIENCE)).during(|| "set a read timeout".to_owned())?;
        Ok(found)
    }

    /// Whether the broker serves an API in a version that is known here.
    pub(crate) fn serves(&self, api: ApiKey) -> bool {
        self.version(api).is_ok()
    }

    /// Sends a request that has no answer (a produce with acks=0).
    pub(crate) fn tell(
        &mut self,
        api: ApiKey,
        encode: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
    ) -> Result<(), Failure> {
        let version = self.version(api)?;
        self.send(api, version, encode)
    }

    /// The newest version of an API that both sides know.
    fn version(&self, api: ApiKey) -> Result<ApiVersion, Failure> {
        let ours = api.info().versions;
        let served = self.served.get(&(api as i16)).copied();
        let Some((low, high)) = served else {
            return Err(Failure::new(format!("the broker at {} does not serve {}", self.address, api.name())));
        };
        let newest = high.min(ours.max);
        if newest < low.max(ours.min) {
            let name = api.name();
            return Err(Failure::new(format!("{name} is served in versions {low} to {high} only at {}", self.address)));
        }
        Ok(ApiVersion(newest))
    }

    fn exchange(
        &mut self,
        api: ApiKey,
        version: ApiVersion,
        encode: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
    ) -> Result<Answer, Failure> {
        self.send(api, version, encode)?;
        self.answer(api, version)
    }

    fn send(
        &mut self,
        api: ApiKey,
        version: ApiVersion,
        encode: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
    ) -> Result<(), Failure> {
        self.correlation += 1;
        let header = RequestHeader {
            request_api_key: api as i16,
            request_api_version: version.0,
            correlation_id: self.correlation,
            client_id: Some(self.client_id.as_str().into()),
        };
        let mut out = Encoder::new();
        out.i32(0);
        let written = header.encode(&mut out, api.info().request_header_version(version));
        written.and_then(|()| encode(&mut out, version)).during(|| format!("write a {} request", api.name()))?;
        let size = i32::try_from(out.position() - 4).during(|| format!("write a {} request", api.name()))?;
        out.patch_i32(0, size);
        let sent = self.stream.write_all(out.bytes());
        sent.map_err(|error| Failure::passing(format!("could not send to {}: {error}", self.address)))
    }

    fn answer(&mut self, api: ApiKey, version: ApiVersion) -> Result<Answer, Failure> {
        let bytes = self.frame()?;
        let mut cursor = Cursor::new(&bytes);
        let header = ResponseHeader::decode(&mut cursor, api.info().response_header_version(version))
            .during(|| self.reading("an answer"))?;
        if header.correlation_id != self.correlation {
            let (got, sent) = (header.correlation_id, self.correlation);
            return Err(Failure::new(format!("{} answered request {got} when {sent} was asked", self.address)));
        }
        let body = bytes.len() - cursor.remaining();
        Ok(Answer { version, bytes, body })
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        self.stream.read_exact(bytes).map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &std::io::Error) -> Failure {
        if error.kind() == ErrorKind::UnexpectedEof {
            return Failure::passing(format!("the broker at {} closed the connection", self.address));
        }
        Failure::passing(format!("could not {}: {error}", self.reading("an answer")))
    }

    fn frame(&mut self) -> Result<Vec<u8>, Failure> {
        let mut size = [0; 4];
        self.fill(&mut size)?;
        let size = i32::from_be_bytes(size);
        match usize::try_from(size) {
            Ok(size) if size <= ANSWER_BYTES_MAX => {
                let mut bytes = vec![0; size];
                self.fill(&mut bytes)?;
                Ok(bytes)
            }
            _ => Err(Failure::new(format!(
                "{} announced an answer of {size} bytes: is it a Kafka broker?",
                self.address
            ))),
        }
    }
}
