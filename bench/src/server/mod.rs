//! Servers to measure: Ottla, Apache Kafka, the floor; started in folders of their own, stopped and killed.

pub(crate) mod layout;
pub(crate) mod process;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::failure::{Doing, Failure, Result};
use crate::protocol::{Client, topics};

const STOPPED_WITHIN: Duration = Duration::from_secs(120);
const LISTENING_WITHIN: Duration = Duration::from_secs(120);

/// A kind of server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Ottla, built from this repository or named by `OTTLA_BIN`.
    Ottla,
    /// Ottla with durable acks.
    OttlaDurable,
    /// Apache Kafka as `interop/run` fetches it.
    Kafka,
    /// Apache Kafka that syncs after each message.
    KafkaFlush,
    /// Receive, CRC, write, answer; sendfile for fetches.
    Floor,
}

impl Kind {
    /// Name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Ottla => "ottla",
            Kind::OttlaDurable => "ottla-durable",
            Kind::Kafka => "kafka",
            Kind::KafkaFlush => "kafka-flush",
            Kind::Floor => "floor",
        }
    }

    /// Settings beyond the ones every server gets.
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::OttlaDurable => &[("ottla.durable.acks", "true")],
            Kind::KafkaFlush => &[("log.flush.interval.messages", "1")],
            Kind::Ottla | Kind::Kafka | Kind::Floor => &[],
        }
    }

    /// Whether it is a broker with topics.
    pub(crate) fn is_broker(self) -> bool {
        self != Kind::Floor
    }

    /// Whether its data directory and flags are Ottla's.
    pub(crate) fn is_ottla(self) -> bool {
        matches!(self, Kind::Ottla | Kind::OttlaDurable)
    }
}

/// A broker's folder: settings, data, log, and the process while it runs.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    folder: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// Writes the settings of a broker into `folder`; nothing is formatted or started.
    pub(crate) fn prepare(kind: Kind, folder: &Path) -> Result<Server> {
        Server::prepare_with(kind, folder, kind.settings())
    }

    /// As [`Server::prepare`], with settings in place of the kind's own.
    pub(crate) fn prepare_with(kind: Kind, folder: &Path, settings: &[(&str, &str)]) -> Result<Server> {
        std::fs::create_dir_all(folder).doing("create the server's folder")?;
        let port = layout::write_properties(folder, settings)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Server { kind, folder: folder.to_owned(), address, child: None })
    }

    /// Formats the data directory as the server's own tool does.
    pub(crate) fn format(&self) -> Result<()> {
        let done = layout::format_command(self.kind, &self.folder)?.output().doing("run the format command")?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        Err(Failure::Said(format!("{} does not format: {said}", self.kind.name())))
    }

    /// Starts the process and answers at once.
    pub(crate) fn spawn(&mut self) -> Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).doing("open the server's log")?;
        let mut command = layout::start_command(self.kind, &self.folder)?;
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone().doing("share the log")?).stderr(log);
        self.child = Some(command.spawn().doing(&format!("start {}", self.kind.name()))?);
        Ok(())
    }

    /// Starts the process and waits until a connection is taken.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.connect().map(drop)
    }

    /// Connects, waiting for the server to listen.
    pub(crate) fn connect(&mut self) -> Result<Client> {
        let deadline = Instant::now() + LISTENING_WITHIN;
        loop {
            match Client::connect_within(self.address, Duration::from_millis(200)) {
                Ok(client) => return Ok(client),
                Err(error) => self.check_running(&error)?,
            }
            if Instant::now() > deadline {
                return Err(Failure::Said(format!("{} does not listen: {}", self.kind.name(), self.log_end())));
            }
        }
    }

    fn check_running(&mut self, error: &Failure) -> Result<()> {
        let ended = self.child.as_mut().map(Child::try_wait).transpose().doing("look at the server")?.flatten();
        match ended {
            Some(status) => {
                Err(Failure::Said(format!("{} ended with {status} ({error}): {}", self.kind.name(), self.log_end())))
            }
            None => Ok(()),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.as_ref().map(Child::id).ok_or_else(|| Failure::Said("the server does not run".to_owned()))
    }

    /// Stops cleanly with SIGTERM and waits for the end.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + STOPPED_WITHIN;
        let Some(child) = &mut self.child else { return Ok(()) };
        while child.try_wait().doing("wait for the server")?.is_none() {
            if Instant::now() > deadline {
                return Err(Failure::Said(format!("{} does not stop", self.kind.name())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = None;
        Ok(())
    }

    /// Kills with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().doing("kill the server")?;
            child.wait().doing("wait for the server")?;
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()?).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::Said("the process id is out of range".to_owned()))?;
        rustix::process::kill_process(pid, signal).doing("signal the server")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().rev().take(10).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The run is over; there is nobody left to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A floor server: this program again, in a process of its own.
#[derive(Debug)]
pub(crate) struct Floor {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Floor {
    /// Starts `floor produce` or `floor fetch` with its arguments.
    pub(crate) fn start(arguments: &[String]) -> Result<Floor> {
        let program = std::env::current_exe().doing("find this program")?;
        let mut command = Command::new(program);
        let mut child =
            command.arg("floor").args(arguments).stdout(Stdio::piped()).spawn().doing("start the floor server")?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).doing("read the floor's address")?;
        }
        Ok(Floor { address: topics::address(line.trim())?, child })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // The run is over; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
