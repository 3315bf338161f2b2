//! Files and command lines of a broker: the same `server.properties` for Ottla and Apache Kafka.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use ottla_wire::Uuid;

use super::Kind;
use crate::failure::{Doing, Failure, Result};

const HEAP: &str = "-Xmx1g";

/// Writes `server.properties` with free ports into `folder`; answers the broker's port.
pub(crate) fn write_properties(folder: &Path, settings: &[(&str, &str)]) -> Result<u16> {
    let (port, controller) = free_ports()?;
    let data = folder.join("data");
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         log.dirs={}\n",
        data.display()
    );
    for (name, value) in settings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}={value}");
    }
    std::fs::write(properties(folder), text).doing("write server.properties")?;
    Ok(port)
}

/// The command that formats the data directory.
pub(crate) fn format_command(kind: Kind, folder: &Path) -> Result<Command> {
    let id = cluster_id()?;
    let mut command = program(kind, &["storage"], &["kafka.tools.StorageTool"])?;
    command.args(["format", "-t", &id, "-c"]).arg(properties(folder));
    Ok(command)
}

/// The command that runs the broker.
pub(crate) fn start_command(kind: Kind, folder: &Path) -> Result<Command> {
    let mut command = program(kind, &["server", "--config"], &["kafka.Kafka"])?;
    command.arg(properties(folder));
    Ok(command)
}

fn program(kind: Kind, ottla: &[&str], kafka: &[&str]) -> Result<Command> {
    if kind.is_ottla() {
        let mut command = Command::new(ottla_binary()?);
        command.args(ottla);
        return Ok(command);
    }
    let mut command = java("broker")?;
    command.args(kafka);
    Ok(command)
}

/// The JVM with the classes of Apache Kafka's `broker` or `tools`, fetched when they are not there.
pub(crate) fn java(kind: &str) -> Result<Command> {
    let interop = repository().join("interop");
    let done = Command::new(interop.join("run")).args(["--classpath", kind]).output().doing("run interop/run")?;
    if !done.status.success() {
        return Err(Failure::Said(format!(
            "interop/run --classpath {kind}: {}",
            String::from_utf8_lossy(&done.stderr)
        )));
    }
    let classpath = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    let log4j = interop.join("kafka").join("log4j2.properties");
    let mut command = Command::new("java");
    command.arg(HEAP).arg(format!("-Dlog4j2.configurationFile={}", log4j.display())).args(["-cp", &classpath]);
    Ok(command)
}

/// `OTTLA_BIN`, or the `ottla` beside this program.
pub(crate) fn ottla_binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("OTTLA_BIN") {
        return Ok(PathBuf::from(named));
    }
    let beside = std::env::current_exe().doing("find this program")?.with_file_name("ottla");
    if beside.exists() {
        return Ok(beside);
    }
    Err(Failure::Said(format!(
        "{} is not there: `cargo build --release` makes it, OTTLA_BIN names another",
        beside.display()
    )))
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

fn properties(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

fn cluster_id() -> Result<String> {
    let mut bytes = [0; 16];
    let mut source = std::fs::File::open("/dev/urandom").doing("open /dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes).doing("read /dev/urandom")?;
    // A first letter `-` would look like an option to the command line.
    bytes[0] &= 0x7f;
    Ok(Uuid::from_chance(bytes).to_string())
}

fn free_ports() -> Result<(u16, u16)> {
    let listen = || TcpListener::bind("127.0.0.1:0").doing("find a free port");
    let (first, second) = (listen()?, listen()?);
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port()).doing("find a free port");
    Ok((port(&first)?, port(&second)?))
}
