//! A blocking connection that sends requests and waits for their answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ottla_messages::api::ApiKey;
use ottla_wire::{ApiVersion, Cursor, EncodeError, Encoder};

use super::frame;
use crate::failure::{Doing, Failure, Result};

/// Largest answer taken, bytes.
const ANSWER_MAX: usize = 64 << 20;
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// One connection to one broker.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    sent: i32,
    received: i32,
}

impl Client {
    /// Connects; Nagle's algorithm off.
    pub(crate) fn connect(address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address).doing(&format!("connect to {address}"))?;
        stream.set_nodelay(true).doing("set TCP_NODELAY")?;
        stream.set_read_timeout(Some(ANSWER_WITHIN)).doing("set a read timeout")?;
        Ok(Client { stream, sent: 0, received: 0 })
    }

    /// Tries to connect every millisecond until the server listens or `within` has passed.
    pub(crate) fn connect_within(address: SocketAddr, within: Duration) -> Result<Client> {
        let deadline = Instant::now() + within;
        loop {
            match Client::connect(address) {
                Err(Failure::Io { source, .. })
                    if source.kind() == ErrorKind::ConnectionRefused && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                other => return other,
            }
        }
    }

    /// Sends a request and answers the body of its response.
    pub(crate) fn call(
        &mut self,
        api: ApiKey,
        version: ApiVersion,
        body: impl FnOnce(&mut Encoder) -> std::result::Result<(), EncodeError>,
    ) -> Result<Vec<u8>> {
        let frame = frame::request(api, version, body)?;
        let flexible = api.info().response_header_version(version).0 > 0;
        self.exchange(frame, flexible)
    }

    /// Sends a built frame and answers the body of its response.
    pub(crate) fn exchange(&mut self, mut frame: Vec<u8>, flexible: bool) -> Result<Vec<u8>> {
        self.send(&mut frame)?;
        self.receive(flexible)
    }

    /// Sends a built frame; several may be on their way.
    pub(crate) fn send(&mut self, frame: &mut [u8]) -> Result<()> {
        self.sent += 1;
        frame::patch_correlation(frame, self.sent);
        self.stream.write_all(frame).doing("send a request")
    }

    /// Waits for the next answer and gives its body.
    pub(crate) fn receive(&mut self, flexible: bool) -> Result<Vec<u8>> {
        self.received += 1;
        let answer = read_answer(&mut self.stream)?;
        body_of(&answer, self.received, flexible).map(<[u8]>::to_vec)
    }
}

fn read_answer(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut prefix = [0; frame::PREFIX];
    stream.read_exact(&mut prefix).doing("read an answer")?;
    let size = usize::try_from(i32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if size > ANSWER_MAX {
        return Err(Failure::Said(format!("an answer of {size} bytes is not believed")));
    }
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer).doing("read an answer")?;
    Ok(answer)
}

fn body_of(answer: &[u8], due: i32, flexible: bool) -> Result<&[u8]> {
    let mut cursor = Cursor::new(answer);
    let correlation = cursor.i32()?;
    if correlation != due {
        return Err(Failure::Said(format!("answer {correlation} came for request {due}")));
    }
    if flexible {
        cursor.skip_tags()?;
    }
    Ok(cursor.rest())
}
