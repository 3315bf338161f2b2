"""ottla-bench, for the proofs that need raw requests."""
import os
import pathlib
import subprocess

from . import cache
from .servers import REPOSITORY, ottla_binary


def bench(*arguments):
    """Runs a subcommand of a release build; raises with its words when it fails."""
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "ottla-bench"], cwd=REPOSITORY, check=True)
    target = REPOSITORY / pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or "target")
    if any("ottla" in argument.split(",") for argument in arguments):
        os.environ["OTTLA_BIN"] = ottla_binary()
    return cache.output([str(target / "release" / "ottla-bench"), *arguments], within_s=1800)
