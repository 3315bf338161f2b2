use super::{Codec, CodecError, Compression, decompress};
use proptest::prelude::*;

fn packed(codec: Codec, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0xee];
    Compression::of(codec).compress(data, &mut out).unwrap();
    out.split_off(1)
}

fn unpacked(codec: Codec, data: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    decompress(codec, data, limit, &mut out).map(|()| out)
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for codec in Codec::ALL {
        for size in [0, 1, 100, 32 * 1024, 65_536, 65_537, 300_000] {
            let data: Vec<u8> = (0..size).map(|at: usize| (at * at / 7) as u8).collect();
            assert_eq!(unpacked(codec, &packed(codec, &data), size).as_deref(), Ok(&data[..]), "{codec} {size}");
        }
    }
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    for codec in Codec::ALL {
        let bomb = packed(codec, &zeros);
        let limit = 1 << 20;
        assert_eq!(unpacked(codec, &bomb, limit), Err(CodecError::TooLarge { codec, limit }));
        assert_eq!(unpacked(codec, &bomb, 8 << 20).map(|data| data.len()), Ok(8 << 20));
    }
}

#[test]
fn damaged_or_cut_data_is_an_error() {
    let data: Vec<u8> = (0..100_000_u32).flat_map(|at| (at / 3).to_be_bytes()).collect();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let whole = packed(codec, &data);
        for end in [1, 3, 10, 30, whole.len() / 2, whole.len() - 1] {
            assert_eq!(unpacked(codec, &whole[..end], 1 << 20), Err(CodecError::Damaged(codec)), "{codec} to {end}");
        }
        assert_eq!(unpacked(codec, &[0xff; 64], 1 << 20), Err(CodecError::Damaged(codec)));
    }
}

#[test]
fn lz4_frames_start_with_the_bytes_that_kafka_writes() {
    assert_eq!(&packed(Codec::Lz4, b"hello hello hello")[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    assert_eq!(packed(Codec::Lz4, b"").len(), 11);
}

#[test]
fn lz4_blocks_that_lean_on_each_other_are_refused_as_in_kafka() {
    let mut frame = packed(Codec::Lz4, b"hello");
    frame[4] &= !0x20;
    assert_eq!(unpacked(Codec::Lz4, &frame, 100), Err(CodecError::Damaged(Codec::Lz4)));
}

#[test]
fn snappy_is_read_with_and_without_framing_and_from_streams_in_a_row() {
    let bare = snap::raw::Encoder::new().compress_vec(b"hello").unwrap();
    assert_eq!(unpacked(Codec::Snappy, &bare, 100).as_deref(), Ok(&b"hello"[..]));
    let mut twice = packed(Codec::Snappy, b"one ");
    twice.extend(packed(Codec::Snappy, b"two"));
    assert_eq!(unpacked(Codec::Snappy, &twice, 100).as_deref(), Ok(&b"one two"[..]));
    assert!(twice.starts_with(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"));
}

#[test]
fn snappy_block_that_announces_gigabytes_allocates_nothing() {
    let liar = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1];
    assert_eq!(unpacked(Codec::Snappy, &liar, 1 << 20), Err(CodecError::Damaged(Codec::Snappy)));
}

#[test]
fn levels_are_those_of_kip_390() {
    for (codec, good, bad) in [
        (Codec::Gzip, vec![-1, 1, 9], vec![0, 10, -2]),
        (Codec::Lz4, vec![1, 17], vec![0, 18]),
        (Codec::Zstd, vec![-131_072, 0, 22], vec![23, -131_073]),
    ] {
        for level in good {
            let compression = Compression::at_level(codec, level).unwrap();
            let mut out = Vec::new();
            compression.compress(b"hello hello hello hello", &mut out).unwrap();
            assert_eq!(unpacked(codec, &out, 100).as_deref(), Ok(&b"hello hello hello hello"[..]));
        }
        for level in bad {
            assert!(matches!(Compression::at_level(codec, level), Err(CodecError::Level { .. })), "{codec} {level}");
        }
    }
    assert!(Compression::at_level(Codec::Snappy, 1).is_err());
    assert!(!Compression::at_level(Codec::Lz4, 3).unwrap().honours_level());
}

proptest! {
    #[test]
    fn mutated_data_never_panics(
        data in proptest::collection::vec(any::<u8>(), 0..3_000),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        id in 1_u8..5,
    ) {
        let codec = Codec::from_id(id).unwrap();
        let mut packed = packed(codec, &data);
        let at = at.index(packed.len());
        packed[at] = byte;
        let _ = unpacked(codec, &packed, 10_000);
        let _ = unpacked(codec, &data, 10_000);
    }
}
