"""The command line: which lanes, against which server."""
import argparse
import pathlib
import shutil
import tempfile

from . import cache, clients, corpus, exchange, groups, members, tools
from .bench import bench
from .servers import Node
from .tally import Tally

SERVERS = ("ottla", "kafka")


def main(arguments):
    """Runs the lanes named, or all of them; returns the exit code."""
    options = _parse(arguments)
    if options.classpath:
        print(cache.jars(options.classpath))
        return 0
    lanes = options.lane or list(LANES)
    unknown = [name for name in lanes if name not in LANES]
    if unknown:
        raise SystemExit(f"no lane {', '.join(unknown)}; there are {', '.join(LANES)}")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ottla-interop-"))
    tally = Tally()
    for name in lanes:
        print(f"{name} against {options.server}", flush=True)
        if not LANES[name](options, folder / name, tally):
            print(f"     directories and server logs: {folder}")
            break
    print(f"{tally.passed} passed, {tally.failed} failed")
    if not tally.failed and not options.keep:
        shutil.rmtree(folder)
    return 1 if tally.failed else 0


def _client_lane(name):
    return lambda options, folder, tally: _with_node(
        options, folder, lambda node: clients.run_all(name, node, folder, tally))


def _cross_lane(options, folder, tally):
    return _with_node(options, folder, lambda node: clients.run_cross(node, folder, tally))


def _with_node(options, folder, use, settings=None):
    node = Node(folder, settings)
    corpus.write(folder / "corpus")
    corpus.write(folder / "corpus-without-null-headers", null_headers=False)
    node.format(options.server)
    node.start(options.server)
    try:
        return use(node)
    finally:
        node.kill()


def _golden_lane(options, folder, tally):
    jars = cache.jars("broker").removesuffix("/*")
    return tally.run_program([str(cache.INTEROP / "golden" / "run"), jars])


def _kill9_lane(options, folder, tally):
    folder.mkdir(parents=True)
    name = f"{options.rounds} times kill -9 under idempotent load: nothing lost, nothing twice"
    return tally.check(name, lambda: bench(
        "kill9", "--server", options.server, "--rounds", str(options.rounds), "--folder", str(folder)))


LANES = {name: _client_lane(name) for name in clients.CLIENTS} | {
    "tools": lambda options, folder, tally: _with_node(options, folder, lambda node: tools.run(node, tally) and groups.run(node, tally)),
    "cross": _cross_lane,
    "groups": lambda options, folder, tally: _with_node(
        options, folder, lambda node: members.run(node, options.server, tally, options.only), members.SETTINGS),
    "golden": _golden_lane,
    "oracle": exchange.run,
    "kill9": _kill9_lane,
}


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="interop/run", description=__doc__)
    parser.add_argument("lane", nargs="*", help=f"any of {', '.join(LANES)}; all without one")
    parser.add_argument("--server", choices=SERVERS, default="ottla",
                        help="the server under test; `kafka` proves the lanes themselves")
    parser.add_argument("--rounds", type=int, default=5, help="kills of the lane kill9 (default 5)")
    parser.add_argument("--only", help="of the lane groups, only checks whose names hold this")
    parser.add_argument("--classpath", choices=("broker", "tools"),
                        help="only fetch Apache Kafka's jars and print their classpath")
    parser.add_argument("--keep", action="store_true", help="keep the directories and logs")
    return parser.parse_args(arguments)
