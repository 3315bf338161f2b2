//! Commit throughput, the load after a restart, and the memory of an offset.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ottla_messages::api::ApiKey;
use ottla_messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
};
use ottla_wire::{ApiVersion, Cursor};

use super::{await_coordinators, with_topic};
use crate::failure::{Failure, Result, accept};
use crate::protocol::{Client, frame};
use crate::server::{Server, process};

const COMMIT: ApiVersion = ApiVersion(7);
const TOPIC: &str = "offsets";
const PARTITIONS: i32 = 100;
const CONNECTIONS: usize = 8;
const IN_FLIGHT: usize = 10;
const SINGLE: usize = 200_000;

pub(super) fn measure(server: &mut Server, groups: usize) -> Result<()> {
    let (mut client, _) = with_topic(server, TOPIC, PARTITIONS)?;
    await_coordinators(&mut client, name, 0)?;
    let name_of_server = server.kind.name();
    let resident = process::resident(server.pid()?)?;
    let (took, cpu) = commit_all(server, groups, PARTITIONS, 0)?;
    let count = groups * PARTITIONS as usize;
    println!(
        "{name_of_server}: {count} offsets in {groups} commits: {:.0} commits/s, {:.0} offsets/s, {:.2} µs of CPU an offset",
        groups as f64 / took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / count as f64
    );
    let grown = process::resident(server.pid()?)?.saturating_sub(resident);
    println!("{name_of_server}: {:.0} B of resident memory an offset", grown as f64 / count as f64);
    let (took, cpu) = commit_all(server, SINGLE.min(groups * 20), 1, 1_000)?;
    let commits = SINGLE.min(groups * 20) as f64;
    println!(
        "{name_of_server}: commits of one offset: {:.0} a second, {:.1} µs of CPU each",
        commits / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / commits
    );
    for (end, stop) in [("clean stop", true), ("kill -9", false)] {
        if stop {
            server.stop()?
        } else {
            server.kill()?
        }
        let began = Instant::now();
        server.start()?;
        let listening = began.elapsed();
        let asked = await_coordinators(&mut server.connect()?, name, PARTITIONS as usize)?;
        println!(
            "{name_of_server}: after a {end} listening {listening:.2?}, all offsets known {:.2?} after exec, {asked} refused meanwhile; {:.0} MB resident",
            began.elapsed(),
            process::resident(server.pid()?)? as f64 / 1e6
        );
    }
    Ok(())
}

fn name(group: usize) -> String {
    format!("offsets-{group}")
}

/// Commits `partitions` offsets in each of `commits` requests over all connections; wall time and CPU of the server.
fn commit_all(server: &Server, commits: usize, partitions: i32, base: i64) -> Result<(Duration, Duration)> {
    let address = server.address();
    let before = process::cpu(server.pid()?)?;
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|first| {
                scope.spawn(move || commit_some(address, (first..commits).step_by(CONNECTIONS), partitions, base))
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| Failure::Said("a committer panicked".to_owned()))?)
    })?;
    let took = began.elapsed();
    Ok((took, process::cpu(server.pid()?)?.saturating_sub(before)))
}

fn commit_some(address: SocketAddr, groups: impl Iterator<Item = usize>, partitions: i32, base: i64) -> Result<()> {
    let mut client = Client::connect(address)?;
    let mut waiting = 0;
    for group in groups {
        client.send(&mut commit(&name(group % 10_000), partitions, base)?)?;
        waiting += 1;
        if waiting == IN_FLIGHT {
            receive(&mut client)?;
            waiting -= 1;
        }
    }
    (0..waiting).try_for_each(|_| receive(&mut client))
}

fn commit(group: &str, partitions: i32, base: i64) -> Result<Vec<u8>> {
    let of = |partition: i32| OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: base + i64::from(partition),
        committed_leader_epoch: 0,
        committed_metadata: Some(Cow::Borrowed("")),
    };
    let message = OffsetCommitRequest {
        group_id: Cow::Borrowed(group),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: Cow::Borrowed(TOPIC),
            partitions: (0..partitions).map(of).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    frame::request(ApiKey::OffsetCommit, COMMIT, |out| message.encode(out, COMMIT))
}

fn receive(client: &mut Client) -> Result<()> {
    let answer = client.receive(false)?;
    let answer = OffsetCommitResponse::decode(&mut Cursor::new(&answer), COMMIT)?;
    let mut codes = answer.topics.iter().flat_map(|topic| &topic.partitions);
    codes.try_for_each(|partition| accept(|| "a commit".to_owned(), partition.error_code))
}
