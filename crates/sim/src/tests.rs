//! The world replays from its seed, and its parts behave as the seams promise.

use crate::disk::Crash;
use crate::net::NetRates;
use crate::{Node, Sim};
use bytes::BytesMut;
use ottla_host::Host;
use ottla_host::disk::{Open, write_all_at};
use ottla_host::net::Stream;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

async fn write(stream: &mut dyn Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| stream.poll_write(cx, &[IoSlice::new(bytes)])).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Answers whatever arrives, one connection after the other, and writes it down.
async fn echo(host: Host) {
    let mut listener = host.net.listen("0.0.0.0:9092".parse().unwrap()).unwrap();
    let file = host.disk.open(Path::new("/0.log"), Open::Create).unwrap();
    loop {
        let mut stream = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        let mut buffer = BytesMut::new();
        while let Ok(1..) = poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await {
            let at = file.len().unwrap();
            write_all_at(&*file, &buffer, at).unwrap();
            if write(&mut *stream, &buffer.split()).await.is_err() {
                break;
            }
        }
    }
}

async fn ask(node: &Node, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = node.host().net.connect("server", 9092).await?;
    write(&mut *stream, question).await?;
    let mut answer = BytesMut::new();
    while answer.len() < question.len() {
        if poll_fn(|cx| stream.poll_read(cx, &mut answer)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer.to_vec())
}

fn echo_world(sim: &Sim) -> (Node, Node) {
    let (server, client) = (sim.node("server"), sim.node("client"));
    server.spawn("echo", echo(server.host()));
    (server, client)
}

async fn eventful(sim: Sim) -> Vec<Result<usize, io::ErrorKind>> {
    sim.network().set_rates(NetRates { reset: 100_000, ..NetRates::default() });
    let (server, client) = echo_world(&sim);
    let mut random = sim.random("story");
    let mut answers = Vec::new();
    for _ in 0..30 {
        let question = vec![7; random.index(3000)];
        answers.push(ask(&client, &question).await.map(|answer| answer.len()).map_err(|error| error.kind()));
        if random.chance(200_000) {
            server.crash(if random.coin() { Crash::Power } else { Crash::Process });
            server.restart();
            server.spawn("echo", echo(server.host()));
        }
    }
    answers
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..20 {
        assert_eq!(Sim::run(seed, eventful), Sim::run(seed, eventful));
    }
    assert_ne!(Sim::run(1, eventful).trace, Sim::run(2, eventful).trace);
}

#[test]
fn tasks_run_in_any_order_but_the_work_of_a_lane_in_its_own() {
    let story = async |sim: Sim| {
        let host = sim.node("one").host();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..10 {
            let (task_seen, lane_seen) = (Arc::clone(&seen), Arc::clone(&seen));
            host.tasks.spawn("task", Box::pin(async move { task_seen.lock().push(number) }));
            drop(host.tasks.offload("lane", Box::new(move || lane_seen.lock().push(100 + number))));
        }
        host.tasks.offload("lane", Box::new(|| ())).await;
        sim.sleep(Duration::from_millis(1)).await;
        seen.lock().clone()
    };
    let seen = Sim::run(3, story).answer;
    let (lane, tasks): (Vec<i32>, Vec<i32>) = seen.into_iter().partition(|number| *number >= 100);
    assert!(lane.is_sorted() && lane.len() == 10);
    assert!(!tasks.is_sorted() && tasks.len() == 10);
}

#[test]
fn a_death_drops_the_tasks_of_the_node_alone() {
    let beats = Arc::new(Mutex::new([0; 2]));
    let counted = Arc::clone(&beats);
    Sim::run(1, async move |sim: Sim| {
        let nodes = [sim.node("one"), sim.node("two")];
        for (index, node) in nodes.iter().enumerate() {
            let (host, beats) = (node.host(), Arc::clone(&counted));
            node.spawn("beat", async move {
                loop {
                    host.tasks.sleep_until(host.clock.monotonic() + Duration::from_secs(1)).await;
                    beats.lock()[index] += 1;
                }
            });
        }
        sim.sleep(Duration::from_millis(10_500)).await;
        nodes[0].crash(Crash::Process);
        assert!(nodes[0].is_down() && !nodes[1].is_down());
        sim.sleep(Duration::from_secs(10)).await;
    });
    assert_eq!(*beats.lock(), [10, 20]);
}

#[test]
fn a_crash_inside_of_an_operation_ends_the_node() {
    let outcome = Sim::run(1, async |sim: Sim| {
        let (server, client) = echo_world(&sim);
        ask(&client, b"hello").await.unwrap();
        server.disk().crash_at(server.disk().operations(), Crash::Process);
        ask(&client, b"hello").await.unwrap_err();
        assert!(server.is_down());
        server.restart();
        server.spawn("echo", echo(server.host()));
        sim.sleep(Duration::from_millis(1)).await;
        ask(&client, b"again").await.unwrap()
    });
    assert_eq!(outcome.answer, b"again");
    assert_eq!(outcome.met["crash in append"], 1);
}

#[test]
fn what_a_partition_held_back_arrives_after_it() {
    Sim::run(5, async |sim: Sim| {
        let (server, client) = echo_world(&sim);
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.host().net.connect("server", 9092).await.unwrap();
        sim.network().block(&server, &client);
        write(&mut *stream, b"hello").await.unwrap();
        let mut answer = BytesMut::with_capacity(10);
        let late = sim.clone();
        let healed_at = sim.now() + Duration::from_secs(60);
        sim.spawn("heal", async move {
            late.sleep(Duration::from_secs(60)).await;
            late.network().heal();
        });
        while answer.len() < 5 {
            poll_fn(|cx| stream.poll_read(cx, &mut answer)).await.unwrap();
        }
        assert!(sim.now() >= healed_at);
    });
}

#[test]
fn a_machine_without_power_is_silent_until_it_is_back() {
    Sim::run(6, async |sim: Sim| {
        let (server, client) = echo_world(&sim);
        sim.sleep(Duration::from_millis(1)).await;
        let mut stream = client.host().net.connect("server", 9092).await.unwrap();
        server.crash(Crash::Power);
        write(&mut *stream, b"hello").await.unwrap();
        assert_eq!(ask(&client, b"x").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        server.restart();
        assert_eq!(ask(&client, b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(write(&mut *stream, b"hello").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn the_wall_clock_of_one_node_jumps_alone() {
    Sim::run(1, async |sim: Sim| {
        let (one, two) = (sim.node("one"), sim.node("two"));
        one.clock().jump_wall(-3_600_000);
        let (first, second) = (one.host().clock, two.host().clock);
        assert_eq!(first.monotonic(), second.monotonic());
        assert_eq!(first.wall().0, second.wall().0 - 3_600_000);
    });
}
