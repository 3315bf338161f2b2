mod memory;

use super::{AppendError, Committed, Feed, Quorum, QuorumConfig};
use crate::snapshot::{self, Contents};
use crate::state::ids::{OffsetAndEpoch, ReplicaKey, Voter, VoterSet};
use crate::{DiskLog, SegmentLimits, VersionedRecord, metadata_dir};
use memory::{MemoryLog, Shelf};
use ottla_host::{Disk, Host};
use ottla_log::LogDir;
use ottla_messages::records::metadata::{FeatureLevelRecord, MetadataRecord, NoOpRecord};
use ottla_sim::{Crash, Sim};
use ottla_wire::ids::{BrokerId, LeaderEpoch, Offset, Uuid};
use std::path::Path;
use std::time::Duration;

const DIR: &str = "/data/__cluster_metadata-0";

fn config() -> QuorumConfig {
    let key = ReplicaKey { id: BrokerId(1), directory: None };
    let voters = VoterSet::new([Voter { key, endpoints: Vec::new(), kraft_versions: (0, 1) }]);
    let mut config = QuorumConfig::new(BrokerId(1), Uuid([9; 16]));
    config.static_voters = voters;
    config
}

fn feature(level: i16) -> VersionedRecord {
    let record = FeatureLevelRecord { name: "metadata.version".into(), feature_level: level };
    VersionedRecord::new(MetadataRecord::FeatureLevel(record), 0)
}

async fn start(host: &Host, shelf: &Shelf, config: QuorumConfig) -> (Quorum, Feed) {
    host.disk.create_dir_all(Path::new(DIR)).unwrap();
    let log = MemoryLog::open(shelf);
    Quorum::start(host, Path::new(DIR), Box::new(log), config).await.unwrap()
}

/// Takes items until nothing comes for a virtual second; NoOps are left out.
async fn drain(host: &Host, feed: &mut Feed) -> Vec<String> {
    let mut items = Vec::new();
    let until = host.clock.monotonic() + Duration::from_secs(1);
    while host.clock.monotonic() < until {
        while let Some(item) = feed.try_next() {
            items.extend(text(&item));
        }
        host.tasks.sleep_until(host.clock.monotonic() + Duration::from_millis(10)).await;
    }
    items
}

fn text(item: &Committed) -> Option<String> {
    match item {
        Committed::Bootstrap(records) => Some(format!("bootstrap of {}", records.len())),
        Committed::Snapshot { id, records, .. } => Some(format!("snapshot {id} of {}", records.len())),
        Committed::Batch { base, last, epoch, records, .. } => {
            let no_op = records.len() == 1 && records[0].record == MetadataRecord::NoOp(NoOpRecord {});
            (!no_op).then(|| format!("batch {base}-{last} epoch {epoch} of {}", records.len()))
        }
        Committed::Leadership(leadership) => Some(format!("leader {:?} epoch {}", leadership.leader, leadership.epoch)),
        Committed::SnapshotDue { id, .. } => Some(format!("snapshot due at {id}")),
    }
}

#[test]
fn quorum_of_one_leads_at_once_and_hands_on_what_it_commits() {
    Sim::run(1, async |sim: Sim| {
        let node = sim.node("1");
        let shelf = Shelf::default();
        let (quorum, mut feed) = start(&node.host(), &shelf, config()).await;
        assert_eq!(quorum.leadership().borrow().leader, Some(BrokerId(1)));
        let one = quorum.append(LeaderEpoch(1), vec![feature(25)]);
        let two = quorum.append(LeaderEpoch(1), vec![feature(26), feature(27)]);
        assert_eq!((one.await, two.await), (Ok(Offset(1)), Ok(Offset(3))));
        let items = drain(&node.host(), &mut feed).await;
        let expected =
            ["batch 0-0 epoch 1 of 0", "leader Some(1) epoch 1", "batch 1-1 epoch 1 of 1", "batch 2-3 epoch 1 of 2"];
        assert_eq!(items, expected);
        quorum.stop().await;
        let refused = quorum.append(LeaderEpoch(1), vec![feature(1)]).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(_))));
    });
}

#[test]
fn appends_that_arrive_together_share_a_write_and_a_flush() {
    Sim::run(2, async |sim: Sim| {
        let node = sim.node("1");
        let shelf = Shelf::default();
        let (quorum, _feed) = start(&node.host(), &shelf, config()).await;
        let before = shelf.counts();
        let appends: Vec<_> = (0..100).map(|level| quorum.append(LeaderEpoch(1), vec![feature(level)])).collect();
        for append in appends {
            append.await.unwrap();
        }
        let after = shelf.counts();
        assert!(after.0 - before.0 <= 3 && after.1 - before.1 <= 3, "{before:?} → {after:?}");
    });
}

#[test]
fn restart_leads_a_new_epoch_and_replays_the_log() {
    Sim::run(3, async |sim: Sim| {
        let node = sim.node("1");
        let shelf = Shelf::default();
        let (quorum, feed) = start(&node.host(), &shelf, config()).await;
        quorum.append(LeaderEpoch(1), vec![feature(25)]).await.unwrap();
        quorum.stop().await;
        drop(feed);
        let (_quorum, mut feed) = start(&node.host(), &shelf, config()).await;
        let items = drain(&node.host(), &mut feed).await;
        let expected =
            ["batch 0-0 epoch 1 of 0", "batch 1-1 epoch 1 of 1", "batch 2-2 epoch 2 of 0", "leader Some(1) epoch 2"];
        assert_eq!(items, expected);
    });
}

#[test]
fn bootstrap_snapshot_is_handed_on_and_idle_records_wait_for_the_first_metadata() {
    Sim::run(4, async |sim: Sim| {
        let node = sim.node("1");
        let host = node.host();
        let records = [feature(25)];
        let contents =
            Contents { id: OffsetAndEpoch::BOOTSTRAP, last_timestamp_ms: 5, now_ms: 6, kraft: None, records: &records };
        snapshot::write(&*host.disk, Path::new(DIR), contents).unwrap();
        let shelf = Shelf::default();
        let (quorum, mut feed) = start(&host, &shelf, config()).await;
        assert_eq!(
            drain(&host, &mut feed).await,
            ["bootstrap of 1", "batch 0-0 epoch 1 of 0", "leader Some(1) epoch 1"]
        );
        assert_eq!(quorum.status().end, Offset(1), "no idle records before the cluster exists");
        quorum.append(LeaderEpoch(1), records.to_vec()).await.unwrap();
        drain(&host, &mut feed).await;
        let end = quorum.status().end;
        assert!(end >= Offset(3), "idle records twice a second, log ends at {end}");
    });
}

#[test]
fn snapshot_falls_due_is_written_and_replaces_the_log_before_it() {
    Sim::run(5, async |sim: Sim| {
        let node = sim.node("1");
        let host = node.host();
        let shelf = Shelf::default();
        let mut small = config();
        small.snapshot_bytes = 200;
        small.idle_interval = Duration::ZERO;
        let (quorum, mut feed) = start(&host, &shelf, small.clone()).await;
        for level in 1..=3 {
            quorum.append(LeaderEpoch(1), vec![feature(level)]).await.unwrap();
        }
        let mut due = None;
        while let Some(item) = feed.next().await {
            if let Committed::SnapshotDue { id, last_timestamp_ms } = item {
                due = Some(id);
                quorum.write_snapshot(id, last_timestamp_ms, vec![feature(9)]).await;
                break;
            }
        }
        let id = due.unwrap();
        drain(&host, &mut feed).await;
        assert_eq!(quorum.status().snapshot, Some(id));
        quorum.stop().await;
        let (_quorum, mut feed) = start(&host, &shelf, small).await;
        let items = drain(&host, &mut feed).await;
        assert_eq!(items[0], format!("snapshot {id} of 1"));
        assert!(items[1].starts_with(&format!("batch {}-", id.offset)), "{items:?}");
    });
}

#[test]
fn failed_flush_ends_the_quorum_with_a_reason() {
    Sim::run(6, async |sim: Sim| {
        let node = sim.node("1");
        let shelf = Shelf::default();
        let (quorum, _feed) = start(&node.host(), &shelf, config()).await;
        shelf.fail_flushes();
        let outcome = quorum.append(LeaderEpoch(1), vec![feature(1)]).await;
        assert!(matches!(outcome, Err(AppendError::Unavailable(_))), "{outcome:?}");
        assert!(quorum.failed().await.contains("flush"));
    });
}

#[test]
fn append_in_another_epoch_or_too_large_is_refused() {
    Sim::run(7, async |sim: Sim| {
        let node = sim.node("1");
        let shelf = Shelf::default();
        let (quorum, _feed) = start(&node.host(), &shelf, config()).await;
        let stale = quorum.append(LeaderEpoch(0), vec![feature(1)]).await;
        assert_eq!(stale, Err(AppendError::NotLeader(LeaderEpoch(0))));
        let huge = quorum.append(LeaderEpoch(1), vec![feature(1); 400_000]).await;
        assert!(matches!(huge, Err(AppendError::TooLarge { .. })), "{huge:?}");
    });
}

#[test]
fn resigned_quorum_of_one_leads_again_in_a_higher_epoch() {
    Sim::run(8, async |sim: Sim| {
        let node = sim.node("1");
        let shelf = Shelf::default();
        let (quorum, mut feed) = start(&node.host(), &shelf, config()).await;
        quorum.resign().await;
        sim.sleep(Duration::from_secs(5)).await;
        let leadership = *quorum.leadership().borrow();
        assert_eq!(leadership.leader, Some(BrokerId(1)));
        assert!(leadership.epoch > LeaderEpoch(1));
        let items = drain(&node.host(), &mut feed).await;
        assert!(items.contains(&"leader None epoch 1".to_owned()), "{items:?}");
    });
}

async fn start_on_disk(host: &Host) -> (Quorum, Feed) {
    try_start_on_disk(host).await.unwrap()
}

async fn try_start_on_disk(host: &Host) -> Result<(Quorum, Feed), String> {
    let dir = LogDir::open(host, Path::new("/data"), 64).map_err(|error| error.to_string())?;
    let log = DiskLog::open(&dir, SegmentLimits::default()).map_err(|error| error.to_string())?;
    let started = Quorum::start(host, &metadata_dir(&dir), Box::new(log), config()).await;
    started.map_err(|error| error.to_string())
}

#[test]
fn acknowledged_metadata_survives_power_loss() {
    for seed in 0..200 {
        Sim::run(seed, async |sim: Sim| {
            let node = sim.node("1");
            node.disk().create_dir_all(Path::new("/data")).unwrap();
            node.disk().sync_dir(Path::new("/")).unwrap();
            let (quorum, feed) = start_on_disk(&node.host()).await;
            let epoch = quorum.leadership().borrow().epoch;
            let mut acknowledged = 0;
            for level in 1..=10 {
                quorum.append(epoch, vec![feature(level)]).await.unwrap();
                acknowledged = level;
            }
            // These may be lost, or not.
            let late = quorum.append(epoch, vec![feature(11)]);
            node.crash(Crash::Power);
            drop((late, quorum, feed));
            node.restart();
            let (_quorum, mut feed) = start_on_disk(&node.host()).await;
            let mut seen = 0;
            while let Some(item) = feed.next().await {
                match item {
                    Committed::Batch { records, .. } => {
                        for record in records {
                            let MetadataRecord::FeatureLevel(feature) = record.record else { continue };
                            assert_eq!(feature.feature_level, seen + 1, "in order, seed {seed}");
                            seen = feature.feature_level;
                        }
                    }
                    Committed::Leadership(leadership) => {
                        assert_eq!((leadership.leader, leadership.epoch), (Some(BrokerId(1)), LeaderEpoch(2)));
                        break;
                    }
                    Committed::Bootstrap(_) | Committed::Snapshot { .. } | Committed::SnapshotDue { .. } => {}
                }
            }
            assert!(seen >= acknowledged, "seed {seed}: {seen} of {acknowledged}");
        });
    }
}

/// Runs until the disk dies; answers the highest level acknowledged.
async fn append_until_the_end(quorum: &Quorum) -> i16 {
    let epoch = quorum.leadership().borrow().epoch;
    let mut acknowledged = 0;
    for level in 1..=12 {
        match quorum.append(epoch, vec![feature(level)]).await {
            Ok(_) => acknowledged = level,
            Err(_) => break,
        }
    }
    acknowledged
}

#[test]
fn acknowledged_metadata_survives_a_crash_at_any_disk_operation() {
    let mut crashed = 0;
    for at in 1..60 {
        let outcome = Sim::run(at, async |sim: Sim| {
            let node = sim.node("1");
            node.disk().create_dir_all(Path::new("/data")).unwrap();
            node.disk().sync_dir(Path::new("/")).unwrap();
            let how = if at % 2 == 0 { Crash::Power } else { Crash::Process };
            node.disk().crash_at(node.disk().operations() + at, how);
            let mut acknowledged = 0;
            if let Ok((quorum, _feed)) = try_start_on_disk(&node.host()).await {
                acknowledged = append_until_the_end(&quorum).await;
            }
            let crashed = node.disk().is_down();
            node.crash(how);
            node.restart();
            let (_quorum, mut feed) = try_start_on_disk(&node.host()).await.unwrap();
            let mut seen = 0;
            while let Some(item) = feed.next().await {
                match item {
                    Committed::Batch { records, .. } => seen += records.len() as i16,
                    Committed::Leadership(_) => break,
                    Committed::Bootstrap(_) | Committed::Snapshot { .. } | Committed::SnapshotDue { .. } => {}
                }
            }
            assert!(seen >= acknowledged, "crash at {at}: {seen} of {acknowledged}");
            crashed
        });
        crashed += u32::from(outcome.answer);
    }
    assert!(crashed > 40, "{crashed} of 59 runs crashed");
}
