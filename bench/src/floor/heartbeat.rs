//! The floor of members at idle: one thread sleeps until somebody speaks, reads, and answers that all is well.

use std::net::{TcpListener, TcpStream};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::failure::{Doing, Result};

/// Bytes of the answer: length, correlation id, throttle time, error code.
const ANSWER: usize = 14;
/// Where the correlation id lies in a request and in its answer.
const REQUEST_ID: std::ops::Range<usize> = 8..12;
const ANSWER_ID: std::ops::Range<usize> = 4..8;
/// Most connections that are heard of at once.
const EVENTS: usize = 256;

/// Listens on a free port, prints it, and answers each request; clients send the next one after the answer.
pub(crate) fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("listen")?;
    println!("{}", listener.local_addr().doing("ask for the port")?);
    let poll = epoll::create(CreateFlags::CLOEXEC).doing("make an epoll instance")?;
    epoll::add(&poll, &listener, EventData::new_u64(0), EventFlags::IN).doing("watch the listener")?;
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut events = Vec::<Event>::with_capacity(EVENTS);
    loop {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None).doing("wait")?;
        for event in &events {
            match event.data.u64() {
                0 => {
                    let (stream, _) = listener.accept().doing("accept")?;
                    stream.set_nodelay(true).doing("set TCP_NODELAY")?;
                    let number = EventData::new_u64(connections.len() as u64 + 1);
                    epoll::add(&poll, &stream, number, EventFlags::IN | EventFlags::ET).doing("watch a connection")?;
                    connections.push(stream);
                }
                number => answer(&connections[number as usize - 1])?,
            }
        }
    }
}

fn answer(stream: &TcpStream) -> Result<()> {
    let mut request = [0; 512];
    let (read, _) = recv(stream, &mut request, RecvFlags::empty()).doing("read a request")?;
    if read < REQUEST_ID.end {
        return Ok(());
    }
    let mut answer = [0; ANSWER];
    answer[3] = ANSWER as u8 - 4;
    answer[ANSWER_ID].copy_from_slice(&request[REQUEST_ID]);
    send(stream, &answer, SendFlags::empty()).doing("send an answer")?;
    Ok(())
}
