//! Bytes that have arrived on a connection, cut into whole frames that share the buffer.

use bytes::{Buf, Bytes, BytesMut};

/// Size of a fresh read buffer.
pub(crate) const READ_BYTES: usize = 64 << 10;
/// Room below which a buffer is extended before reading on.
const ROOM_MIN: usize = 4 << 10;
/// A larger frame gets its memory by doubling while its bytes really arrive.
const RESERVE_MAX: usize = 1 << 20;
/// Bytes before a frame that say how long it is.
const LENGTH_BYTES: usize = 4;

/// Why the bytes are not a sequence of frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a request of {length} bytes was announced, socket.request.max.bytes allows {limit}")]
    TooLong { length: i32, limit: usize },
    #[error("a request with the length {length} was announced, too short for its header")]
    TooShort { length: i32 },
}

/// What stands at the front of the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Front {
    /// Not enough to say how long the next frame is.
    Nothing,
    /// A frame of `length` bytes that is not complete.
    Part { length: usize },
    /// A whole frame of `length` bytes whose header begins with this API key.
    Whole { length: usize, key: i16 },
}

/// The read buffer of a connection; holds no memory while the connection is idle.
#[derive(Default)]
pub(crate) struct Inbox {
    buffer: BytesMut,
}

impl Inbox {
    /// What stands at the front; frames over `limit` bytes are refused here, before any memory is taken for them.
    pub(crate) fn front(&self, limit: usize) -> Result<Front, FrameError> {
        let Some((head, rest)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(Front::Nothing);
        };
        let announced = i32::from_be_bytes(*head);
        let Ok(length) = usize::try_from(announced) else {
            return Err(FrameError::TooShort { length: announced });
        };
        if length > limit {
            return Err(FrameError::TooLong { length: announced, limit });
        }
        // key, version, correlation id
        if length < 8 {
            return Err(FrameError::TooShort { length: announced });
        }
        match rest.split_first_chunk::<2>() {
            Some((key, _)) if rest.len() >= length => Ok(Front::Whole { length, key: i16::from_be_bytes(*key) }),
            Some(_) | None => Ok(Front::Part { length }),
        }
    }

    /// Takes the whole frame of `length` bytes that `front` has found, without its length.
    pub(crate) fn take(&mut self, length: usize) -> Bytes {
        self.buffer.advance(LENGTH_BYTES);
        self.buffer.split_to(length).freeze()
    }

    /// The buffer with room to read into: for what is missing of the frame at the front, or for further ones.
    pub(crate) fn room(&mut self, front: Front, pool: &Pool) -> &mut BytesMut {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take();
        }
        let held = self.buffer.len();
        let missing = match front {
            Front::Part { length } => (LENGTH_BYTES + length).saturating_sub(held),
            Front::Nothing | Front::Whole { .. } => 0,
        };
        let room = missing.min(RESERVE_MAX.max(held)).max(ROOM_MIN);
        if self.buffer.capacity() - held < room {
            self.buffer.reserve(room.max(READ_BYTES - ROOM_MIN));
        }
        &mut self.buffer
    }

    /// Gives an empty buffer back, so that an idle connection holds none.
    pub(crate) fn rest(&mut self, pool: &Pool) {
        if self.buffer.is_empty() && self.buffer.capacity() > 0 {
            pool.put(std::mem::take(&mut self.buffer));
        }
    }
}

/// Read buffers of connections that have nothing to read.
#[derive(Default)]
pub(crate) struct Pool(parking_lot::Mutex<Vec<BytesMut>>);

/// Buffers kept for later.
const POOL_MAX: usize = 64;

impl Pool {
    fn take(&self) -> BytesMut {
        let kept = self.0.try_lock().and_then(|mut kept| kept.pop());
        kept.unwrap_or_else(|| BytesMut::with_capacity(READ_BYTES))
    }

    fn put(&self, mut buffer: BytesMut) {
        // A buffer that frames still share, or one that grew, is let go.
        if buffer.try_reclaim(READ_BYTES)
            && buffer.capacity() <= 2 * READ_BYTES
            && let Some(mut kept) = self.0.try_lock().filter(|kept| kept.len() < POOL_MAX)
        {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameError, Front, Inbox, Pool};

    fn inbox(bytes: &[u8]) -> Inbox {
        let mut inbox = Inbox::default();
        inbox.room(Front::Nothing, &Pool::default()).extend_from_slice(bytes);
        inbox
    }

    #[test]
    fn frames_are_cut_one_after_the_other() {
        let mut inbox = inbox(b"\0\0\0\x08\0\x12\0\0\0\0\0\x01\0\0\0\x09\0\x03");
        assert_eq!(inbox.front(100), Ok(Front::Whole { length: 8, key: 18 }));
        assert_eq!(&inbox.take(8)[..], b"\0\x12\0\0\0\0\0\x01");
        assert_eq!(inbox.front(100), Ok(Front::Part { length: 9 }));
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_by_its_length_alone() {
        let mut two_gigabytes = inbox(b"\x7f\xff\xff\xff");
        assert_eq!(two_gigabytes.front(100), Err(FrameError::TooLong { length: i32::MAX, limit: 100 }));
        assert!(two_gigabytes.room(Front::Nothing, &Pool::default()).capacity() < 1 << 20);
        assert_eq!(inbox(b"\xff\xff\xff\xff").front(100), Err(FrameError::TooShort { length: -1 }));
        assert_eq!(inbox(b"\0\0\0\x07").front(100), Err(FrameError::TooShort { length: 7 }));
    }

    #[test]
    fn a_large_frame_takes_memory_as_it_arrives() {
        let mut inbox = inbox(b"\x05\0\0\0");
        let front = inbox.front(100 << 20).expect("within the limit");
        assert!(inbox.room(front, &Pool::default()).capacity() <= 3 << 20);
    }
}
