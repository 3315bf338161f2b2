"""The broker under test: Ottla or Apache Kafka, started on free ports in a directory of its own."""
import os
import pathlib
import signal
import socket
import subprocess
import time
import uuid
import base64

from . import cache

REPOSITORY = cache.INTEROP.parent
READY_WITHIN_S = 60
STOPPED_WITHIN_S = 30


class Node:
    """One broker and controller on one data directory; may be started, stopped, killed and started again, as either server."""

    def __init__(self, directory, settings=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.properties = self.directory / "server.properties"
        self.log = self.directory / "server.log"
        self.port, self.controller_port = _free_ports(2)
        self.process = None
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_properties(settings or {})

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def format(self, server):
        """Formats the data directory as `server` does it."""
        command = _program(server, "format") + ["-t", _random_id(), "-c", str(self.properties)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{server} does not format {self.data}:\n{done.stdout}")

    def start(self, server):
        """Starts `server` on the directory and returns when its port answers."""
        command = _program(server, "start") + _config_arguments(server, self.properties)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory)
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self.process.poll() is not None:
                raise SystemExit(f"{server} ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise SystemExit(f"{server} does not answer on {self.address}:\n{self.log_tail()}")
            time.sleep(0.02)

    def stop(self):
        """Stops cleanly with SIGTERM and checks that the server exits by itself."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOPPED_WITHIN_S)
        if code not in (0, 143):
            raise SystemExit(f"exit code {code} after SIGTERM:\n{self.log_tail()}")
        self.process = None

    def kill(self):
        """Ends the server with SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log_tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def _write_properties(self, settings):
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}"
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.data),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "auto.create.topics.enable": "false",
        } | settings
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))


def ottla_binary():
    """`OTTLA_BIN`, or a release build of this repository."""
    named = os.environ.get("OTTLA_BIN")
    if named:
        return named
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=REPOSITORY, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    return str(REPOSITORY / target / "release" / "ottla")


def _program(server, action):
    if server == "kafka":
        names = {"format": ["kafka.tools.StorageTool", "format"], "start": ["kafka.Kafka"]}
        return cache.java("broker", *names[action])
    names = {"format": ["storage", "format"], "start": ["server"]}
    return [ottla_binary(), *names[action]]


def _config_arguments(server, properties):
    return [str(properties)] if server == "kafka" else ["--config", str(properties)]


def _random_id():
    """A cluster id as Kafka makes them: never one that looks like an option."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return _random_id() if text.startswith("-") else text


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
