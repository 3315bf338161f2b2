"""The client lanes: each client alone, and every client reading what every other wrote."""
from . import cache

LANES = cache.INTEROP / "lanes"
CLIENTS = {
    "python": lambda: cache.python_program("python", LANES / "python" / "lane.py"),
    "librdkafka": lambda: cache.python_program("librdkafka", LANES / "librdkafka" / "lane.py"),
    "java": lambda: cache.java_program(LANES / "java", "Lane"),
    "go": lambda: cache.go_program(LANES / "go"),
}
WITHOUT_NULL_HEADERS = {"python"}


def run_all(name, node, folder, tally):
    """Every check of one client."""
    return tally.run_program([*CLIENTS[name](), node.address, _corpus(name, folder), "all"])


def run_cross(node, folder, tally):
    """Each client writes the corpus, each reads what all wrote."""
    for writer, program in CLIENTS.items():
        if not tally.run_program([*program(), node.address, _corpus(writer, folder), "write", f"from-{writer}"]):
            return False
    for writer in CLIENTS:
        for reader, program in CLIENTS.items():
            if reader == writer:
                continue
            command = [*program(), node.address, _corpus(writer, folder), "read", f"from-{writer}"]
            if not tally.check(f"{reader} reads what {writer} wrote", lambda command=command: cache.output(command)):
                return False
    return True


def _corpus(writer, folder):
    """The corpus a client can write: kafka-python has no null header values."""
    return str(folder / ("corpus-without-null-headers" if writer in WITHOUT_NULL_HEADERS else "corpus"))

