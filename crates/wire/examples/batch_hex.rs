//! Prints batches of every codec in hex, for another implementation to read (tests/data/Batches.java).

use ottla_wire::batch::{BatchBuilder, Header, NewRecord, Producer};
use ottla_wire::codec::{Codec, Compression};
use ottla_wire::ids::{Offset, ProducerEpoch, ProducerId};

fn main() {
    let value = b"a value that repeats itself, repeats itself, ".repeat(5_000);
    let headers = [Header { key: b"h", value: None }, Header { key: b"h", value: Some(b"x") }];
    for (codec, level) in Codec::ALL.into_iter().zip([None, Some(9), None, Some(3), Some(19)]) {
        let compression = level.map_or(Compression::of(codec), |level| {
            Compression::at_level(codec, level).expect("the level is in the range")
        });
        let producer = Producer { id: ProducerId(9), epoch: ProducerEpoch(3), base_sequence: 5 };
        let mut builder = BatchBuilder::new(Offset(12)).producer(producer).transactional().compression(compression);
        for (timestamp, value) in [(1_700_000_000_000, &value[..40]), (1_700_000_000_009, &value[..])] {
            let record = NewRecord { timestamp, key: Some(b"key"), value: Some(value), headers: &headers };
            builder.append(&record).expect("the records fit");
        }
        let hex: String = builder.finish().iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{codec} {hex}");
    }
}
