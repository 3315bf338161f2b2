use super::{Batch, Content, ControlRecord, control_batch, data_batch};
use crate::state::ids::KraftVersion;
use ottla_sim::Random;
use ottla_wire::batch::{Batches, crc};
use ottla_wire::ids::{BrokerId, Uuid};

const LOG: &[u8] = include_bytes!("../../fixtures/kafka-4.4-metadata.log");
const CHECKPOINT: &[u8] = include_bytes!("../../fixtures/kafka-4.4-standalone.checkpoint");

fn again(batch: &Batch) -> Vec<u8> {
    let Batch { base, epoch, timestamp_ms, .. } = *batch;
    match &batch.content {
        Content::Control(records) => control_batch(base, epoch, timestamp_ms, records).unwrap(),
        Content::Data(records) => data_batch(base, epoch, timestamp_ms, records).unwrap(),
    }
}

#[test]
fn batches_of_apache_kafka_are_written_again_byte_for_byte() {
    let mut count = 0;
    for bytes in [LOG, CHECKPOINT].into_iter().flat_map(Batches::new) {
        let (_, bytes) = bytes.unwrap();
        assert_eq!(again(&Batch::read(bytes).unwrap()), bytes);
        count += 1;
    }
    assert_eq!(count, 21);
}

#[test]
fn snapshot_of_a_standalone_controller_names_its_voter() {
    let (_, first) = Batches::new(CHECKPOINT).next().unwrap().unwrap();
    let Content::Control(records) = Batch::read(first).unwrap().content else { panic!("no control batch") };
    let [ControlRecord::SnapshotHeader { .. }, ControlRecord::KraftVersion(KraftVersion::DYNAMIC), voters] =
        &records[..]
    else {
        panic!("{records:?}")
    };
    let ControlRecord::Voters(voters) = voters else { panic!("{voters:?}") };
    let me = voters.get(BrokerId(1)).unwrap();
    assert_eq!(me.key.directory, Uuid::parse("7XKXvxUiR5SpoSNlwJupFw"));
    assert_eq!((me.endpoints[0].listener.as_str(), me.endpoints[0].port), ("CONTROLLER", 29093));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let (_, first) = Batches::new(CHECKPOINT).next().unwrap().unwrap();
    for at in 0..first.len() {
        let mut bytes = first.to_vec();
        bytes[at] ^= 0x55;
        // Base offset and epoch lie outside of the CRC: another number there is another batch.
        assert!(Batch::read(&bytes).is_err() || at < 8 || (12..16).contains(&at), "byte {at}");
        assert!(Batch::read(&first[..at]).is_err());
    }
}

#[test]
fn damage_behind_a_right_checksum_never_panics() {
    let batches: Vec<&[u8]> =
        [LOG, CHECKPOINT].into_iter().flat_map(Batches::new).map(|batch| batch.unwrap().1).collect();
    let mut random = Random::new(1);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut bytes = batches[random.index(batches.len())].to_vec();
        for _ in 0..=random.index(3) {
            let at = 21 + random.index(bytes.len() - 21);
            bytes[at] = random.draw() as u8;
        }
        let sum = crc(&bytes[21..]);
        bytes[17..21].copy_from_slice(&sum.to_be_bytes());
        read += u32::from(Batch::read(&bytes).is_ok());
    }
    assert!(read > 1_000, "{read} of 20,000 were still batches");
}
