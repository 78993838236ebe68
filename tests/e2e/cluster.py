"""A cluster of real processes on 127.0.0.1, for tests.

Cluster starts a scheduler, servers and workers in a folder of their own, each with a file for what
it says, and ends what it started. Nothing here waits for a fixed time: `until` polls, with a
deadline.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ANTIPHON_BIN", ROOT / "build/dev/bin"))
PATIENCE_SECONDS = 60
LISTENS = "0A"  # a socket's state in /proc/net/tcp


def until(condition, what, seconds=PATIENCE_SECONDS):
    """Polls until `condition()` is true and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def run(*command, **options):
    """Runs a command to its end; stdout and stderr are text of the result."""
    options.setdefault("timeout", PATIENCE_SECONDS)
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=ROOT, **options
    )


class Process:
    """One process, and the file that gets its stdout and stderr."""

    def __init__(self, name, command, folder):
        self.name = name
        self.said_path = folder / f"{name}.said"
        with open(self.said_path, "wb") as said:
            self.popen = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT,
            )

    def said(self):
        return self.said_path.read_text(errors="replace")

    def alive(self):
        return self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)

    def listening_ports(self):
        """TCP ports, from /proc; none when it has ended."""
        sockets = set()
        with contextlib.suppress(FileNotFoundError):
            for descriptor in pathlib.Path(f"/proc/{self.popen.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    sockets.add(os.readlink(descriptor))
        ports = []
        for line in pathlib.Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
            _, address, _, state, *rest = line.split()
            if state == LISTENS and f"socket:[{rest[5]}]" in sockets:
                ports.append(int(address.rpartition(":")[2], 16))
        return ports

    def wait(self, seconds=PATIENCE_SECONDS):
        """The exit code, negative for a signal."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} still runs after {seconds} s:\n{self.said()}") from None


class Cluster:
    """The processes of one job. Started in __init__; `end` kills what is left."""

    def __init__(self, folder, job, servers=2, workers=2, scheduler_flags=(), worker_flags=()):
        folder.mkdir(parents=True)
        self.folder = folder
        self.job = job
        self.worker_flags = worker_flags
        self.report_path = folder / "report.json"
        address_file = folder / "address"
        self.processes = []
        self.servers = []
        self.workers = []
        self.schedulers = 0
        self.scheduler_flags = [
            f"--address_file={address_file}", f"--servers={servers}", f"--workers={workers}",
            f"--report={self.report_path}", *scheduler_flags]
        self.start_scheduler()
        until(lambda: address_file.exists() or self.scheduler.popen.poll() is not None,
              "the scheduler has an address")
        self.address = address_file.read_text().strip() if address_file.exists() else ""
        for _ in range(servers):
            self.start_server()
        for _ in range(workers):
            self.start_worker()

    def start(self, name, program, *flags):
        process = Process(name, [BIN / program, *flags], self.folder)
        self.processes.append(process)
        return process

    def start_scheduler(self):
        """The first one, or one that goes on from the journal that the flags name."""
        name = "scheduler" if self.schedulers == 0 else f"scheduler-{self.schedulers}"
        self.schedulers += 1
        self.scheduler = self.start(name, "ps_scheduler", *self.scheduler_flags)
        return self.scheduler

    def start_server(self, *flags):
        self.servers.append(self.start(
            f"server-{len(self.servers)}", "ps_server", f"--scheduler={self.address}", *flags))
        return self.servers[-1]

    def start_worker(self, *flags):
        self.workers.append(self.start(
            f"worker-{len(self.workers)}", "ps_worker", f"--scheduler={self.address}",
            f"--job={self.job}", *self.worker_flags, *flags))
        return self.workers[-1]

    def end(self):
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()
            process.popen.wait()

    def ctl(self, *arguments):
        return run(BIN / "ps_ctl", f"--scheduler={self.address}", *arguments)

    def status(self):
        """What `ps_ctl status` says, or None while the cluster does not answer."""
        answer = self.ctl("--output=json", "status")
        return json.loads(answer.stdout) if answer.stdout else None

    def wait_until(self, condition, what="the cluster's status is as expected"):
        """Polls the status; returns the first one that `condition` is true of."""
        def look():
            status = self.status()
            return status and condition(status) and status
        return until(look, what)

    def wait_until_training(self, at_least=1):
        return self.wait_until(
            lambda status: status["samples_trained"] >= at_least, "the job trains")

    def report(self):
        return json.loads(self.report_path.read_text())

    def what_everybody_said(self):
        return "".join(f"--- {process.name}\n{process.said()}" for process in self.processes)


class ClusterTest(unittest.TestCase):
    """A test with a folder, and clusters that end with it."""

    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="antiphon-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, *arguments, name="cluster", **options):
        cluster = Cluster(self.folder / name, *arguments, **options)
        self.addCleanup(cluster.end)
        return cluster

    def expect_good_end(self, cluster, but=()):
        """Every process but those of `but` ends by itself with 0."""
        for process in cluster.processes:
            if process not in but:
                code = process.wait()
                self.assertEqual(code, 0, f"{process.name}\n{cluster.what_everybody_said()}")

    def expect_error(self, result, code, *patterns):
        """`result` of `run` has this exit code, and one line of it matches all patterns."""
        said = result.stdout + result.stderr
        self.assertEqual(result.returncode, code, said)
        lines = said.splitlines()
        self.assertTrue(
            any(all(re.search(pattern, line) for pattern in patterns) for line in lines),
            f"no line has {patterns}:\n{said}")


def main():
    unittest.main(argv=sys.argv, verbosity=2)
