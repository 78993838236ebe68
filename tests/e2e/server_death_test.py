#!/usr/bin/env python3
"""A server dies in the middle of a job: with another one in its place the job goes on and is exact;
without one everybody says which server is missing, and ends."""

import sample_job
from cluster import BIN, ClusterTest, main, run, until

SAMPLES = 120_000
SLOWLY = "--set=data_config.batch_size=8"  # so that there is a middle to interrupt
UNAVAILABLE = 69


class ServerDeathTest(ClusterTest):
    def start_job(self, *scheduler_flags, **options):
        self.snapshots = self.folder / "snapshots"
        return self.start(
            sample_job.write_job(self.folder, SAMPLES),
            scheduler_flags=[f"--snapshot_dir={self.snapshots}", *scheduler_flags],
            worker_flags=[SLOWLY], **options)

    def replace(self, cluster, victim):
        """Kills a server, starts another one as its launcher does; returns that one."""
        victim.kill()
        victim.wait()
        return cluster.start_server(f"--replaces_pid={victim.popen.pid}")

    def expect_exact_end(self, cluster, *victims):
        self.expect_good_end(cluster, but=victims)
        self.assertEqual(cluster.report()["samples"], SAMPLES)
        self.assertEqual(cluster.report()["train"]["click"]["samples"], SAMPLES)
        rows = run(BIN / "snapshot_rows", self.snapshots)
        self.assertEqual(rows.stderr, "")
        self.assertIn(f"sample {SAMPLES} 1 1\n", rows.stdout)

    def test_another_one_in_its_place_learns_again_what_was_lost(self):
        cluster = self.start_job()
        cluster.wait_until_training(SAMPLES // 10)
        self.assertEqual(cluster.ctl("snapshot").returncode, 0)
        taken = cluster.status()["samples_trained"]
        cluster.wait_until_training(taken + SAMPLES // 10)
        victim = cluster.servers[1]

        self.replace(cluster, victim)

        status = cluster.wait_until(lambda status: status["recoveries"], "a recovery is shown")
        self.assertLess(status["samples_trained"], SAMPLES, "too late: the test proves nothing")
        self.assertEqual(status["recoveries"][0]["lost"], "its launcher saw it end")
        self.expect_exact_end(cluster, victim)

    def test_without_a_snapshot_it_learns_everything_again(self):
        cluster = self.start_job(servers=1)
        cluster.wait_until_training(SAMPLES // 10)
        victim = cluster.servers[0]

        self.replace(cluster, victim)

        self.expect_exact_end(cluster, victim)

    def test_others_inherit_from_a_server_that_nobody_replaces(self):
        cluster = self.start_job("--server_down_timeout_seconds=1")
        cluster.wait_until_training(SAMPLES // 10)
        victim = cluster.servers[1]

        victim.kill()

        status = cluster.wait_until(
            lambda status: any(recovery["serving_after"] for recovery in status["recoveries"]),
            "the other server has its shards")
        self.assertLess(status["samples_trained"], SAMPLES, "too late: the test proves nothing")
        self.expect_exact_end(cluster, victim)

    # Without a folder for snapshots there is nothing to inherit from.
    def test_everybody_names_a_server_that_nobody_replaces_and_ends(self):
        cluster = self.start(
            sample_job.write_job(self.folder, 400_000), worker_flags=[SLOWLY],
            scheduler_flags=["--server_down_timeout_seconds=2"])
        cluster.wait_until_training()
        victim = cluster.servers[1]
        others = [process for process in cluster.processes if process is not victim]
        number = next(node["node"] for node in cluster.status()["nodes"]
                      if node["pid"] == victim.popen.pid)
        name = f"server {number} (pid {victim.popen.pid}, "

        victim.kill()

        for process in others:
            until(lambda: any(name in line and "is gone (no heartbeat" in line
                              for line in process.said().splitlines()),
                  f"{process.name} names the dead server:\n{cluster.what_everybody_said()}", 10)
        for process in others:
            self.assertEqual(process.wait(), UNAVAILABLE, process.name)
        report = cluster.report()
        self.assertEqual(report["state"], "failed")
        self.assertIn(name, report["reason"])

    def test_without_a_folder_for_snapshots_one_server_too_many_is_refused_by_name(self):
        cluster = self.start(sample_job.write_job(self.folder, 400_000), worker_flags=[SLOWLY])
        cluster.wait_until_training()

        surplus = cluster.start_server()

        self.assertEqual(surplus.wait(10), 78, surplus.said())
        self.assertIn("one server too many: this job has 2 and all of them live: server 0 (pid ",
                      surplus.said())
        self.assertIn("--snapshot_dir", surplus.said())


if __name__ == "__main__":
    main()
