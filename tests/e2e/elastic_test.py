#!/usr/bin/env python3
"""Servers and workers join and leave a running job, one dies in between, and one for good: every sample
trains its row exactly once."""

import os
import signal
import subprocess

import sample_job
from cluster import BIN, ROOT, ClusterTest, main, run, until

SAMPLES = 250_000
SLOWLY = "--set=data_config.batch_size=8"  # so that there is a middle


class ElasticTest(ClusterTest):
    def start_job(self, **options):
        self.snapshots = self.folder / "snapshots"
        return self.start(
            sample_job.write_job(self.folder, SAMPLES),
            scheduler_flags=[f"--snapshot_dir={self.snapshots}"], worker_flags=[SLOWLY], **options)

    def join(self, cluster, *flags):
        """Starts a launcher that adds to the job; returns it. What it says is in `self.launcher_said`."""
        self.run_dir = self.folder / "joined"
        self.launcher_said = self.folder / "launcher"
        with open(self.launcher_said, "wb") as said:
            launcher = subprocess.Popen(
                ["launch/local", f"--join={cluster.address}", f"--bin={BIN}",
                 f"--log_dir={self.run_dir}", *flags],
                cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
        self.addCleanup(self.end_launcher, launcher)
        return launcher

    def end_launcher(self, launcher):
        if launcher.poll() is None:
            launcher.terminate()
            launcher.wait(30)

    def joined_pid(self, name):
        """Of the last process of that name which the launcher started."""
        def look():
            path = self.run_dir / "pids"
            lines = path.read_text().splitlines() if path.exists() else []
            pids = [int(line.split()[-1]) for line in lines if line.startswith(f"{name} ")]
            return pids and pids[-1]
        return until(look, f"{name} has been started:\n{self.launcher_said.read_text()}")

    def number_of(self, cluster, process):
        return self.number_of_pid(cluster, process.popen.pid)

    def number_of_pid(self, cluster, pid):
        return next(node["node"] for node in cluster.status()["nodes"] if node["pid"] == pid)

    def serving(self, status):
        """How many servers have shards."""
        return sum(any(lane["shards"] > 0 for lane in node.get("lanes", []))
                   for node in status["nodes"])

    def wait_for_moves(self, cluster, count):
        return cluster.wait_until(
            lambda status: sum(move["phase"] == "done" for move in status["moves"]) >= count,
            f"{count} moves are done")

    def expect_each_sample_once(self, cluster, but=()):
        self.expect_good_end(cluster, but=but)
        self.assertEqual(cluster.report()["samples"], SAMPLES)
        rows = run(BIN / "snapshot_rows", self.snapshots)
        self.assertEqual(rows.stderr, "")
        self.assertIn(f"sample {SAMPLES} 1 1\n", rows.stdout)

    def test_servers_join_and_leave_and_one_dies_in_between(self):
        cluster = self.start_job()
        cluster.wait_until_training(SAMPLES // 50)

        launcher = self.join(cluster, "--servers=1")
        status = self.wait_for_moves(cluster, 1)
        cluster.wait_until(lambda status: self.serving(status) == 3, "three servers have shards")

        os.kill(self.joined_pid("server 0"), signal.SIGKILL)
        cluster.wait_until(
            lambda status: any(recovery["serving_after"] for recovery in status["recoveries"]),
            "the lost server's lanes serve again")
        self.assertRegex(self.launcher_said.read_text(), "SIGKILL, .*; started again")

        leaver = cluster.servers[0]
        answer = cluster.ctl("drain", f"server/{self.number_of(cluster, leaver)}")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(leaver.wait(), 0, leaver.said())
        status = self.wait_for_moves(cluster, 2)
        self.assertLess(status["samples_trained"], SAMPLES, "too late: the test proves nothing")
        cluster.wait_until(lambda status: self.serving(status) == 2, "two servers have shards")
        for move in status["moves"]:
            self.assertLess(move["serving_after"] - move["closed_after"], 5)
        self.expect_each_sample_once(cluster)
        self.assertEqual(launcher.wait(30), 0, self.launcher_said.read_text())

    def test_a_drained_worker_reports_and_leaves_and_another_one_goes_on(self):
        cluster = self.start_job()
        cluster.wait_until_training(SAMPLES // 50)
        leaver = cluster.workers[0]
        number = self.number_of(cluster, leaver)

        answer = cluster.ctl("drain", f"worker/{number}")

        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(leaver.wait(), 0, leaver.said())
        status = cluster.status()
        self.assertLess(status["samples_trained"], SAMPLES, "too late: the test proves nothing")
        node = next(node for node in status["nodes"] if node["pid"] == leaver.popen.pid)
        self.assertEqual(node["health"], "left")
        launcher = self.join(cluster, "--workers=1", f"--job={cluster.job}", SLOWLY)
        self.expect_each_sample_once(cluster)
        self.assertEqual(launcher.wait(30), 0, self.launcher_said.read_text())
        self.assertEqual(cluster.report()["train"]["click"]["samples"], SAMPLES,
                         "what it had measured is reported")

    def test_others_inherit_from_a_server_that_is_gone_for_good(self):
        cluster = self.start_job()
        cluster.wait_until_training(SAMPLES // 50)
        self.assertEqual(cluster.ctl("snapshot").returncode, 0)
        victim = cluster.servers[1]
        name = f"server/{self.number_of(cluster, victim)}"
        victim.kill()
        cluster.wait_until(
            lambda status: any(node["pid"] == victim.popen.pid and node["health"] == "dead"
                               for node in status["nodes"]), "the scheduler has noticed")

        answer = cluster.ctl("drain", name)

        self.assertEqual(answer.returncode, 0, answer.stderr)
        cluster.wait_until(lambda status: self.serving(status) == 1, "one server has all shards")
        status = self.wait_for_moves(cluster, 1)
        self.assertLess(status["samples_trained"], SAMPLES, "too late: the test proves nothing")
        self.expect_each_sample_once(cluster, but=[victim])

    def test_says_what_cannot_be_drained(self):
        cluster = self.start_job(servers=1, workers=1)
        cluster.wait_until_training()

        self.expect_error(cluster.ctl("drain", "server/0"), 1, "no other server that could take")
        self.expect_error(cluster.ctl("drain", "worker/7"), 1, "there is no worker 7 that lives")
        self.expect_error(cluster.ctl("drain", "lane 3"), 2, "such as server/1 or worker/0")
        cluster.ctl("stop")


if __name__ == "__main__":
    main()
