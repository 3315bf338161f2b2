//! What decoding allocates: nothing before an announced count fits in what is left, and never much more than was sent.
#![expect(unsafe_code, reason = "a global allocator that counts can only be declared so")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(dead_code, reason = "only reading is measured here")]
#[path = "../messages/entry.rs"]
mod entry;
#[rustfmt::skip]
#[path = "../messages/list.rs"]
mod list;

use list::MESSAGES;
use ottla_messages::create_topics::CreateTopicsRequest;
use ottla_messages::fetch::FetchRequest;
use ottla_messages::metadata::MetadataRequest;
use ottla_wire::cursor::MEMORY_MAX;
use ottla_wire::{ApiVersion, Cursor, DecodeError, Encoder};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches only a plain thread-local number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|total| total.set(total.get() + layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that `work` allocates on this thread.
fn allocated(work: impl FnOnce()) -> usize {
    let before = ALLOCATED.with(Cell::get);
    work();
    ALLOCATED.with(Cell::get) - before
}

#[test]
fn announced_counts_that_cannot_be_true_allocate_nothing() {
    let frames: [[u8; 8]; 5] = [
        [0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
        [0x00, 0x0f, 0x42, 0x40, 0x00, 0x0f, 0x42, 0x40],
        [0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff],
        [0x80, 0x89, 0x3d, 0x80, 0x89, 0x3d, 0x80, 0x89],
        [0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ];
    for entry in MESSAGES {
        for version in entry.versions() {
            for frame in &frames {
                let bytes = allocated(|| {
                    (entry.read)(frame, version);
                });
                assert_eq!(bytes, 0, "{} version {version:?} of {frame:02x?}", entry.name);
            }
        }
    }
}

#[test]
fn any_frame_allocates_at_most_in_proportion_to_its_size() {
    let patterns: [u8; 6] = [0x00, 0x01, 0x02, 0x05, 0x40, 0xff];
    for entry in MESSAGES {
        for version in entry.versions() {
            for pattern in patterns {
                let mut frame = vec![pattern; 4_096];
                frame[..8].copy_from_slice(&[0, 0, 0, 2, 0x81, 0x10, 1, 1]);
                let bytes = allocated(|| {
                    (entry.read)(&frame, version);
                });
                let limit = 4_096 * 300;
                assert!(bytes < limit, "{} version {version:?} of {pattern}: {bytes} bytes", entry.name);
            }
        }
    }
}

fn topics(count: usize) -> Vec<u8> {
    let mut out = Encoder::new();
    out.i32(count as i32);
    (0..count).for_each(|_| out.string(false, "").unwrap());
    out.bool(false);
    out.into_parts().0
}

#[test]
fn a_million_empty_entries_are_read_and_one_more_is_refused() {
    let version = ApiVersion(4);
    let frame = topics(1_000_000);
    let bytes = allocated(|| {
        let request = MetadataRequest::decode(&mut Cursor::new(&frame), version).unwrap();
        assert_eq!(request.topics.map(|topics| topics.len()), Some(1_000_000));
    });
    assert!(bytes <= MEMORY_MAX, "{bytes} bytes");
    let frame = topics(1_000_001);
    let bytes = allocated(|| {
        let refused = MetadataRequest::decode(&mut Cursor::new(&frame), version);
        assert!(matches!(refused, Err(DecodeError::TooMany { count: 1_000_001, .. })));
    });
    assert_eq!(bytes, 0);
}

#[test]
fn dense_arrays_within_arrays_stay_within_the_memory_of_a_frame() {
    let version = ApiVersion(7);
    let mut out = Encoder::new();
    out.count(true, Some(40)).unwrap();
    for _ in 0..40 {
        out.string(true, "").unwrap();
        out.i32(1);
        out.i16(1);
        out.count(true, Some(0)).unwrap();
        out.count(true, Some(100_000)).unwrap();
        out.raw(&[1, 0, 0].repeat(100_000));
        out.uvarint(0);
    }
    let frame = out.into_parts().0;
    let bytes = allocated(|| {
        let refused = CreateTopicsRequest::decode(&mut Cursor::new(&frame), version);
        assert!(matches!(refused, Err(DecodeError::Memory { .. })), "{refused:?}");
    });
    assert!(bytes <= MEMORY_MAX, "{bytes} bytes");
}

#[test]
fn text_and_bytes_are_borrowed() {
    let request = FetchRequest { rack_id: "rack".into(), ..FetchRequest::default() };
    let mut out = Encoder::new();
    request.encode(&mut out, ApiVersion(18)).unwrap();
    let bytes = allocated(|| {
        let read = FetchRequest::decode(&mut Cursor::new(out.bytes()), ApiVersion(18)).unwrap();
        assert_eq!(read.rack_id, "rack");
    });
    assert_eq!(bytes, 0);
}
