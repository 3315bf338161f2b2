"""One data directory, two servers: each opens what the other wrote, after a clean stop and after kill -9."""
import time

from . import cache, corpus, dump
from .bench import bench
from .clients import LANES
from .servers import Node

ENDS = ("clean stop", "kill -9")
# What DeleteRecords did survives kill -9 once it is in the checkpoint file, every 60 s by default.
CHECKPOINT_EVERY_MS = 500
SETTINGS = {"log.flush.start.offset.checkpoint.interval.ms": str(CHECKPOINT_EVERY_MS)}


def run(options, folder, tally):
    """Runs every direction with every end; false at the first that fails."""
    return all(_directions(options.server, folder, tally)) and _producers(options.server, folder, tally)


def _directions(server, folder, tally):
    pairs = [("kafka", "kafka")] if server == "kafka" else [(server, "kafka"), ("kafka", server)]
    for writer, reader in pairs:
        for end in ENDS:
            name = f"{writer} to {reader} after {end}"
            yield Exchange(folder / name.replace(" ", "-"), writer, reader, end).run(name, tally)


def _producers(server, folder, tally):
    """Idempotent producers go on with their sequence numbers while the servers take turns on the directory.

    One request in flight each: a snapshot in Kafka's format holds a producer's last batch alone, so after its start Kafka
    does not recognise the ones before it.
    """
    turns = "kafka,kafka" if server == "kafka" else f"{server},kafka"
    return all(
        tally.check(f"producers go on while {turns} take turns after {end}", lambda end=end: bench(
            "kill9", "--server", turns, "--rounds", "4", "--end", end, "--in-flight", "1", "--folder", str(folder)))
        for end in ("stop", "kill"))


class Exchange:
    """A directory that `writer` fills, `reader` opens and adds to, and `writer` opens again."""

    def __init__(self, folder, writer, reader, end):
        self.node = Node(folder, SETTINGS)
        self.writer, self.reader, self.end = writer, reader, end
        self.corpus = folder / "corpus"
        self.before = self.after = None

    def run(self, name, tally):
        """All steps; false at the first that fails."""
        steps = [
            (f"{self.writer} fills the directory", self.fill),
            ("kafka-dump-log reads every file", lambda: dump.check(self.node.data)),
            (f"{self.reader} shows the same topics, settings and records", self.read),
            (f"{self.reader} adds records and topics, stops cleanly", self.add),
            ("kafka-dump-log reads every file again", lambda: dump.check(self.node.data)),
            (f"{self.writer} opens it again and shows the same", self.reopen),
        ]
        try:
            return all(tally.check(f"{name}: {step}", call) for step, call in steps)
        finally:
            self.node.kill()

    def fill(self):
        corpus.write(self.corpus)
        self.node.format(self.writer)
        self.node.start(self.writer)
        self._client("fill")
        self.before = self._client("tell")
        if self.end == "clean stop":
            self.node.stop()
        else:
            time.sleep(4 * CHECKPOINT_EVERY_MS / 1000)
            self.node.kill()

    def read(self):
        self.node.start(self.reader)
        _same(self._client("tell"), self.before)

    def add(self):
        self._client("more")
        self.after = self._client("tell")
        self.node.stop()

    def reopen(self):
        self.node.start(self.writer)
        _same(self._client("tell"), self.after)

    def _client(self, action):
        program = cache.java_program(LANES / "java", "Exchange")
        return cache.output([*program, self.node.address, str(self.corpus), action], within_s=300)


def _same(got, wanted):
    got, wanted = got.splitlines(), wanted.splitlines()
    for left, right in zip(got, wanted):
        if left != right:
            raise AssertionError(f"got {left!r}, wanted {right!r}")
    if len(got) != len(wanted):
        raise AssertionError(f"{len(got)} lines, wanted {len(wanted)}: {set(got) ^ set(wanted)}")
