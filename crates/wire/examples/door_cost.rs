//! Prints what the check at the door costs: `cargo run --release -p ottla-wire --example door_cost`.

use ottla_wire::batch::{BatchBuilder, DoorRules, NewRecord, ValidBatch};
use ottla_wire::codec::{Codec, Compression};
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::hint::black_box;
use std::time::Instant;

const NOW: i64 = 1_800_000_000_000;

/// Nanoseconds of one call: the least of several rounds, so that other work on the machine does not count.
#[expect(clippy::disallowed_methods, reason = "a measurement needs the clock")]
fn cost(mut call: impl FnMut()) -> f64 {
    let calls = 2_000;
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_nanos() as f64 / f64::from(calls)
    };
    (0..20).map(|_| round(&mut call)).fold(f64::MAX, f64::min)
}

fn batch(records: usize, value: usize, codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset(0)).compression(Compression::of(codec));
    let value: Vec<u8> = (0..value).map(|at| (at * at / 3) as u8).collect();
    for at in 0..records {
        let timestamp = NOW + at as i64;
        let record = NewRecord { timestamp, key: Some(b"key-0001"), value: Some(&value), headers: &[] };
        builder.append(&record).expect("the records fit");
    }
    builder.finish()
}

fn main() {
    println!(
        "{:>8} {:>8} {:>7} {:>10} {:>10} {:>10} {:>12}",
        "records", "value", "codec", "bytes", "crc ns", "check ns", "walk ns"
    );
    let rules = DoorRules::default();
    for (records, value) in [(1, 100), (1, 1_000), (16, 1_000), (64, 1_000), (256, 1_000), (160, 100), (1_000, 100)] {
        for codec in Codec::ALL {
            let bytes = batch(records, value, codec);
            let crc = cost(|| {
                black_box(crc_fast::crc32_iscsi(black_box(&bytes[21..])));
            });
            let other = cost(|| {
                black_box(crc32c::crc32c(black_box(&bytes[21..])));
            });
            let check = cost(|| {
                black_box(ValidBatch::check(black_box(&bytes), &rules, NOW)).expect("it is valid");
            });
            let row = format!(
                "{records:>8} {value:>8} {codec:>7} {:>10} {crc:>10.0} {other:>10.0} {check:>10.0}",
                bytes.len()
            );
            println!("{row} {:>12.0}", check - crc);
        }
    }
    let bytes = batch(16, 1_000, Codec::None);
    let valid = ValidBatch::check(&bytes, &rules, NOW).expect("it is valid");
    let plain = cost(|| {
        black_box(valid.stamp(black_box(Offset(7)), LeaderEpoch(1)));
    });
    let append_time = cost(|| {
        black_box(valid.stamp_append_time(black_box(Offset(7)), LeaderEpoch(1), NOW));
    });
    println!("stamp {plain:.0} ns, stamp with append time {append_time:.0} ns (16 x 1000)");
}
