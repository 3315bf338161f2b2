//! Splitting a stream of bytes into length-prefixed frames, with a bound on their size.

/// Bytes of the length in front of a frame.
pub const PREFIX: usize = 4;

/// Why the stream cannot be split any further; the connection has to be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The announced length is negative.
    #[error("a frame announces the negative size {0}")]
    Negative(i32),
    /// The announced length is above the bound.
    #[error("a frame announces {size} bytes, the limit is {limit} (socket.request.max.bytes)")]
    TooLarge {
        /// Bytes announced.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// What is known of the frame at the front of a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Front<'a> {
    /// A whole frame: what is in it, without the length.
    Whole(&'a [u8]),
    /// The buffer ends inside of the frame; this many bytes more are needed to know more.
    Partial {
        /// Bytes missing: of the length, or of the frame once the length is there.
        missing: usize,
    },
}

/// Looks at the frame at the front of `buffer`. Nothing is allocated; a size beyond `limit` (bytes of one frame, Kafka's
/// `socket.request.max.bytes`) is refused as soon as its length has arrived.
pub fn front(buffer: &[u8], limit: usize) -> Result<Front<'_>, FrameError> {
    let Some((prefix, rest)) = buffer.split_first_chunk::<PREFIX>() else {
        return Ok(Front::Partial { missing: PREFIX - buffer.len() });
    };
    let announced = i32::from_be_bytes(*prefix);
    let size = usize::try_from(announced).map_err(|_| FrameError::Negative(announced))?;
    if size > limit {
        return Err(FrameError::TooLarge { size, limit });
    }
    match rest.get(..size) {
        Some(frame) => Ok(Front::Whole(frame)),
        None => Ok(Front::Partial { missing: size - rest.len() }),
    }
}

/// Splits the frame at the front off `buffer` when it is whole.
pub fn split<'a>(buffer: &mut &'a [u8], limit: usize) -> Result<Option<&'a [u8]>, FrameError> {
    match front(buffer, limit)? {
        Front::Whole(frame) => {
            *buffer = &buffer[PREFIX + frame.len()..];
            Ok(Some(frame))
        }
        Front::Partial { .. } => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameError, Front, front, split};

    #[test]
    fn frames_come_off_the_front_in_order() {
        let bytes = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 3, 9];
        let mut rest = &bytes[..];
        assert_eq!(split(&mut rest, 100), Ok(Some(&[7, 8][..])));
        assert_eq!(split(&mut rest, 100), Ok(Some(&[][..])));
        assert_eq!(split(&mut rest, 100), Ok(None));
        assert_eq!(front(rest, 100), Ok(Front::Partial { missing: 2 }));
        assert_eq!(front(&rest[..3], 100), Ok(Front::Partial { missing: 1 }));
    }

    #[test]
    fn sizes_that_lie_are_refused_with_the_length() {
        assert_eq!(front(&[0xff, 0xff, 0xff, 0xff], 100), Err(FrameError::Negative(-1)));
        assert_eq!(front(&[0, 0, 0, 101], 100), Err(FrameError::TooLarge { size: 101, limit: 100 }));
        assert_eq!(front(&[0, 0, 0, 100], 100), Ok(Front::Partial { missing: 100 }));
    }
}
