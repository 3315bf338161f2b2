//! Prints mutated batches with what the door says to each, for Kafka's own door to say the same (Verdicts.java).

use ottla_fuzz::Mutator;
use ottla_wire::batch::{self, DoorRules, ValidBatch};
use ottla_wire::ids::{LeaderEpoch, Offset};
use std::fs;
use std::io;
use std::path::Path;

/// A wall clock that stands still, in ms since 1970; Verdicts.java has the same.
const NOW: i64 = 1_800_000_000_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Length and CRC put right most of the time, so that what lies behind them is reached.
fn sealed(mut bytes: Vec<u8>, round: u64) -> Vec<u8> {
    if bytes.len() > 61 && !round.is_multiple_of(8) {
        let length = (bytes.len() as i32 - 12).to_be_bytes();
        bytes[8..12].copy_from_slice(&length);
        let crc = batch::crc(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

/// The batch as a leader stores it at offset 100 in epoch 7, or the name of the error.
fn verdict(bytes: &[u8]) -> String {
    match ValidBatch::check(bytes, &DoorRules::default(), NOW) {
        Ok(batch) => {
            let stamp = batch.stamp(Offset(100), LeaderEpoch(7));
            hex(&[stamp.bytes(), batch.rest_after(&stamp)].concat())
        }
        Err(error) => error.code().name().to_owned(),
    }
}

fn main() -> io::Result<()> {
    let rounds: u64 = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(1_000);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/batch_check");
    let mut paths: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(fs::read).collect::<Result<_, _>>()?;
    for round in 0..rounds {
        let bytes = sealed(Mutator::new(round).mutated(&seeds), round);
        println!("{} {}", verdict(&bytes), hex(&bytes));
    }
    Ok(())
}
