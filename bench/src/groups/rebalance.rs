//! CPU of a rebalance.

use std::time::Duration;

use super::{await_coordinators, classic, consumer, with_topic};
use crate::failure::Result;
use crate::server::{Server, process};

const MEMBERS: usize = 100;
const PARTITIONS: i32 = 1_000;
const TOPIC: &str = "rebalance";
const SESSION: Duration = Duration::from_secs(45);
/// The system counts CPU in steps of 10 ms: so many rebalances are measured at once.
const ROUNDS: u32 = 10;

pub(super) fn measure(server: &mut Server) -> Result<()> {
    let (mut client, _) = with_topic(server, TOPIC, PARTITIONS)?;
    await_coordinators(&mut client, |number| format!("{TOPIC}-{number}"), 0)?;
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        members.push(classic::Member::new(server.address(), "rebalance", TOPIC, SESSION)?);
    }
    let share = PARTITIONS / MEMBERS as i32;
    classic::rebalance(&mut members, TOPIC, share)?;
    let before = process::cpu(server.pid()?)?;
    for _ in 0..ROUNDS {
        classic::rebalance(&mut members, TOPIC, share)?;
    }
    let cpu = process::cpu(server.pid()?)?.saturating_sub(before) / ROUNDS;
    println!("{}: classic rebalance of {MEMBERS} × {PARTITIONS}: {cpu:.1?} of CPU", server.kind.name());
    let mut members = Vec::new();
    for number in 0..MEMBERS as u64 {
        members.push(consumer::Member::new(server.address(), "rebalance848", TOPIC, number)?);
    }
    consumer::settle(&mut members, PARTITIONS as usize)?;
    let before = process::cpu(server.pid()?)?;
    let mut beats = 0;
    for round in 0..u64::from(ROUNDS) {
        if let Some(mut gone) = members.pop() {
            gone.leave()?;
        }
        members.push(consumer::Member::new(server.address(), "rebalance848", TOPIC, MEMBERS as u64 + round)?);
        beats += consumer::settle(&mut members, PARTITIONS as usize)?;
    }
    let cpu = process::cpu(server.pid()?)?.saturating_sub(before) / ROUNDS;
    println!(
        "{}: KIP-848 rebalance of {MEMBERS} × {PARTITIONS}: {cpu:.1?} of CPU with {} heartbeats",
        server.kind.name(),
        beats / ROUNDS as usize
    );
    Ok(())
}
