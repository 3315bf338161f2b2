"""Counts checks and prints a line for each."""
import subprocess
import sys


class Tally:
    """Passed and failed checks of a whole run."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def ok(self, name):
        self.passed += 1
        print(f"ok   {name}", flush=True)

    def fail(self, name, reason):
        self.failed += 1
        print(f"FAIL {name}: {reason}", flush=True)

    def check(self, name, call):
        """Runs one check; true when it passed. A failure is an exception, its text the reason."""
        try:
            call()
        except Exception as error:  # a lane reports whatever went wrong
            self.fail(name, f"{type(error).__name__}: {error}")
            return False
        self.ok(name)
        return True

    def run_program(self, command, within_s=600):
        """Runs a lane program that prints its own lines and adds them up; true when none failed."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\nstopped after {within_s} s"
        lines = out.splitlines()
        for line in lines:
            if line.startswith(("ok ", "FAIL")):
                print(line, flush=True)
        self.passed += sum(line.startswith("ok ") for line in lines)
        failed = sum(line.startswith("FAIL") for line in lines)
        if process.returncode == 0 and not failed:
            return True
        print(err[-4000:], file=sys.stderr, flush=True)
        if not failed:
            self.fail(command[-1], f"exit code {process.returncode}")
        else:
            self.failed += failed
        return False
