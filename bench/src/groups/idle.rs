//! CPU that members cost who only heartbeat.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use ottla_messages::api::ApiKey;
use ottla_messages::heartbeat::HeartbeatRequest;
use ottla_wire::ApiVersion;

use super::{await_coordinators, classic, consumer, with_topic};
use crate::failure::{Result, accept};
use crate::protocol::{Client, frame};
use crate::server::{Floor, Server, process};

const HEARTBEAT: ApiVersion = ApiVersion(2);
const MEMBERS: usize = 10;
const TOPIC: &str = "idle";
const SESSION: Duration = Duration::from_secs(45);
const WARM_UP: Duration = Duration::from_secs(6);
const MEASURED: Duration = Duration::from_secs(20);
const CLASSIC_INTERVAL: Duration = Duration::from_secs(3);
const CONSUMER_INTERVAL: Duration = Duration::from_secs(5);
/// Groups whose members join at the same time: all of them within a session.
const JOINING: usize = 100;

pub(super) fn measure(server: &mut Server, groups: usize) -> Result<()> {
    let (mut client, _) = with_topic(server, TOPIC, MEMBERS as i32)?;
    await_coordinators(&mut client, |number| format!("{TOPIC}-{number}"), 0)?;
    let mut members = Vec::new();
    let began = Instant::now();
    for first in (0..groups).step_by(JOINING) {
        let mut some = Vec::new();
        for number in (first..(first + JOINING).min(groups)).flat_map(|group| std::iter::repeat_n(group, MEMBERS)) {
            some.push(classic::Member::new(server.address(), &format!("idle-{number}"), TOPIC, SESSION)?);
        }
        classic::rebalance(&mut some, TOPIC, 1)?;
        members.append(&mut some);
        beat_all(&mut members, classic::Member::heartbeat)?;
    }
    println!("{}: {} classic members joined after {:.2?}", server.kind.name(), members.len(), began.elapsed());
    let (name, pid) = (server.kind.name(), server.pid()?);
    let cpu = paced(pid, &mut members, CLASSIC_INTERVAL, classic::Member::heartbeat)?;
    show((name, pid), "classic", members.len(), CLASSIC_INTERVAL, cpu)?;
    drop(members);
    let mut members = Vec::new();
    for group in 0..groups {
        let mut some = Vec::new();
        for member in 0..MEMBERS {
            let number = (group * MEMBERS + member) as u64;
            some.push(consumer::Member::new(server.address(), &format!("idle848-{group}"), TOPIC, number)?);
        }
        consumer::settle(&mut some, MEMBERS)?;
        members.append(&mut some);
        if group % JOINING == 0 {
            beat_all(&mut members, consumer::Member::heartbeat)?;
        }
    }
    let cpu = paced(pid, &mut members, CONSUMER_INTERVAL, consumer::Member::heartbeat)?;
    show((name, pid), "KIP-848", members.len(), CONSUMER_INTERVAL, cpu)
}

/// As many connections that heartbeat at the same paces, to a server that does nothing but answer.
pub(super) fn measure_floor(groups: usize) -> Result<()> {
    let floor = Floor::start(&["heartbeat".to_owned()])?;
    let message = HeartbeatRequest {
        group_id: Cow::Borrowed("idle-1234"),
        member_id: Cow::Borrowed("ottla-bench-5f0c3c9e-8f6e-4f8e-9d0a-0b1c2d3e4f50"),
        ..Default::default()
    };
    let frame = frame::request(ApiKey::Heartbeat, HEARTBEAT, |out| message.encode(out, HEARTBEAT))?;
    let mut clients = Vec::new();
    for _ in 0..groups * MEMBERS {
        clients.push(Client::connect(floor.address)?);
    }
    for (kind, interval) in [("classic", CLASSIC_INTERVAL), ("KIP-848", CONSUMER_INTERVAL)] {
        let cpu = paced(floor.pid(), &mut clients, interval, |client: &mut Client| {
            client.exchange(frame.clone(), false).map(|_| 0)
        })?;
        show(("floor", floor.pid()), kind, clients.len(), interval, cpu)?;
    }
    Ok(())
}

fn beat_all<M>(members: &mut [M], beat: impl Fn(&mut M) -> Result<i16>) -> Result<()> {
    members.iter_mut().try_for_each(|member| accept(|| "a heartbeat".to_owned(), beat(member)?))
}

/// Heartbeats of all members evenly over each interval; share of a core that the server used.
fn paced<M>(pid: u32, members: &mut [M], interval: Duration, beat: impl Fn(&mut M) -> Result<i16>) -> Result<f64> {
    let step = interval / members.len() as u32;
    let began = Instant::now();
    let mut measuring = None;
    let mut sent = 0;
    loop {
        for member in members.iter_mut() {
            let due = began + step * sent;
            let now = Instant::now();
            if due > now {
                std::thread::sleep(due - now);
            }
            accept(|| "a heartbeat".to_owned(), beat(member)?)?;
            sent += 1;
            match measuring {
                None if began.elapsed() >= WARM_UP => measuring = Some((Instant::now(), process::cpu(pid)?)),
                Some((since, cpu)) if since.elapsed() >= MEASURED => {
                    let used = process::cpu(pid)?.saturating_sub(cpu);
                    return Ok(used.as_secs_f64() / since.elapsed().as_secs_f64());
                }
                None | Some(_) => {}
            }
        }
    }
}

fn show((name, pid): (&str, u32), kind: &str, members: usize, interval: Duration, cpu: f64) -> Result<()> {
    println!(
        "{}: {members} {kind} members at {interval:?} heartbeats: {:.1} % of a core, {:.0} MB resident",
        name,
        cpu * 100.0,
        process::resident(pid)? as f64 / 1e6
    );
    Ok(())
}
