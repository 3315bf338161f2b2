//! A small client for tests: sends frames and reads answers on a plain socket.

use ottla_broker::Broker;
use ottla_host::{Host, Runtime};
use ottla_messages::api::ApiKey;
use ottla_messages::header::{RequestHeader, ResponseHeader};
use ottla_metadata::BrokerConfig;
use ottla_raft::format::{Plan, Quorum};
use ottla_raft::state::ids::Endpoint;
use ottla_wire::ids::BrokerId;
use ottla_wire::{ApiVersion, Cursor, EncodeError, Encoder};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// A broker in this process on a free port.
pub(crate) struct Fixture {
    pub(crate) runtime: Option<Runtime>,
    pub(crate) broker: Option<Broker>,
    pub(crate) address: SocketAddr,
    pub(crate) dir: tempfile::TempDir,
}

impl Fixture {
    /// Starts a broker in a fresh directory with these settings besides the necessary ones.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Fixture {
        Fixture::start_in(tempfile::tempdir().expect("a directory"), settings)
    }

    /// Starts a broker in a directory that another may have used.
    pub(crate) fn start_in(dir: tempfile::TempDir, settings: &[(&str, &str)]) -> Fixture {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        let path = dir.path().to_str().expect("a path of text").to_owned();
        let needed = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "127.0.0.1:9093"),
            ("log.dirs", path.as_str()),
            ("ottla.http.listener", "127.0.0.1:0"),
        ];
        for (name, value) in needed.iter().chain(settings) {
            texts.insert((*name).to_owned(), (*value).to_owned());
        }
        let config = BrokerConfig::parse(&texts).expect("the settings are valid");
        let runtime = Runtime::start(2).expect("threads");
        format(&runtime.host(), &config);
        let broker = runtime.block_on(Broker::start(runtime.host(), config)).expect("it starts");
        let address = broker.addresses()[0].1;
        Fixture { runtime: Some(runtime), broker: Some(broker), address, dir }
    }

    /// Stops cleanly, and gives the directory for another start.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        let fresh = tempfile::tempdir().expect("a directory");
        self.end();
        std::mem::replace(&mut self.dir, fresh)
    }

    fn end(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(broker) = self.broker.take() {
            runtime.block_on(broker.stop());
        }
        runtime.stop(Duration::from_secs(5));
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.end();
    }
}

/// Formats the directories as those of the only node of a cluster, unless they were formatted before.
fn format(host: &Host, config: &BrokerConfig) {
    let metadata_dir = PathBuf::from(&config.metadata_log_dir);
    if metadata_dir.join("meta.properties").exists() {
        return;
    }
    let endpoint = Endpoint { listener: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port: 9093 };
    let plan = Plan {
        cluster_id: "AAAAAAAAAAAAAAAAAAAAAQ".to_owned(),
        node_id: BrokerId(1),
        log_dirs: config.log_dirs.iter().map(PathBuf::from).collect(),
        metadata_dir,
        controller: true,
        release: None,
        features: BTreeMap::new(),
        quorum: Quorum::Standalone(vec![endpoint]),
        ignore_formatted: true,
    };
    ottla_raft::format::format(&*host.disk, &*host.chance, host.clock.wall(), &plan).expect("it can be formatted");
}

/// A connection of a test.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        Client(stream)
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the broker reads");
    }

    pub(crate) fn send(
        &mut self,
        key: ApiKey,
        version: i16,
        correlation_id: i32,
        body: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
    ) {
        let bytes = frame(key, version, correlation_id, body);
        self.send_raw(&bytes);
    }

    /// The next answer's bytes, without the length; None when the broker has closed.
    pub(crate) fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut answer).expect("the answer is whole");
        Some(answer)
    }

    /// Sends a request and decodes its answer.
    pub(crate) fn call<T>(
        &mut self,
        key: ApiKey,
        version: i16,
        body: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
        decode: impl FnOnce(&mut Cursor<'_>, ApiVersion) -> T,
    ) -> T {
        self.send(key, version, 77, body);
        let answer = self.receive().expect("an answer");
        let (correlation, value) = open(&answer, key, version, decode);
        assert_eq!(correlation, 77);
        value
    }
}

pub(crate) fn frame(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    body: impl FnOnce(&mut Encoder, ApiVersion) -> Result<(), EncodeError>,
) -> Vec<u8> {
    let version = ApiVersion(version);
    let header = RequestHeader {
        request_api_key: key.into(),
        request_api_version: version.0,
        correlation_id,
        client_id: Some("test".into()),
    };
    let mut out = Encoder::new();
    out.i32(0);
    header.encode(&mut out, key.info().request_header_version(version)).expect("a header can be written");
    body(&mut out, version).expect("a body can be written");
    out.patch_i32(0, out.total() as i32 - 4);
    out.into_parts().0
}

/// The correlation id and the body of an answer.
pub(crate) fn open<T>(
    answer: &[u8],
    key: ApiKey,
    version: i16,
    decode: impl FnOnce(&mut Cursor<'_>, ApiVersion) -> T,
) -> (i32, T) {
    let version = ApiVersion(version);
    let mut cursor = Cursor::new(answer);
    let header = ResponseHeader::decode(&mut cursor, key.info().response_header_version(version)).expect("a header");
    let value = decode(&mut cursor, version);
    cursor.finish("answer").expect("nothing follows the answer");
    (header.correlation_id, value)
}
