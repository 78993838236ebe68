#!/usr/bin/env python3
"""launch/local with the real programs: what it says of good ends and of bad ones."""

import json
import os
import re
import signal
import subprocess

import sample_job
from cluster import BIN, ROOT, ClusterTest, main, run, until

LONG_JOB = 300_000  # samples, which in batches of two take far longer than what happens meanwhile


class LaunchLocalTest(ClusterTest):
    def launch(self, samples, *flags):
        """Starts a job; returns the launcher and the path of its standard error."""
        self.run_dir = self.folder / "run"
        command = [
            "launch/local", f"--job={sample_job.write_job(self.folder, samples)}", f"--bin={BIN}",
            f"--log_dir={self.run_dir}", f"--report={self.folder}/report.json", *flags]
        errors = self.folder / "stderr"
        with open(errors, "wb") as out:
            launcher = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=out)
        self.addCleanup(self.end, launcher)
        return launcher, errors

    def end(self, launcher):
        if launcher.poll() is None:
            launcher.terminate()
            launcher.wait(30)

    def pid_of(self, name):
        def look():
            pids = self.run_dir / "pids"
            found = re.search(rf"^{name} (\d+)$", pids.read_text(), re.M) if pids.exists() else None
            return found and int(found[1])
        return until(look, f"{name} has a pid")

    def workers(self, address):
        """How each worker that has registered is."""
        said = run(BIN / "ps_ctl", f"--scheduler={address}", "--output=json", "status").stdout
        nodes = json.loads(said)["nodes"] if said else []
        return [node["health"] for node in nodes if node["role"] == "worker"]

    def test_a_good_job_ends_without_a_warning(self):
        launcher, errors = self.launch(20_000)

        self.assertEqual(launcher.wait(60), 0, errors.read_text())
        self.assertNotRegex(errors.read_text(), "warning|error")

    def test_what_is_killed_is_started_again_and_the_job_goes_on(self):
        launcher, errors = self.launch(60_000, "--set=data_config.batch_size=4")
        victims = {name: self.pid_of(name) for name in ("server 1", "scheduler", "worker 0")}
        address = until(lambda: re.search(r"--scheduler=(\S+)", errors.read_text()), "it runs")[1]
        until(lambda: self.workers(address) == ["alive", "alive"], "both workers have registered")

        for pid in victims.values():
            os.kill(pid, signal.SIGKILL)

        self.assertEqual(launcher.wait(120), 0, errors.read_text())
        for name, pid in victims.items():
            lines = [line for line in errors.read_text().splitlines() if f"{name} (pid {pid})" in line]
            self.assertEqual(len(lines), 1, errors.read_text())
            self.assertRegex(lines[0], "warning: .*: killed by SIGKILL, see .*; started again")
        report = json.loads((self.folder / "report.json").read_text())
        self.assertEqual(report["samples"], 60_000)

    def test_sigterm_is_an_orderly_end_for_each_program(self):
        launcher, errors = self.launch(LONG_JOB, "--set=data_config.batch_size=2", "--linger")
        address = until(lambda: re.search(r"--scheduler=(\S+)", errors.read_text()), "it runs")[1]
        pid = self.pid_of("worker 1")
        until(lambda: self.workers(address) == ["alive", "alive"], "both workers have registered")

        os.kill(pid, signal.SIGTERM)  # this one leaves, the job goes on
        until(lambda: "left" in self.workers(address), "worker 1 has left")
        # A second signal would end it at once.
        until(lambda: not os.path.exists(f"/proc/{pid}"), "worker 1 has ended")
        launcher.terminate()

        self.assertEqual(launcher.wait(60), 128 + signal.SIGTERM, errors.read_text())
        self.assertNotIn("killed", errors.read_text())


if __name__ == "__main__":
    main()
