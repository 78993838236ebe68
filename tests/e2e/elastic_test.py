#!/usr/bin/env python3
"""Servers and workers join and leave a running job, and one dies in between: every sample trains its
row exactly once."""

import sample_job
from cluster import BIN, ClusterTest, main, run

SAMPLES = 250_000
SLOWLY = "--set=data_config.batch_size=8"  # so that there is a middle


class ElasticTest(ClusterTest):
    def start_job(self, **options):
        self.snapshots = self.folder / "snapshots"
        return self.start(
            sample_job.write_job(self.folder, SAMPLES),
            scheduler_flags=[f"--snapshot_dir={self.snapshots}"], worker_flags=[SLOWLY], **options)

    def number_of(self, cluster, process):
        return next(node["node"] for node in cluster.status()["nodes"]
                    if node["pid"] == process.popen.pid)

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

        cluster.start_server()
        status = self.wait_for_moves(cluster, 1)
        cluster.wait_until(lambda status: self.serving(status) == 3, "three servers have shards")

        victim = cluster.servers[1]
        victim.kill()
        victim.wait()
        cluster.start_server(f"--replaces_pid={victim.popen.pid}")
        cluster.wait_until(
            lambda status: any(recovery["serving_after"] for recovery in status["recoveries"]),
            "the lost server's lanes serve again")

        leaver = cluster.servers[0]
        answer = cluster.ctl("drain", f"server/{self.number_of(cluster, leaver)}")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(leaver.wait(), 0, leaver.said())
        status = self.wait_for_moves(cluster, 2)
        self.assertLess(status["samples_trained"], SAMPLES, "too late: the test proves nothing")
        cluster.wait_until(lambda status: self.serving(status) == 2, "two servers have shards")
        for move in status["moves"]:
            self.assertLess(move["serving_after"] - move["closed_after"], 5)
        self.expect_each_sample_once(cluster, but=[victim])

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
        cluster.start_worker()
        self.expect_each_sample_once(cluster)
        self.assertEqual(cluster.report()["train"]["click"]["samples"], SAMPLES,
                         "what it had measured is reported")

    def test_says_what_cannot_be_drained(self):
        cluster = self.start_job(servers=1, workers=1)
        cluster.wait_until_training()

        self.expect_error(cluster.ctl("drain", "server/0"), 1, "no other server that could take")
        self.expect_error(cluster.ctl("drain", "worker/7"), 1, "there is no worker 7 that lives")
        self.expect_error(cluster.ctl("drain", "lane 3"), 2, "such as server/1 or worker/0")
        cluster.ctl("stop")


if __name__ == "__main__":
    main()
