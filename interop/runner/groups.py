"""Ottla's group tools beside Apache Kafka's: the same flags, the same lines, the same exit code."""
import re
import signal
import subprocess
import time

from . import cache
from .servers import ottla_binary

TOOLS = "org.apache.kafka.tools"
PAIRS = {
    "consumer-groups": f"{TOOLS}.consumer.group.ConsumerGroupCommand",
    "groups": f"{TOOLS}.GroupsCommand",
    "get-offsets": f"{TOOLS}.GetOffsetShell",
    "console-consumer": f"{TOOLS}.consumer.ConsoleConsumer",
}

# Each line is typed into both tools, Kafka's first. What one changes is there for the next.
SHOWN = [
    "consumer-groups --list",
    "consumer-groups --list --state --type",
    "consumer-groups --list --state empty",
    "consumer-groups --list --type consumer",
    "consumer-groups --describe --group active",
    "consumer-groups --describe --group modern --verbose",
    "consumer-groups --describe --group modern --group gone --members --verbose",
    "consumer-groups --describe --all-groups --state",
    "consumer-groups --describe --all-groups --members",
    "consumer-groups --describe --group gone",
    "consumer-groups --describe --group nobody",
    "consumer-groups --describe --group active --state --verbose",
    "groups --list",
    "groups --list --group-type consumer",
    "groups --list --consumer",
    "groups --list --share",
    "get-offsets --topic group-a --exclude-internal-topics",
    "get-offsets --topic-partitions group-a:1-,group-b:0 --time earliest",
    "get-offsets --topic group-b --partitions 0 --time -3",
    "get-offsets --topic no-such-topic",
]
PLANNED = [
    "--group gone --topic group-a --to-earliest --dry-run",
    "--group gone --topic group-a:0,2 --to-offset 999 --dry-run",
    "--group gone --all-topics --shift-by -2 --dry-run --export",
    "--group gone --group other --all-topics --to-current --dry-run --export",
    "--group active --all-topics --to-latest --dry-run",
    "--group fresh --topic group-b --to-datetime 2020-01-01T00:00:00.000 --dry-run",
    "--group fresh --topic group-b --by-duration PT0S --dry-run",
    "--group fresh --topic no-such-topic --to-latest --dry-run",
    "--group fresh --topic group-b:9 --to-latest --dry-run",
    "--group fresh --topic group-b --shift-by 1 --dry-run",
    "--group fresh --topic group-b --dry-run",
    "--group gone --to-latest --to-earliest --topic group-a --dry-run",
]
CHANGED = [
    ("--delete --group active --group nobody", None),
    ("--delete-offsets --group active --topic group-a", None),
    ("--delete-offsets --group nobody --topic group-a", None),
    ("--delete-offsets --group gone --topic no-such-topic --topic group-b:7", None),
    # Twice for the same lines: what the first deletes or sets, it puts back.
    ("--delete-offsets --group gone --topic group-a:0", "--reset-offsets --group gone --topic group-a:0 --to-earliest --execute"),
    ("--reset-offsets --group gone --topic group-a --to-latest --execute", None),
    ("--delete --group gone --group other", "--reset-offsets --group gone --group other --topic group-a --to-earliest --execute"),
]

# The classes that both consumers are given, which share partitions by the first.
ASSIGNORS = ["RangeAssignor", "RoundRobinAssignor", "StickyAssignor", "CooperativeStickyAssignor"]


def run(node, tally):
    """Runs every line through both tools; false at the first difference."""
    pairs = Pairs(node.address)
    members = []
    try:
        pairs.prepare(members)
        checks = [(line, lambda line=line: pairs.same(*line.split())) for line in SHOWN]
        checks += [(f"--reset-offsets {line}", lambda line=line: pairs.same("consumer-groups", "--reset-offsets", *line.split()))
                   for line in PLANNED]
        checks += [(line, lambda line=line, again=again: pairs.same_change(line, again)) for line, again in CHANGED]
        checks.append(("console-consumer --group: commits where it ends", pairs.commits))
        checks += [(f"console-consumer --group shares with Kafka's by {assignor}, whoever leads",
                    lambda assignor=assignor: pairs.shares(assignor)) for assignor in ASSIGNORS]
        return all(tally.check(f"ottla as kafka: {name}", check) for name, check in checks)
    finally:
        for member in members:
            member.kill()
            member.wait()


class Pairs:
    """Both tools against one address."""

    def __init__(self, address):
        self.address = address

    def prepare(self, members):
        """Topics with records, a classic and a KIP-848 group with a member each, two groups that have read and gone."""
        for topic, partitions in (("group-a", 3), ("group-b", 2)):
            self._output(self._kafka(f"{TOOLS}.TopicCommand", "--create", "--topic", topic, "--partitions", str(partitions)))
            lines = "".join(f"{key}\tvalue {key}\n" for key in range(30))
            self._output(self._kafka(f"{TOOLS}.ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true"), lines)
        for group, extra in (("active", []), ("modern", ["--command-property", "group.protocol=consumer"])):
            command = self._kafka(PAIRS["console-consumer"], "--topic", "group-a", "--group", group, "--from-beginning", *extra)
            members.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for group, count in (("gone", 25), ("other", 30)):
            self._output(self._kafka(PAIRS["console-consumer"], "--topic", "group-a", "--group", group, "--from-beginning",
                                     "--max-messages", str(count)))
        for group in ("active", "modern"):
            self._wait_for_lag(group, 0)

    def same(self, tool, *arguments):
        """The same lines, whatever their order, and the same exit code."""
        theirs = _shown(subprocess.run(self._kafka(PAIRS[tool], *arguments), capture_output=True, text=True, timeout=60))
        ours = _shown(subprocess.run(self._ottla(tool, *arguments), capture_output=True, text=True, timeout=60))
        if theirs != ours:
            raise AssertionError(f"Kafka's tool {theirs!r}, ours {ours!r}")

    def same_change(self, line, again):
        """Like `same` for an action that changes something, with the action in between that undoes it."""
        arguments = line.split()
        theirs = _shown(subprocess.run(self._kafka(PAIRS["consumer-groups"], *arguments), capture_output=True, text=True, timeout=60))
        if again:
            self._output(self._ottla("consumer-groups", *again.split()))
        ours = _shown(subprocess.run(self._ottla("consumer-groups", *arguments), capture_output=True, text=True, timeout=60))
        if theirs != ours:
            raise AssertionError(f"Kafka's tool {theirs!r}, ours {ours!r}")

    def commits(self):
        """Kafka's console consumer goes on where ours ended, and ours where Kafka's did."""
        read = []
        for command in (self._ottla, self._kafka_consumer, self._ottla):
            read += self._output(command("console-consumer", "--topic", "group-a", "--group", "turns", "--from-beginning",
                                         "--max-messages", "10", "--timeout-ms", "30000")).split("\n")
        got = sorted(line for line in read if line)
        wanted = sorted(f"value {key}" for key in range(30))
        if got != wanted:
            raise AssertionError(f"read {got!r}")

    def shares(self, assignor):
        """Ours and Kafka's in one group: both have some of the partitions, and one that leaves is missed by the other."""
        strategy = ["--command-property", f"partition.assignment.strategy=org.apache.kafka.clients.consumer.{assignor}"]
        for commands in ((self._ottla, self._kafka_consumer), (self._kafka_consumer, self._ottla)):
            group = f"shared-{assignor}-{commands[0].__name__}"
            consumers = []
            try:
                for count, command in enumerate(commands, start=1):
                    typed = command("console-consumer", "--topic", "group-a", "--group", group, "--from-beginning", *strategy)
                    consumers.append(subprocess.Popen(typed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                    self._wait_for_shares(group, [3] if count == 1 else [1, 2])
                consumers[0].send_signal(signal.SIGTERM)
                consumers[0].wait(30)
                self._wait_for_shares(group, [3])
            finally:
                for consumer in consumers:
                    consumer.kill()
                    consumer.wait()

    def _wait_for_shares(self, group, wanted):
        """Waits until the members have so many partitions each."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            text = subprocess.run(self._ottla("consumer-groups", "--describe", "--group", group, "--members"),
                                  capture_output=True, text=True, timeout=60).stdout
            shares = sorted(int(line.split()[-1]) for line in text.splitlines() if line.startswith(group))
            if shares == wanted:
                return
            time.sleep(0.3)
        raise AssertionError(f"not shared as {wanted}: {text}")

    def _wait_for_lag(self, group, wanted):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            text = self._output(self._ottla("consumer-groups", "--describe", "--group", group))
            lags = [line.split()[5] for line in text.splitlines() if line.startswith(group) and " group-a " in line]
            if len(lags) == 3 and all(lag == str(wanted) for lag in lags):
                return
            time.sleep(0.5)
        raise RuntimeError(f"group {group} does not come to a lag of {wanted}:\n{text}")

    def _kafka_consumer(self, tool, *arguments):
        return self._kafka(PAIRS[tool], *arguments)

    def _kafka(self, tool, *arguments):
        return cache.java("tools", tool, "--bootstrap-server", self.address, *arguments, options=["-XX:TieredStopAtLevel=1"])

    def _ottla(self, tool, *arguments):
        return [ottla_binary(), tool, "--bootstrap-server", self.address, *arguments]

    @staticmethod
    def _output(command, input_text=None):
        return cache.output(command, input_text)


def _shown(done):
    """Exit code and lines, without what is Kafka's own: stack traces, log lines, the help after a usage error, prose of errors."""
    lines = [_bare(line) for line in done.stdout.splitlines()]
    if done.returncode:
        lines += [_bare(line) for line in done.stderr.splitlines()[:1]]
    return done.returncode, sorted(line for line in lines if line)


def _bare(line):
    line = re.sub(r"(org\.apache\.kafka\.common\.errors\.\w+).*", r"\1", line)
    line = re.sub(r"^Error: The(re)? .*", "Error: …", line)
    line = re.sub(r"failed due to [A-Z][\w -]*\.$", "failed due to …", line)
    # Kafka prints sets of options and of groups in any order.
    return " ".join(sorted(re.sub(r"[\[\](),]", " ", line).split())) if "[" in line or "('" in line else line
