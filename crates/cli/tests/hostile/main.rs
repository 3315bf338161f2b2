//! Bytes and connections of those who mean no good, against the program as a process: each is refused or cut off, memory
//! stays small, others do not notice, and nothing stored is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by unwrap")]

mod process;
#[allow(dead_code, reason = "a part of it is for brokers in the process of the test")]
#[path = "../../../broker/tests/raw/mod.rs"]
mod raw;
mod witness;

use ottla_messages::api::ApiKey;
use ottla_wire::batch::{BatchBuilder, NewRecord};
use ottla_wire::codec::{Codec, Compression};
use ottla_wire::ids::Offset;
use process::Server;
use raw::Client;
use std::net::TcpStream;
use std::time::Duration;
use witness::{Witness, batch, produce};

const RESIDENT_MAX: u64 = 150 << 20;
/// Longest time in which the good client's request is answered while others misbehave, on a machine that runs many tests.
const PATIENCE: Duration = Duration::from_secs(2);
const CORRUPT_MESSAGE: i16 = 2;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_RECORD: i16 = 87;

/// A run of the world with one good client that goes on through `attack`.
fn under(attack: impl FnOnce(&Server, &mut Witness)) {
    let server = Server::start();
    let mut witness = Witness::new(server.address);
    witness.works();
    attack(&server, &mut witness);
    witness.works();
    let peak = server.resident_peak();
    assert!(peak <= RESIDENT_MAX, "it has used {} MiB", peak >> 20);
    witness.finds_all();
    assert!(server.stop(), "it stops cleanly");
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_nobody_waits() {
    const IDLE: usize = 10_000;
    const NEEDED: u64 = IDLE as u64 + 500;
    if let Some(limit) = ottla_host::real::raise_file_limit().filter(|limit| *limit < NEEDED) {
        println!("skipped: {NEEDED} open files are needed, the system allows {limit} (ulimit -Hn)");
        return;
    }
    under(|server, witness| {
        let mut idle = Vec::with_capacity(IDLE);
        for number in 0..IDLE {
            idle.push(TcpStream::connect(server.address).unwrap());
            if number % 500 == 0 {
                witness.works();
            }
        }
        for _ in 0..100 {
            witness.works();
        }
        let resident = server.resident();
        println!("{IDLE} idle connections: {} MiB", resident >> 20);
        assert!(resident <= RESIDENT_MAX);
        let mut last = Client(idle.pop().unwrap());
        assert_eq!(produce(&mut last, &batch(&[b"last"])).0, 0, "one of the many is served as well");
        witness.learns_of(1);
    });
}

#[test]
fn announced_gigabytes_are_not_believed() {
    under(|server, witness| {
        for announced in [i32::MAX, i32::MAX - 1, 1 << 30, (100 << 20) + 1, -1, i32::MIN] {
            let mut client = Client::connect(server.address);
            client.send_raw(&announced.to_be_bytes());
            client.send_raw(&[0; 16]);
            assert!(client.receive().is_none(), "{announced} bytes were waited for");
            witness.works();
        }
        // Sizes that are allowed reserve nothing before their bytes are there.
        let waiting: Vec<Client> = (0..200)
            .map(|_| {
                let mut client = Client::connect(server.address);
                client.send_raw(&(90_i32 << 20).to_be_bytes());
                client
            })
            .collect();
        witness.works();
        drop(waiting);
    });
}

#[test]
fn random_bytes_end_their_own_connection_at_most() {
    under(|server, witness| {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for round in 0..400 {
            let size = 8 + numbers.next() as usize % 600;
            let mut bytes = numbers.bytes(size);
            match round % 4 {
                // Noise from the first byte on.
                0 => {}
                // A frame of noise.
                1 => bytes[..4].copy_from_slice(&(size as i32 - 4).to_be_bytes()),
                // The head of a request that exists, then noise.
                _ => {
                    let key = (numbers.next() % 95) as i16;
                    bytes[..4].copy_from_slice(&(size as i32 - 4).to_be_bytes());
                    bytes[4..6].copy_from_slice(&key.to_be_bytes());
                    bytes[6..8].copy_from_slice(&((numbers.next() % 18) as i16).to_be_bytes());
                }
            }
            let mut client = Client::connect(server.address);
            client.send_raw(&bytes);
            client.0.shutdown(std::net::Shutdown::Write).unwrap();
            // Whatever comes back, and whether: the connection comes to an end.
            while client.receive().is_some() {}
            if round % 20 == 0 {
                witness.works();
            }
        }
    });
}

#[test]
fn damaged_batches_are_refused_by_name() {
    under(|server, witness| {
        let mut client = Client::connect(server.address);
        let good = batch(&[b"one", b"two"]);
        let flipped = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            bytes
        };
        let damaged: [(&str, Vec<u8>, &[i16]); 6] = [
            ("a wrong CRC", flipped(good.len() - 1), &[CORRUPT_MESSAGE]),
            ("a CRC that was changed", flipped(17), &[CORRUPT_MESSAGE]),
            ("half a batch", good[..good.len() / 2].to_vec(), &[CORRUPT_MESSAGE, INVALID_RECORD]),
            ("a part of a header", good[..30].to_vec(), &[CORRUPT_MESSAGE, INVALID_RECORD]),
            ("a length beyond the bytes", flipped(9), &[CORRUPT_MESSAGE, INVALID_RECORD, MESSAGE_TOO_LARGE]),
            ("two batches", [good.clone(), good.clone()].concat(), &[CORRUPT_MESSAGE, INVALID_RECORD]),
        ];
        for (what, bytes, codes) in damaged {
            let (code, _) = produce(&mut client, &bytes);
            assert!(codes.contains(&code), "{what} is answered with {code}");
            witness.works();
        }
    });
}

#[test]
fn a_batch_that_unfolds_to_hundreds_of_megabytes_costs_no_memory() {
    under(|server, witness| {
        let compression = Compression::at_level(Codec::Zstd, 1).unwrap();
        for unfolded in [60 << 20, 300 << 20] {
            let mut builder = BatchBuilder::new(Offset(0)).compression(compression);
            let zeros = vec![0; unfolded];
            builder.append(&NewRecord { timestamp: 1_000, value: Some(&zeros), ..NewRecord::default() }).unwrap();
            let bomb = builder.finish();
            let mut client = Client::connect(server.address);
            let (code, _) = produce(&mut client, &bomb);
            println!("{} bytes that unfold to {unfolded} are answered with {code}", bomb.len());
            if code == 0 {
                witness.learns_of(1);
            } else {
                assert!([CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, INVALID_RECORD].contains(&code));
            }
            witness.works();
        }
    });
}

#[test]
fn one_who_sends_a_byte_at_a_time_and_reads_nothing_holds_up_nobody() {
    under(|server, witness| {
        let one =
            raw::frame(ApiKey::Produce, 9, 1, |out, version| witness::request(&batch(&[b"x"])).encode(out, version));
        let mut slow = Client::connect(server.address);
        for byte in &one[..one.len() - 1] {
            slow.send_raw(&[*byte]);
        }
        witness.works();
        // A reader that never reads: its answers pile up until it is not listened to any more.
        let deaf = TcpStream::connect(server.address).unwrap();
        deaf.set_nonblocking(true).unwrap();
        let ask = witness::fetch_frame();
        let mut sent = 0;
        while sent < 20_000 && matches!(std::io::Write::write(&mut &deaf, &ask), Ok(written) if written == ask.len()) {
            sent += 1;
        }
        witness.works();
        drop(deaf);
    });
}
