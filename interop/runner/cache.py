"""Everything that is fetched or built once: jars, virtual environments, the Go lane, classes of the Java programs."""
import hashlib
import os
import pathlib
import subprocess
import sys

INTEROP = pathlib.Path(__file__).resolve().parent.parent

PYTHON_CLIENTS = {
    "python": ["kafka-python[crc32c,lz4,snappy,zstd]==3.0.12"],
    "librdkafka": ["confluent-kafka==2.16.1"],
}


def folder():
    """Where fetched and built things stay between runs."""
    path = pathlib.Path(os.environ.get("OTTLA_CACHE") or pathlib.Path.home() / ".cache" / "ottla")
    path.mkdir(parents=True, exist_ok=True)
    return path


def jars(kind):
    """Classpath of Apache Kafka's `broker` or `tools`, each with the classes of its own release."""
    pom = INTEROP / "kafka" / f"{kind}.xml"
    target = folder() / f"jars-{kind}-{_digest([pom])}"
    if not target.is_dir():
        _announce(f"fetching Apache Kafka ({kind})")
        partial = target.with_suffix(".partial")
        _run(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
              f"-DoutputDirectory={partial}", "-DincludeScope=runtime"])
        partial.rename(target)
    return f"{target}/*"


def java(kind, *arguments, heap="512m", options=()):
    """Command line that runs a class of Apache Kafka's `broker` or `tools` quietly."""
    log4j = INTEROP / "kafka" / "log4j2.properties"
    return ["java", f"-Xmx{heap}", "-Xms32m", *options, f"-Dlog4j2.configurationFile={log4j}",
            "-cp", jars(kind), *arguments]


def java_program(directory, main):
    """Command line that runs one of our own Java programs on the broker's jars, compiled when its sources changed."""
    sources = sorted(directory.glob("*.java"))
    target = folder() / f"classes-{directory.name}-{_digest(sources)}"
    if not target.is_dir():
        _announce(f"compiling {directory.name} with javac")
        partial = target.with_suffix(".partial")
        partial.mkdir(exist_ok=True)
        _run(["javac", "-nowarn", "-proc:none", "-cp", jars("broker"), "-d", str(partial), *map(str, sources)])
        partial.rename(target)
    log4j = INTEROP / "kafka" / "log4j2.properties"
    return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={log4j}",
            "-cp", f"{jars('broker')}:{target}", main]


def python_program(client, source):
    """Command line that runs a Python lane in the virtual environment of its client."""
    requirements = PYTHON_CLIENTS[client]
    target = folder() / f"venv-{client}-{_digest_text(' '.join(requirements))}"
    interpreter = target / "bin" / "python"
    if not (target / "installed").exists():
        _announce(f"installing {' '.join(requirements)}")
        _run([sys.executable, "-m", "venv", str(target)])
        _run([str(interpreter), "-m", "pip", "-q", "install", *requirements])
        (target / "installed").touch()
    return [str(interpreter), "-B", str(source)]


def go_program(directory):
    """Path of the Go lane's binary, built when its sources changed."""
    sources = sorted(directory.glob("*.go")) + [directory / "go.mod", directory / "go.sum"]
    target = folder() / f"go-{directory.parent.name}-{directory.name}-{_digest(sources)}"
    if not target.exists():
        _announce(f"building {directory.name} with Go")
        _run(["go", "build", "-mod=readonly", "-o", str(target), "."], cwd=directory)
    return [str(target)]


def node_program(directory, main):
    """Command line that runs a JavaScript program, its packages installed when their list changed."""
    packages = directory / "package.json"
    target = folder() / f"node-{directory.name}-{_digest([packages, directory / main])}"
    if not target.is_dir():
        _announce(f"installing packages of {directory.name} with npm")
        partial = target.with_suffix(".partial")
        partial.mkdir(exist_ok=True)
        for source in (packages, directory / main):
            (partial / source.name).write_text(source.read_text())
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=partial)
        partial.rename(target)
    return ["node", str(target / main)]


def output(command, input_text=None, within_s=120):
    """Standard output of a command; raises with its end when it fails."""
    done = subprocess.run(command, input=input_text, capture_output=True, text=True, timeout=within_s)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _digest(paths):
    return _digest_text("".join(path.read_text() for path in paths))


def _digest_text(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _announce(text):
    print(f"     … {text}", file=sys.stderr, flush=True)


def _run(command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
