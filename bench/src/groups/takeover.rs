//! Time from a member's end to its partitions at another.

use std::time::{Duration, Instant};

use super::{await_coordinators, classic, consumer, with_topic};
use crate::failure::{Failure, Result, accept};
use crate::server::Server;

const TOPIC: &str = "takeover";
const PARTITIONS: i32 = 2;
/// How often the survivor asks.
const ASKING: Duration = Duration::from_millis(5);
/// How often the survivor asks while nothing can have happened.
const WAITING: Duration = Duration::from_millis(500);
const SESSION: Duration = Duration::from_secs(6);

pub(super) fn measure(server: &mut Server) -> Result<()> {
    let (mut client, _) = with_topic(server, TOPIC, PARTITIONS)?;
    await_coordinators(&mut client, |number| format!("{TOPIC}-{number}"), 0)?;
    for leaves in [false, true] {
        let end = if leaves { "leaving" } else { "falling silent" };
        let classic = classic(server, leaves)?;
        println!("{}: classic member's partitions at another {classic:.1?} after its {end}", server.kind.name());
        let consumer = consumer(server, leaves)?;
        println!("{}: KIP-848 member's partitions at another {consumer:.1?} after its {end}", server.kind.name());
    }
    println!("{}: the session timeout was {SESSION:?}", server.kind.name());
    Ok(())
}

fn classic(server: &Server, leaves: bool) -> Result<Duration> {
    let group = format!("takeover-{leaves}");
    let mut members = Vec::new();
    for _ in 0..2 {
        members.push(classic::Member::new(server.address(), &group, TOPIC, SESSION)?);
    }
    classic::rebalance(&mut members, TOPIC, 1)?;
    let gone = members.last_mut().ok_or_else(|| Failure::Said("a group without members".to_owned()))?;
    accept(|| "a heartbeat".to_owned(), gone.heartbeat()?)?;
    let began = Instant::now();
    if leaves {
        gone.leave()?;
    }
    let survivor = &mut members[..1];
    while survivor[0].heartbeat()? == 0 {
        pause(began, leaves);
    }
    classic::rebalance(survivor, TOPIC, PARTITIONS)?;
    Ok(began.elapsed())
}

fn consumer(server: &Server, leaves: bool) -> Result<Duration> {
    let group = format!("takeover848-{leaves}");
    let mut members = Vec::new();
    for number in 0..2 {
        members.push(consumer::Member::new(server.address(), &group, TOPIC, number)?);
    }
    consumer::settle(&mut members, PARTITIONS as usize)?;
    let gone = members.last_mut().ok_or_else(|| Failure::Said("a group without members".to_owned()))?;
    gone.heartbeat()?;
    let began = Instant::now();
    if leaves {
        gone.leave()?;
    }
    let survivor = &mut members[0];
    while survivor.owned() < PARTITIONS as usize {
        accept(|| "a heartbeat".to_owned(), survivor.heartbeat()?)?;
        pause(began, leaves);
    }
    Ok(began.elapsed())
}

/// Waits a little; longer while the session of the silent member runs.
fn pause(began: Instant, leaves: bool) {
    let far = !leaves && began.elapsed() + 2 * WAITING < SESSION;
    std::thread::sleep(if far { WAITING } else { ASKING });
}
