//! Floor servers: the least that could be called a server, so that the cost of being a broker can be told apart.

pub(crate) mod fetch;
pub(crate) mod heartbeat;
pub(crate) mod produce;

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use crate::failure::{Doing, Failure, Result};

/// Largest request taken, bytes.
const REQUEST_MAX: usize = 100 << 20;
/// Bytes asked of the socket at once, and the first size of the buffer.
const INPUT: usize = 256 << 10;

/// Listens on a free port, prints it, and serves each connection on a thread of its own.
fn serve(connection: impl Fn(TcpStream, usize) -> Result<()> + Send + Sync + 'static) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("listen")?;
    println!("{}", listener.local_addr().doing("ask for the port")?);
    let connection = std::sync::Arc::new(connection);
    for (number, stream) in listener.incoming().enumerate() {
        let stream = stream.doing("accept")?;
        stream.set_nodelay(true).doing("set TCP_NODELAY")?;
        let connection = std::sync::Arc::clone(&connection);
        std::thread::spawn(move || {
            if let Err(error) = connection(stream, number) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// Whole requests off a socket; one read may bring several.
struct Requests {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Requests {
    fn new() -> Requests {
        Requests { buffer: vec![0; INPUT], start: 0, end: 0 }
    }

    /// The next request without its length, or none at the end of the connection.
    fn next(&mut self, stream: &mut TcpStream) -> Result<Option<&[u8]>> {
        loop {
            let have = self.end - self.start;
            let size = self.announced()?;
            if let Some(size) = size.filter(|size| have >= 4 + size) {
                let at = self.start + 4;
                self.start = at + size;
                return Ok(Some(&self.buffer[at..at + size]));
            }
            self.make_room(4 + size.unwrap_or(0));
            let count = stream.read(&mut self.buffer[self.end..]).doing("read requests")?;
            if count == 0 {
                return Ok(None);
            }
            self.end += count;
        }
    }

    fn announced(&self) -> Result<Option<usize>> {
        let Some(prefix) = self.buffer[self.start..self.end].first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*prefix) as usize;
        if size > REQUEST_MAX {
            return Err(Failure::Said(format!("a request of {size} bytes")));
        }
        Ok(Some(size))
    }

    fn make_room(&mut self, wanted: usize) {
        if self.start == self.end || self.buffer.len() - self.start < wanted.max(INPUT / 2) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
    }
}
