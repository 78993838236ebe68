#!/usr/bin/env python3
"""Every sample trains its row exactly once, whatever dies on the way."""

import sample_job
from cluster import BIN, ClusterTest, main, run

SAMPLES = 150_000
SLOWLY = "--set=data_config.batch_size=8"  # so that there is a middle to interrupt


class SampleLedgerTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.job = sample_job.write_job(self.folder, SAMPLES)
        self.snapshots = self.folder / "snapshots"

    def expect_each_sample_once(self):
        rows = run(BIN / "snapshot_rows", self.snapshots)
        self.assertEqual(rows.stderr, "")
        self.assertIn(f"sample {SAMPLES} 1 1\n", rows.stdout)

    def expect_in_the_middle(self, status):
        self.assertGreater(status["samples_trained"], 0)
        self.assertLess(status["samples_trained"], SAMPLES, "too late: the test proves nothing")

    def test_a_killed_worker_costs_no_sample_and_doubles_none(self):
        cluster = self.start(
            self.job, scheduler_flags=[f"--snapshot_dir={self.snapshots}"], worker_flags=[SLOWLY])
        status = cluster.wait_until_training(SAMPLES // 10)
        victim = cluster.workers[0]

        victim.kill()

        self.expect_in_the_middle(status)
        self.expect_good_end(cluster, but=[victim])
        self.assertEqual(cluster.report()["samples"], SAMPLES)
        self.assertEqual(cluster.report()["state"], "finished")
        self.expect_each_sample_once()

    def test_a_killed_job_goes_on_from_its_snapshot_with_more_servers(self):
        flags = [f"--snapshot_dir={self.snapshots}"]
        first = self.start(self.job, scheduler_flags=flags, worker_flags=[SLOWLY], name="first")
        first.wait_until_training(SAMPLES // 10)
        taken = first.ctl("snapshot")
        self.assertEqual(taken.returncode, 0, taken.stderr)
        self.expect_in_the_middle(first.status())
        first.end()

        second = self.start(
            self.job, servers=3, name="second", worker_flags=[SLOWLY],
            scheduler_flags=[*flags, f"--restore={self.snapshots}"])

        self.expect_good_end(second)
        self.expect_each_sample_once()


if __name__ == "__main__":
    main()
