//! A partition on a simulated disk.

use super::{AppendError, Identity, Partition, Promise, Ticket, Unavailable};
use crate::state::Assignment;
use bytes::Bytes;
use ottla_host::Host;
use ottla_log::{Append, Log, LogConfig, LogDir, Origin, PartitionName};
use ottla_sim::Sim;
use ottla_wire::Uuid;
use ottla_wire::batch::{BatchBuilder, ControlKind, EndTxn, NewRecord, Producer, SharedBatch, ValidBatch};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DATA: &str = "/data";
const ME: BrokerId = BrokerId(1);
const BATCH_BYTES: usize = 8 << 10;

async fn leader(host: &Host) -> Arc<Partition> {
    let dir = LogDir::open(host, Path::new(DATA), 8).expect("a disk that works");
    dir.start_journal(0).expect("room for a journal");
    let name = PartitionName::new("orders", PartitionIndex(0));
    let config = Arc::new(LogConfig { journal: true, ..LogConfig::default() });
    let log = Log::create(&dir, &name, None, config, host.clock.wall()).expect("a new log");
    let identity =
        Identity { topic: "orders".into(), topic_id: Uuid::ZERO, index: PartitionIndex(0), broker: ME, durable: true };
    let partition = Partition::new(identity, host, log, Offset(0));
    partition.assign(&term(0, ME)).await;
    partition
}

fn term(epoch: i32, leader: BrokerId) -> Assignment {
    Assignment {
        leader: Some(leader),
        leader_epoch: LeaderEpoch(epoch),
        partition_epoch: epoch,
        replicas: vec![ME],
        isr: [ME].into(),
    }
}

fn batch() -> SharedBatch {
    let mut builder = BatchBuilder::new(Offset(0));
    let value = vec![7; BATCH_BYTES];
    builder.append(&NewRecord { timestamp: 1, value: Some(&value), ..NewRecord::default() }).expect("a small record");
    let bytes = Bytes::from(builder.finish());
    SharedBatch::new(&bytes, &ValidBatch::trusted(&bytes).expect("a batch that was just built"))
}

/// Submits and drives as a connection does; the tickets tell what became of each batch.
async fn submit(partition: &Partition, count: usize) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    for _ in 0..count {
        tickets.push(partition.submit(batch(), Origin::Client, Promise::InSync(1)).await);
        partition.drive();
    }
    tickets
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "blocks of the journal are larger than what is written here")]
fn a_full_journal_makes_appends_wait_and_refuses_none() {
    const CONNECTIONS: usize = 4;
    const EACH: usize = 150;
    // 32 blocks of 16 KiB may wait, then what the queue holds, and a batch of each connection is on its way into it.
    const WRITTEN_MAX: i64 = 32 * 2 + 16;
    Sim::run(7, async |sim: Sim| {
        let node = sim.node("broker");
        let partition = leader(&node.host()).await;
        node.disk().stall_lane("journal", Duration::from_secs(1));
        let (done, mut answers) = tokio::sync::mpsc::channel(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let (partition, done) = (partition.clone(), done.clone());
            node.spawn("connection", async move {
                for ticket in submit(&partition, EACH).await {
                    let written = ticket.await.expect("every batch is answered");
                    written.expect("a journal that is behind refuses nothing");
                }
                done.send(()).await.expect("the test waits for it");
            });
        }
        sim.sleep(Duration::from_millis(900)).await;
        let end = partition.view().end().0;
        assert!((32..=WRITTEN_MAX).contains(&end), "{end} batches were written before a journal that stands still");
        for _ in 0..CONNECTIONS {
            answers.recv().await.expect("every connection comes to its end");
        }
        sim.sleep(Duration::from_millis(10)).await;
        assert_eq!(partition.watermark(), Offset((CONNECTIONS * EACH) as i64));
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "blocks of the journal are larger than what is written here")]
fn a_journal_that_fails_refuses_those_who_wait_for_it() {
    Sim::run(7, async |sim: Sim| {
        let node = sim.node("broker");
        let partition = leader(&node.host()).await;
        node.disk().stall_lane("journal", Duration::from_millis(100));
        let tickets = submit(&partition, 200).await;
        node.disk().fail_next(ottla_sim::Fault::WriteError, "journal", 1);
        let mut refused = 0;
        for ticket in tickets {
            refused += usize::from(ticket.await.expect("every batch is answered").is_err());
        }
        assert!(refused > 0, "what waited was answered although the device has failed");
        assert!(partition.serves().is_err());
    });
}

#[test]
fn what_a_later_term_commits_is_no_answer_for_what_was_cut_away() {
    Sim::run(7, async |sim: Sim| {
        let node = sim.node("broker");
        let partition = leader(&node.host()).await;
        node.disk().stall_lane("journal", Duration::from_millis(10));
        let ticket = submit(&partition, 1).await.remove(0);
        let lost = ticket.await.expect("an answer").expect("it was written");
        partition.assign(&term(1, BrokerId(2))).await;
        let now = sim.wall();
        partition.when_free(|log| log.truncate_to(Offset(0), now)).await.expect("a disk that works");
        partition.assign(&term(2, ME)).await;
        let ticket = submit(&partition, 1).await.remove(0);
        let kept = ticket.await.expect("an answer").expect("it was written");
        sim.sleep(Duration::from_millis(50)).await;
        assert_eq!(kept.next_offset, lost.next_offset);
        assert_eq!(partition.is_committed(kept.next_offset, kept.leader_epoch), Ok(true));
        assert!(partition.is_committed(lost.next_offset, lost.leader_epoch).is_err());
    });
}

#[test]
fn a_batch_of_one_term_is_not_written_in_another() {
    Sim::run(7, async |sim: Sim| {
        let node = sim.node("broker");
        let partition = leader(&node.host()).await;
        // It waits behind others for a device that stands still, while the leader changes twice.
        node.disk().stall_lane("journal", Duration::from_secs(1));
        let others = submit(&partition, 100).await;
        let epoch = partition.leader_epoch();
        let ticket = partition.submit_in_term(batch(), Origin::Coordinator, Promise::InSync(1), epoch).await;
        partition.drive();
        partition.assign(&term(1, BrokerId(2))).await;
        partition.assign(&term(2, ME)).await;
        assert_eq!(ticket.await.expect("an answer"), Err(AppendError::Unavailable(Unavailable::NotLeader)));
        let mut written = 0;
        for other in others {
            written += i64::from(other.await.expect("an answer").is_ok());
        }
        assert_eq!(partition.view().end(), Offset(written), "nothing else is in the log");
        let ticket = partition.submit_in_term(batch(), Origin::Coordinator, Promise::InSync(1), LeaderEpoch(2)).await;
        partition.drive();
        assert!(ticket.await.expect("an answer").is_ok());
    });
}

/// A leader whose batches are to be synced one by one.
async fn leader_that_syncs(host: &Host, log: impl FnOnce(&mut Log)) -> Arc<Partition> {
    let dir = LogDir::open(host, Path::new(DATA), 8).expect("a disk that works");
    let name = PartitionName::new("orders", PartitionIndex(0));
    let config = Arc::new(LogConfig { flush_messages: 1, ..LogConfig::default() });
    let mut made = Log::create(&dir, &name, None, config, host.clock.wall()).expect("a new log");
    log(&mut made);
    let identity =
        Identity { topic: "orders".into(), topic_id: Uuid::ZERO, index: PartitionIndex(0), broker: ME, durable: false };
    let end = made.view().end();
    let partition = Partition::new(identity, host, made, end);
    partition.assign(&term(0, ME)).await;
    partition
}

#[test]
fn a_batch_that_is_written_while_another_is_synced_waits_for_its_own_sync() {
    Sim::run(7, async |sim: Sim| {
        let node = sim.node("broker");
        let partition = leader_that_syncs(&node.host(), |_| {}).await;
        let first = submit(&partition, 1).await.remove(0).await.expect("an answer").expect("it was written");
        // The task that syncs now and then has been here.
        let flush = partition.when_free(|log| log.flush(true)).await.expect("a disk that works").expect("a batch");
        let through = flush.through;
        partition.view().log_dir().sync(&mut [flush]).await.expect("a disk that works");
        partition.when_free(|log| log.flushed(through, sim.wall())).await;
        // In the queue, and written by whoever lets go of the writer next.
        let ticket = partition.submit(batch(), Origin::Client, Promise::InSync(1)).await;
        partition.flush_as_configured(first.next_offset).await.expect("it is on the device");
        let second = ticket.await.expect("an answer").expect("it was written");
        partition.flush_as_configured(second.next_offset).await.expect("a disk that works");
        let point = partition.when_free(|log| log.recovery_point()).await;
        assert_eq!(point, second.next_offset, "it was acknowledged before it was synced");
    });
}

#[test]
fn what_ended_before_the_checkpointed_watermark_is_stable_at_once() {
    Sim::run(7, async |sim: Sim| {
        let producer = Producer { id: ProducerId(7), epoch: ProducerEpoch(0), base_sequence: 0 };
        let mut data = BatchBuilder::new(Offset(0)).producer(producer).transactional();
        data.append(&NewRecord { timestamp: 1, value: Some(b"v"), ..NewRecord::default() }).expect("a small record");
        let data = data.finish();
        let marker =
            BatchBuilder::end_of_transaction(producer, ControlKind::Commit, EndTxn { coordinator_epoch: 0 }, 1);
        let partition = leader_that_syncs(&sim.node("broker").host(), |log| {
            let mut out = Vec::new();
            for (bytes, origin) in [(&data, Origin::Client), (&marker, Origin::Marker { strict: false })] {
                let batch = ValidBatch::trusted(bytes).expect("a batch that was just built");
                log.append(LeaderEpoch(0), sim.wall(), &[Append { batch, origin }], &mut out);
            }
        })
        .await;
        assert_eq!((partition.watermark(), partition.stable()), (Offset(2), Offset(2)));
    });
}
