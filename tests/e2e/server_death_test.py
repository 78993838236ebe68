#!/usr/bin/env python3
"""A server dies in the middle of a job: everybody says which one, soon, and ends."""

import time

import sample_job
from cluster import ClusterTest, main, until

NAMED_WITHIN_SECONDS = 4
UNAVAILABLE = 69


class ServerDeathTest(ClusterTest):
    def test_everybody_names_the_dead_server_and_ends(self):
        job = sample_job.write_job(self.folder, 400_000)
        cluster = self.start(job, worker_flags=["--set=data_config.batch_size=8"])
        cluster.wait_until_training()
        victim = cluster.servers[1]
        others = [process for process in cluster.processes if process is not victim]
        number = next(node["node"] for node in cluster.status()["nodes"]
                      if node["pid"] == victim.popen.pid)
        name = f"server {number} (pid {victim.popen.pid}, "

        victim.kill()

        deadline = time.monotonic() + NAMED_WITHIN_SECONDS
        for process in others:
            until(lambda: any(name in line and "dead: no heartbeat" in line
                              for line in process.said().splitlines()),
                  f"{process.name} names the dead server:\n{cluster.what_everybody_said()}",
                  deadline - time.monotonic())
        for process in others:
            self.assertEqual(process.wait(), UNAVAILABLE, process.name)
        report = cluster.report()
        self.assertEqual(report["state"], "failed")
        self.assertIn(name, report["reason"])


if __name__ == "__main__":
    main()
