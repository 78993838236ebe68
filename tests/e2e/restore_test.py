#!/usr/bin/env python3
"""A snapshot of two servers, restored on one and on three: the model is the same."""

import sample_job
from cluster import ClusterTest, main

SAMPLES = 30_000


class RestoreTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.job = sample_job.write_job(self.folder, SAMPLES)
        self.snapshots = self.folder / "snapshots"
        first = self.start(
            self.job, name="first", scheduler_flags=[f"--snapshot_dir={self.snapshots}"])
        self.expect_good_end(first)
        self.first_report = first.report()
        self.assertGreater(self.first_report["eval"]["click"]["auc"], 0.65, "it has learned")

    def expect_same_evaluation(self, servers):
        """Restores, and evaluates after training that teaches nothing."""
        sample_job.write_samples(self.folder / "unlearned.csv", 10**6, 50)
        rate = "learning_rate.constant_learning_rate.learning_rate=1e-30"
        second = self.start(
            self.job, servers=servers, name=f"on-{servers}",
            scheduler_flags=[f"--restore={self.snapshots}"],
            worker_flags=[
                "--set=train_input_path=[\"unlearned.csv\"]",
                f"--set=train_config.optimizer_config[0].rowwise_adagrad_optimizer.{rate}",
                f"--set=train_config.optimizer_config[1].sgd_optimizer.{rate}"])

        self.expect_good_end(second)

        before, after = (report["eval"]["click"] for report in (self.first_report, second.report()))
        self.assertEqual(before.keys(), after.keys())
        for name, value in before.items():
            self.assertAlmostEqual(value, after[name], delta=1e-6, msg=name)

    def test_on_three_servers(self):
        self.expect_same_evaluation(3)

    def test_on_one_server(self):
        self.expect_same_evaluation(1)

    def test_a_finished_job_is_not_trained_again(self):
        second = self.start(self.job, servers=3, name="again", scheduler_flags=[
            f"--restore={self.snapshots}", f"--snapshot_dir={self.folder}/again"])

        self.expect_good_end(second)

        self.assertEqual(second.report()["train"]["click"]["samples"], 0)


if __name__ == "__main__":
    main()
