//! Writes the seed corpus to `fuzz/seeds`, one directory a target: `cargo run -p ottla-fuzz --bin seeds`.

use ottla_wire::batch::{BatchBuilder, ControlKind, EndTxn, Header, NewRecord, Producer};
use ottla_wire::codec::{Codec, Compression};
use ottla_wire::ids::{Offset, ProducerEpoch, ProducerId};
use std::fs;
use std::io;
use std::path::Path;

const TIME: i64 = 1_799_999_999_000;
const PRODUCER: Producer = Producer { id: ProducerId(9), epoch: ProducerEpoch(3), base_sequence: 5 };

fn batch(mut builder: BatchBuilder) -> Vec<u8> {
    let value = b"a value that repeats itself, repeats itself, repeats itself".repeat(3);
    let headers = [
        Header { key: b"h", value: None },
        Header { key: b"h", value: Some(b"x") },
        Header { key: b"", value: Some(b"") },
    ];
    for record in [
        NewRecord { timestamp: TIME, ..NewRecord::default() },
        NewRecord { timestamp: TIME + 5, key: Some(b"k"), value: Some(b""), headers: &headers },
        NewRecord { timestamp: TIME - 700, key: Some(b""), value: Some(&value), headers: &[] },
    ] {
        builder.append(&record).expect("the records fit");
    }
    builder.finish()
}

fn batches() -> Vec<(String, Vec<u8>)> {
    let plain = || BatchBuilder::new(Offset(0));
    let mut seeds: Vec<_> = Codec::ALL
        .into_iter()
        .map(|codec| (codec.name().to_owned(), batch(plain().compression(Compression::of(codec)))))
        .collect();
    let commit = EndTxn { coordinator_epoch: 11 };
    seeds.push(("transactional".into(), batch(plain().producer(PRODUCER).transactional())));
    seeds.push(("append-time".into(), batch(plain().append_time(TIME))));
    seeds.push(("commit".into(), BatchBuilder::end_of_transaction(PRODUCER, ControlKind::Commit, commit, TIME)));
    seeds.push(("two".into(), [batch(plain()), batch(plain())].concat()));
    seeds
}

fn codec(codec: Codec) -> Vec<(String, Vec<u8>)> {
    let texts = [("empty", vec![]), ("short", b"hello hello".to_vec()), ("long", b"0123456789".repeat(4_000))];
    texts
        .into_iter()
        .map(|(name, text)| {
            let mut out = Vec::new();
            Compression::of(codec).compress(&text, &mut out).expect("compressing in memory does not fail");
            (name.to_owned(), out)
        })
        .collect()
}

fn small(seeds: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    seeds.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

/// The messages that a broker reads most; the smoke test takes all of them.
fn messages() -> Vec<(String, Vec<u8>)> {
    let often = ["ProduceRequest", "FetchRequest", "MetadataRequest", "ApiVersionsRequest", "ListOffsetsRequest"];
    ottla_fuzz::message_seeds().into_iter().filter(|(name, _)| often.contains(&name.as_str())).collect()
}

fn main() -> io::Result<()> {
    let frames = small(&[("two", &[0, 0, 0, 2, 7, 8, 0, 0, 0, 0]), ("cut", &[0, 0, 3, 0xe8, 1]), ("bad", &[0xff; 4])]);
    let cursors = small(&[
        ("numbers", &[0, 1, 2, 7, 9, 9, 9, 9, 0xac, 2, 1, 0x80, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
        ("texts", &[0x83, 3, 0x84, 4, 0x85, 5, 6, 8, 2, b'a', 0, 1, b'b', 3, 1, 2, 0xff, 0xff, 0xff, 0xff, 2, 9, 9, 9]),
    ]);
    let records = small(&[
        ("feature", &[1, 12, 0, 17, b'm', b'e', b't', b'a', b'd', b'a', b't', b'a', b'.', b'v', b'e']),
        ("topic", &[1, 2, 0, 2, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
    ]);
    let corpus = [
        ("batch_check", batches()),
        ("batch_read", batches()),
        ("codec_gzip", codec(Codec::Gzip)),
        ("codec_snappy", codec(Codec::Snappy)),
        ("codec_lz4", codec(Codec::Lz4)),
        ("codec_zstd", codec(Codec::Zstd)),
        ("frames", frames),
        ("cursor", cursors),
        ("message", messages()),
        ("metadata_record", records),
    ];
    for (target, seeds) in corpus {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in seeds {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
