"""Groups of real clients: they join, leave and die, the broker dies, and every record is handled."""
import json
import signal
import subprocess
import threading
import time

from . import cache

LANES = cache.INTEROP / "lanes" / "members"
PROGRAMS = {
    "java": lambda: cache.java_program(LANES / "java", "Member"),
    "librdkafka": lambda: cache.python_program("librdkafka", LANES / "librdkafka" / "member.py"),
    "go": lambda: cache.go_program(LANES / "go"),
    "kafkajs": lambda: cache.node_program(LANES / "kafkajs", "member.js"),
    "python": lambda: cache.python_program("python", LANES / "python" / "member.py"),
}
PARTITIONS = (4, 2, 1)
RECORDS = 600
# Sessions of KIP-848 are the server's to say; shorter than the defaults, so that the dead are found out soon.
SETTINGS = {
    "group.consumer.min.session.timeout.ms": "6000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
}
SETTLED_WITHIN_S = 60
LEFT_WITHIN_S = 30

# Members by their client, in the order in which they come, and what they are told.
STORIES = {
    "java, range": (["java"] * 5, ["assignor=range"]),
    "java, cooperative-sticky": (["java"] * 5, ["assignor=cooperative-sticky"]),
    "librdkafka, range": (["librdkafka"] * 5, ["assignor=range"]),
    "librdkafka, cooperative-sticky": (["librdkafka"] * 5, ["assignor=cooperative-sticky"]),
    "franz-go, range": (["go"] * 5, ["assignor=range"]),
    "franz-go, cooperative-sticky": (["go"] * 5, ["assignor=cooperative-sticky"]),
    "kafkajs": (["kafkajs"] * 5, []),
    "kafka-python, range": (["python"] * 5, ["assignor=range"]),
    "kafka-python, cooperative-sticky": (["python"] * 5, ["assignor=cooperative-sticky"]),
    "four clients in one group, range": (["librdkafka", "python", "go", "java", "librdkafka"], ["assignor=range"]),
    "java, KIP-848": (["java"] * 5, ["protocol=consumer"]),
    "java, KIP-848, range": (["java"] * 5, ["protocol=consumer", "group.remote.assignor=range"]),
    "librdkafka, KIP-848": (["librdkafka"] * 5, ["protocol=consumer"]),
    "two clients, KIP-848": (["librdkafka", "java", "librdkafka", "java", "librdkafka"], ["protocol=consumer"]),
}
# From a classic group to one of KIP-848, member by member, and back.
MIGRATIONS = {
    "java": ("java", ["assignor=cooperative-sticky"]),
    "java, eager": ("java", ["assignor=range"]),
    "librdkafka": ("librdkafka", ["assignor=cooperative-sticky"]),
}
# Members that go on where they stood while Apache Kafka and Ottla take turns on the directory.
MOVES = {
    "java": ("java", ["assignor=range", "session.timeout.ms=40000"]),
    "librdkafka-848": ("librdkafka", ["protocol=consumer"]),
}
STATIC = ("java", "librdkafka", "go", "python")


def run(node, server, tally, only=None):
    """Tells every story; false at the first that fails."""
    checks = [(f"a group of {name}", lambda number=number, story=story: Story(node, server, f"group-{number}").tell(*story))
              for number, (name, story) in enumerate(STORIES.items())]
    checks += [(f"static members of {client}", lambda client=client: Story(node, server, f"static-{client}").tell_static(client))
               for client in STATIC]
    checks += [(f"static members of {client}, KIP-848",
                lambda client=client: Story(node, server, f"static-848-{client}").tell_static(client, ["protocol=consumer"]))
               for client in ("java", "librdkafka")]
    checks += [(f"to KIP-848 and back: {name}",
                lambda story=story, number=number: Story(node, server, f"migration-{number}").tell_migration(*story))
               for number, (name, story) in enumerate(MIGRATIONS.items())]
    checks += [(f"a group moves to the other server and back: {name}",
                lambda client=client, options=options, name=name:
                Story(node, server, f"moved-{name}").tell_move(client, options))
               for name, (client, options) in MOVES.items()]
    return all(tally.check(name, check) for name, check in checks if only is None or only in name)


class Member:
    """A process that is a member, and what it has said."""

    def __init__(self, client, address, group, topics, options):
        command = [*PROGRAMS[client](), address, group, topics, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.client = client
        self.assigned = None
        self.assignments = 0
        self.handled = []
        self.complaints = []
        for stream, hear in ((self.process.stdout, self._hear), (self.process.stderr, self.complaints.append)):
            threading.Thread(target=lambda stream=stream, hear=hear: [hear(line) for line in stream], daemon=True).start()

    def _hear(self, line):
        verb, *words = line.split()
        if verb == "assigned":
            self.assigned = set(words[0].split(",")) if words else set()
            self.assignments += 1
        elif verb == "handled":
            self.handled.append((f"{words[0]}:{words[1]}", int(words[2]), int(words[3])))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def leave(self):
        """Ends it by SIGTERM, so that it commits, leaves and exits by itself."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LEFT_WITHIN_S)

    def __str__(self):
        return f"{self.client} has {sorted(self.assigned or [])}, said {''.join(self.complaints[-3:])!r}"


class Story:
    """One group from its first member to its last."""

    def __init__(self, node, server, group):
        self.node = node
        self.server = server
        self.group = group
        self.topics = {f"{group}-{number}": partitions for number, partitions in enumerate(PARTITIONS)}
        self.members = []
        self.gone = []

    def tell(self, clients, options):
        """Members come, one is killed, one leaves, the broker is killed; in the end all is handled and committed."""
        clients = iter(clients)
        try:
            self._desk("create", ",".join(f"{name}:{partitions}" for name, partitions in self.topics.items()))
            self._produce()
            self._join(next(clients), options)
            self._settle()
            self._join(next(clients), options)
            self._join(next(clients), options)
            self._settle()
            self._produce()
            self._part(self.members[1], Member.kill)
            self._settle()
            self._part(self.members[1], Member.leave)
            self._settle()
            self._join(next(clients), options)
            self._join(next(clients), options)
            self._settle()
            self.node.kill()
            self.node.start(self.server)
            self._produce()
            self._handle_all()
            self._settle()
            self._close()
        finally:
            for member in self.members:
                member.kill()

    def tell_migration(self, client, classic):
        """Classic members are replaced by members of KIP-848 one by one, and these by classic ones again."""
        modern = ["protocol=consumer"]
        try:
            self._desk("create", ",".join(f"{name}:{partitions}" for name, partitions in self.topics.items()))
            self._produce()
            self._join(client, classic)
            self._join(client, classic)
            self._settle()
            for options in (modern, classic):
                for _ in range(2):
                    self._join(client, options)
                    self._settle()
                    self._produce()
                    self._part(self.members[0], Member.leave)
                    self._settle()
            self._handle_all()
            self._settle()
            self._close()
        finally:
            for member in self.members:
                member.kill()

    def tell_move(self, client, options):
        """The other server opens the directory and the group goes on; then the first one again."""
        other = "kafka" if self.server == "ottla" else "ottla"
        try:
            self._desk("create", ",".join(f"{name}:{partitions}" for name, partitions in self.topics.items()))
            self._produce()
            self._join(client, options)
            self._join(client, options)
            self._settle()
            for server in (other, self.server):
                self._handle_all()
                offsets = json.loads(self._desk("offsets", self.group, ",".join(self.topics)))
                before = [len(member.handled) for member in self.members]
                self.node.stop()
                self.node.start(server)
                self._produce()
                self._handle_all()
                self._settle()
                for member, count in zip(self.members, before):
                    for place, first, _ in member.handled[count:]:
                        if first < offsets[place][1]:
                            raise AssertionError(f"{place} goes on at {first}, committed was {offsets[place][1]}")
            self._close()
        finally:
            for member in self.members:
                member.kill()

    def tell_static(self, client, options=None):
        """A static member that comes back in time gets what it had, and the others notice nothing."""
        try:
            self._desk("create", ",".join(f"{name}:{partitions}" for name, partitions in self.topics.items()))
            self._produce()
            for instance in ("one", "two"):
                self._join(client, [f"instance={instance}", *(options or _session(client))])
            self._settle(evenly=True)
            # By KIP-848 the id of one that was killed is free only once its session has ended.
            for end in (Member.leave,) if options else (Member.leave, Member.kill):
                stayed, back = self.members
                before, had = stayed.assignments, back.assigned
                self._part(back, end)
                self._join(client, ["instance=two", *(options or _session(client))])
                self._settle(evenly=True)
                if self.members[1].assigned != had:
                    raise AssertionError(f"{self.members[1]}, had {sorted(had)}")
                if stayed.assignments != before:
                    raise AssertionError("the other member was assigned anew")
            self._produce()
            self._handle_all()
            self._close()
        finally:
            for member in self.members:
                member.kill()

    def _join(self, client, options):
        self.members.append(Member(client, self.node.address, self.group, ",".join(self.topics), options))

    def _part(self, member, end):
        self.members.remove(member)
        self.gone.append(member)
        end(member)

    def _close(self):
        while self.members:
            self._part(self.members[-1], Member.leave)
        offsets = json.loads(self._desk("offsets", self.group, ",".join(self.topics)))
        wrong = {place: pair for place, pair in offsets.items() if pair[0] != pair[1]}
        if wrong:
            raise AssertionError(f"ends and commits differ: {wrong}")

    def _settle(self, evenly=False):
        """Waits until the members share all partitions, each once; evenly if each shall have some."""
        every = {f"{name}:{index}" for name, partitions in self.topics.items() for index in range(partitions)}

        def settled():
            shares = [member.assigned for member in self.members]
            return None not in shares and (all(shares) or not evenly) and sum(map(len, shares)) == len(every) and set().union(*shares) == every

        self._wait(settled, "the members do not share the partitions")

    def _handle_all(self):
        """Waits until every record was handled by one of them."""
        offsets = json.loads(self._desk("offsets", self.group, ",".join(self.topics)))

        def missing():
            unseen = {place: set(range(end)) for place, (end, _) in offsets.items()}
            for member in self.members + self.gone:
                for place, first, last in list(member.handled):
                    unseen[place].difference_update(range(first, last + 1))
            return {place: f"{min(gap)} … {max(gap)}" for place, gap in unseen.items() if gap}

        self._wait(lambda: not missing(), lambda: f"not handled are {missing()}")

    def _wait(self, until, complaint):
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while not until():
            dead = [member for member in self.members if member.process.poll() is not None]
            if dead or time.monotonic() > deadline:
                what = complaint() if callable(complaint) else complaint
                raise AssertionError(f"{what}: {'; '.join(map(str, dead or self.members))}")
            time.sleep(0.05)

    def _produce(self):
        self._desk("produce", ",".join(self.topics), str(RECORDS))

    def _desk(self, *words):
        program = cache.python_program("librdkafka", LANES / "librdkafka" / "desk.py")
        return cache.output([*program, self.node.address, *words])


def _session(client):
    """A session that outlasts the time in which a member comes back."""
    return ["session.timeout.ms=30000"] if client == "java" else ["session=30000"]
