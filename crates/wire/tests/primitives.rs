//! Primitives of the protocol: what is written reads back, and what lies about its size costs nothing.

use ottla_wire::cursor::{ARRAY_ITEMS_MAX, Cursor, DEPTH_MAX, DecodeError};
use ottla_wire::encoder::{Cut, EncodeError, Encoder, Records};
use ottla_wire::ids::Uuid;
use proptest::prelude::*;

fn written(write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut out = Encoder::new();
    write(&mut out);
    out.into_parts().0
}

#[test]
fn varints_are_those_of_protocol_buffers() {
    for (value, bytes) in
        [(0, &[0][..]), (127, &[0x7f]), (128, &[0x80, 1]), (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f])]
    {
        assert_eq!(written(|out| out.uvarint(value)), bytes);
        assert_eq!(Cursor::new(bytes).uvarint(), Ok(value));
    }
    for (value, bytes) in [(0, &[0][..]), (-1, &[1]), (1, &[2]), (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f])] {
        assert_eq!(written(|out| out.varint(value)), bytes);
        assert_eq!(Cursor::new(bytes).varint(), Ok(value));
    }
}

#[test]
fn varints_longer_than_their_type_are_refused() {
    assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint(), Err(DecodeError::Varint));
    assert_eq!(Cursor::new(&[0x80; 5]).uvarint(), Err(DecodeError::Varint));
    assert_eq!(Cursor::new(&[0x80; 11]).varlong(), Err(DecodeError::Varint));
    assert!(matches!(Cursor::new(&[0x80]).uvarint(), Err(DecodeError::Short { .. })));
}

#[test]
fn an_array_that_cannot_fit_is_refused_before_it_is_read() {
    let announced = 1_000_000_i32.to_be_bytes();
    assert!(matches!(Cursor::new(&announced).count(false, 1, "topics"), Err(DecodeError::Short { .. })));
    let over = (ARRAY_ITEMS_MAX as i32 + 1).to_be_bytes();
    assert!(matches!(Cursor::new(&over).count(false, 0, "topics"), Err(DecodeError::TooMany { .. })));
    assert_eq!(Cursor::new(&[0xff; 4]).count(false, 1, "topics"), Ok(None));
    assert_eq!(Cursor::new(&[0]).count(true, 1, "topics"), Ok(None));
    assert!(matches!(Cursor::new(&[0]).count_required(true, 1, "topics"), Err(DecodeError::Null { .. })));
}

#[test]
fn lengths_below_null_are_refused() {
    assert!(matches!(Cursor::new(&[0xff, 0xfe]).nullable_string(false, "name"), Err(DecodeError::Null { .. })));
    assert!(matches!(Cursor::new(&[0x80, 0, 0, 0]).nullable_bytes(false, "data"), Err(DecodeError::Null { .. })));
    assert!(matches!(Cursor::new(&[0, 2, 0xff, 0xff]).string(false, "name"), Err(DecodeError::Utf8 { .. })));
}

#[test]
fn tags_go_up_and_structs_do_not_nest_for_ever() {
    let tags = [2, 1, 1, b'a', 1, 1, b'b'];
    let mut cursor = Cursor::new(&tags);
    assert_eq!(cursor.skip_tags(), Err(DecodeError::TagOrder { tag: 1 }));
    let mut cursor = Cursor::new(&[]);
    for _ in 0..DEPTH_MAX {
        cursor.descend().unwrap();
    }
    assert_eq!(cursor.descend(), Err(DecodeError::Depth));
}

#[test]
fn records_from_elsewhere_leave_a_cut_and_no_bytes() {
    let mut out = Encoder::new();
    out.i16(7);
    out.records(true, Some(Records::Elsewhere { id: 3, length: 300 })).unwrap();
    out.i8(1);
    assert_eq!(out.cuts(), [Cut { at: 4, id: 3, length: 300 }]);
    assert_eq!((out.bytes().len(), out.total()), (5, 305));
    out.clear();
    assert_eq!(out.total(), 0);
}

#[test]
fn text_longer_than_its_length_field_is_refused() {
    let long = "x".repeat(i16::MAX as usize + 1);
    let mut out = Encoder::new();
    assert_eq!(out.string(false, &long), Err(EncodeError::TooLong { length: long.len() }));
    assert_eq!(out.string(true, &long), Err(EncodeError::TooLong { length: long.len() }));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        numbers in (any::<i8>(), any::<i16>(), any::<i32>(), any::<i64>(), any::<u32>(), any::<f64>()),
        text in proptest::option::of(".{0,40}"),
        data in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        id in any::<[u8; 16]>(),
        flexible in any::<bool>(),
    ) {
        let bytes = written(|out| {
            out.i8(numbers.0);
            out.i16(numbers.1);
            out.varint(numbers.2);
            out.varlong(numbers.3);
            out.uvarint(numbers.4);
            out.f64(numbers.5);
            out.nullable_string(flexible, text.as_deref()).unwrap();
            out.nullable_bytes(flexible, data.as_deref()).unwrap();
            out.uuid(Uuid(id));
        });
        let mut cursor = Cursor::new(&bytes);
        prop_assert_eq!(cursor.i8(), Ok(numbers.0));
        prop_assert_eq!(cursor.i16(), Ok(numbers.1));
        prop_assert_eq!(cursor.varint(), Ok(numbers.2));
        prop_assert_eq!(cursor.varlong(), Ok(numbers.3));
        prop_assert_eq!(cursor.uvarint(), Ok(numbers.4));
        prop_assert_eq!(cursor.f64().unwrap().to_bits(), numbers.5.to_bits());
        prop_assert_eq!(cursor.nullable_string(flexible, "text"), Ok(text.as_deref()));
        prop_assert_eq!(cursor.nullable_bytes(flexible, "data"), Ok(data.as_deref()));
        prop_assert_eq!(cursor.uuid(), Ok(Uuid(id)));
        prop_assert_eq!(cursor.finish("all"), Ok(()));
    }

    #[test]
    fn ids_print_and_parse(id in any::<[u8; 16]>()) {
        prop_assert_eq!(Uuid::parse(&Uuid(id).to_string()), Some(Uuid(id)));
    }
}
