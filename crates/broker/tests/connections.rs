//! A broker on a real socket: versions, order, hostile bytes, bounds, stop.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use raw::{Client, Fixture, frame, open};
use std::io::{Read, Write};
use std::time::Duration;

fn start(settings: &[(&str, &str)]) -> Fixture {
    Fixture::start(settings)
}

fn request() -> ApiVersionsRequest<'static> {
    ApiVersionsRequest {
        client_software_name: "test".into(),
        client_software_version: "1".into(),
        ..ApiVersionsRequest::default()
    }
}

fn ask(client: &mut Client, version: i16) -> ApiVersionsResponse<'static> {
    client.call(
        ApiKey::ApiVersions,
        version,
        |out, version| if version.0 < 3 { Ok(()) } else { request().encode(out, version) },
        |cursor, version| ApiVersionsResponse::decode(cursor, version).expect("a response").into_owned(),
    )
}

#[test]
fn api_versions_is_answered_in_every_version_and_lists_itself() {
    let fixture = start(&[]);
    let mut client = Client::connect(fixture.address);
    for version in 0..=5 {
        let response = ask(&mut client, version);
        assert_eq!(response.error_code, 0, "version {version}");
        assert!(response.api_keys.iter().any(|api| api.api_key == 18 && api.max_version == 5));
    }
}

#[test]
fn unknown_version_of_api_versions_is_answered_in_version_0_and_the_connection_stays() {
    let fixture = start(&[]);
    let mut client = Client::connect(fixture.address);
    client.send_raw(b"\0\0\0\x0c\0\x12\0\x63\0\0\0\x07\xff\xff\0\0");
    let answer = client.receive().expect("an answer");
    let (correlation, response) = open(&answer, ApiKey::ApiVersions, 0, |cursor, version| {
        ApiVersionsResponse::decode(cursor, version).expect("version 0").into_owned()
    });
    assert_eq!((correlation, response.error_code), (7, 35));
    assert_eq!(ask(&mut client, 3).error_code, 0);
}

#[test]
fn bytes_after_a_request_are_left_unread() {
    let fixture = start(&[]);
    let mut client = Client::connect(fixture.address);
    let response = client.call(
        ApiKey::ApiVersions,
        3,
        |out, version| {
            request().encode(out, version)?;
            out.raw(&[0; 3]);
            Ok(())
        },
        |cursor, version| ApiVersionsResponse::decode(cursor, version).expect("a response").into_owned(),
    );
    assert_eq!(response.error_code, 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let fixture = start(&[]);
    let mut client = Client::connect(fixture.address);
    let all: Vec<u8> = (0..100)
        .flat_map(|id| frame(ApiKey::ApiVersions, 3, id, |out, version| request().encode(out, version)))
        .collect();
    client.send_raw(&all);
    for id in 0..100 {
        let answer = client.receive().expect("an answer");
        assert_eq!(answer[..4], i32::to_be_bytes(id));
    }
}

#[test]
fn hostile_bytes_close_their_own_connection_only() {
    let fixture = start(&[]);
    let mut good = Client::connect(fixture.address);
    assert_eq!(ask(&mut good, 0).error_code, 0);
    let bad: [&[u8]; 5] = [
        b"\x7f\xff\xff\xff",                         // 2 GB announced
        b"\xff\xff\xff\xff",                         // negative
        b"\0\0\0\x03abc",                            // no room for a header
        b"\0\0\0\x0a\x12\x34\0\0\0\0\0\x01\xff\xff", // unknown API
        b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\0\x50",     // client id longer than the frame
    ];
    for bytes in bad {
        let mut client = Client::connect(fixture.address);
        client.send_raw(bytes);
        assert!(client.receive().is_none(), "{bytes:?}");
    }
    assert_eq!(ask(&mut good, 0).error_code, 0);
}

#[test]
fn connections_over_the_bound_are_closed_and_silent_ones_too() {
    let fixture = start(&[("max.connections.per.ip", "1"), ("connections.max.idle.ms", "50")]);
    let mut first = Client::connect(fixture.address);
    assert_eq!(ask(&mut first, 0).error_code, 0);
    let mut second = Client::connect(fixture.address);
    assert!(second.receive().is_none());
    assert_eq!(first.0.read(&mut [0]).expect("closed, not broken"), 0, "idle");
}

#[test]
fn a_stop_lets_the_last_answers_arrive_although_more_is_sent() {
    let fixture = start(&[]);
    let mut client = Client::connect(fixture.address);
    let one = frame(ApiKey::ApiVersions, 3, 7, |out, version| request().encode(out, version));
    let mut sender = client.0.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        // The broker stops reading at some point; what is sent after that goes nowhere.
        scope.spawn(move || drop(sender.write_all(&one.repeat(20_000))));
        client.receive().expect("an answer");
        scope.spawn(move || drop(fixture.stop()));
        let mut rest = Vec::new();
        client.0.read_to_end(&mut rest).expect("an end, not a reset");
        client.0.shutdown(std::net::Shutdown::Both).expect("it closes");
    });
}

#[test]
fn a_stop_closes_connections_without_waiting_for_them() {
    let mut fixture = start(&[]);
    let mut client = Client::connect(fixture.address);
    assert_eq!(ask(&mut client, 0).error_code, 0);
    let runtime = fixture.runtime.take().expect("running");
    runtime.block_on(fixture.broker.take().expect("running").stop());
    assert!(client.receive().is_none());
    runtime.stop(Duration::from_secs(1));
}

#[test]
fn the_http_port_tells_metrics_and_readiness() {
    let fixture = start(&[]);
    let mut client = Client::connect(fixture.address);
    assert_eq!(ask(&mut client, 3).error_code, 0);
    let http = fixture.broker.as_ref().and_then(ottla_broker::Broker::http_address).expect("an open port");
    let get = |path: &str| {
        let mut stream = std::net::TcpStream::connect(http).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        text
    };
    assert!(get("/ready").starts_with("HTTP/1.1 200"));
    assert!(get("/live").starts_with("HTTP/1.1 200"));
    assert!(get("/nothing").starts_with("HTTP/1.1 404"));
    let metrics = get("/metrics");
    let counted = "kafka_network_requestmetrics_requests_total{request=\"ApiVersions\",version=\"3\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}
