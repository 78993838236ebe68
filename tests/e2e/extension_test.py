#!/usr/bin/env python3
"""A job gets a scene and a task by `ps_ctl extend` while it runs and processes die: every sample
trains its row once, and the report has the new ones."""

import sample_job
from cluster import BIN, ClusterTest, main, run

SAMPLES = 120_000
SLOWLY = "--set=data_config.batch_size=8"  # so that there is a middle to interrupt

MODEL = """model_config {
  model_class: "UMS"
  feature_groups { group_name: "all" feature_names: ["sample", "colour"] }
  ums {
    public_dnn { hidden_units: 4 }
    expert_dnn { hidden_units: 4 }
    num_expert: 2
    private_dnn { hidden_units: 4 }
    task_towers { tower_name: "click" label_name: "click" }
  }
}
"""
TOWER = 'task_towers { tower_name: "click" label_name: "click" }'


def scene_of(number):
    """The third scene opens when two thirds are behind."""
    if number >= SAMPLES * 2 // 3 and number % 4 == 0:
        return "news"
    return ("home", "live")[number % 2]


def write_job(folder):
    """Writes the job and its data; returns the path of the job file."""
    sample_job.write_job(folder, SAMPLES)
    for name in ("train.csv", "eval.csv"):
        lines = (folder / name).read_text().splitlines()
        with open(folder / name, "w", encoding="ascii") as out:
            out.write(lines[0] + ",scene\n")
            for line in lines[1:]:
                number = int(line.split(",")[0][1:])
                out.write(f"{line},{scene_of(number)}\n")
    job = sample_job.JOB[:sample_job.JOB.index("model_config {")] + MODEL
    job = job.replace("embedding_dim: 1", "embedding_dim: 4")
    job = job.replace('  label_fields: "click"\n', """  label_fields: "click"
  input_fields { input_name: "scene" }
  scene_field: "scene"
  scenes: ["home", "live"]
  unknown_scene: SHARED_ONLY
""")
    path = folder / "job.textproto"
    path.write_text(job)
    return path


class ExtensionTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.job = write_job(self.folder)
        self.snapshots = self.folder / "snapshots"

    def edited(self, *changes):
        """The job file with texts replaced by others."""
        text = self.job.read_text()
        for before, after in changes:
            self.assertIn(before, text)
            text = text.replace(before, after)
        path = self.folder / "edited.textproto"
        path.write_text(text)
        return path

    def start_job(self):
        return self.start(
            self.job, worker_flags=[SLOWLY],
            scheduler_flags=[f"--snapshot_dir={self.snapshots}",
                             f"--journal={self.folder / 'journal'}"])

    def test_a_running_job_gets_a_scene_and_a_task_while_processes_die(self):
        cluster = self.start_job()
        cluster.wait_until_training(SAMPLES // 10)
        more = self.edited(
            ('"home", "live"', '"home", "news", "live"'),
            (TOWER, TOWER.replace('"click"', '"again"', 1) + "\n    " + TOWER))

        extended = cluster.ctl("extend", more, SLOWLY)

        self.assertEqual(extended.returncode, 0, extended.stderr)
        self.assertIn("new tasks: again\nnew scenes: news\n", extended.stdout)
        status = cluster.status()
        self.assertLess(status["samples_trained"], SAMPLES * 2 // 3, "too late to prove anything")
        worker, server, scheduler = cluster.workers[0], cluster.servers[1], cluster.scheduler
        worker.kill()
        cluster.start_worker(f"--replaces_pid={worker.popen.pid}")  # with the file of before
        cluster.wait_until_training(status["samples_trained"] + SAMPLES // 10)
        scheduler.kill()
        scheduler.wait()
        cluster.start_scheduler()
        cluster.wait_until_training(status["samples_trained"] + SAMPLES // 8)
        server.kill()
        server.wait()
        cluster.start_server(f"--replaces_pid={server.popen.pid}")

        self.expect_good_end(cluster, but=[worker, server, scheduler])
        report = cluster.report()
        self.assertEqual(report["samples"], SAMPLES)
        self.assertGreater(report["train"]["again"]["samples"], SAMPLES // 2)
        self.assertGreater(report["train"]["click"]["scenes"]["news"]["samples"], SAMPLES // 20)
        self.assertGreater(report["eval"]["again"]["scenes"]["news"]["samples"], 0)
        rows = run(BIN / "snapshot_rows", self.snapshots)
        self.assertEqual(rows.stderr, "")
        self.assertIn(f"sample {SAMPLES} 1 1\n", rows.stdout)

    def test_a_file_that_changes_more_is_refused_and_the_job_goes_on(self):
        cluster = self.start_job()
        cluster.wait_until_training()

        other = self.edited(("partition_size: 4000", "partition_size: 5000"))
        self.expect_error(
            cluster.ctl("extend", other, SLOWLY), 2,
            r"edited.textproto:\d+:\d+: data_config.partition_size: is 4000 in the running job")
        fewer = self.edited(('"home", "live"', '"home"'))
        self.expect_error(cluster.ctl("extend", fewer, SLOWLY), 2,
                          r'data_config.scenes: has "live" in the running job and not here')
        broken = self.edited(("num_expert: 2", "num_expert: 0"))
        self.expect_error(cluster.ctl("extend", broken, SLOWLY), 2, "num_expert: got 0")
        self.expect_error(cluster.ctl("extend", self.job), 2, "data_config.batch_size")
        unknown = self.edited(
            ('  label_fields: "click"\n',
             '  label_fields: ["click", "gift"]\n  input_fields { input_name: "gift" }\n'),
            (TOWER, TOWER + '\n    task_towers { tower_name: "gift" label_name: "gift" }'))
        self.expect_error(cluster.ctl("extend", unknown, SLOWLY), 2, "(train|eval).csv.*gift")
        again = cluster.ctl("extend", self.job, SLOWLY)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("says already", again.stdout)
        other = self.edited(("partition_size: 4000", "partition_size: 5000"))
        stranger = cluster.start("stranger", "ps_worker", f"--scheduler={cluster.address}",
                                 f"--job={other}", SLOWLY)
        self.assertNotEqual(stranger.wait(), 0)
        self.assertIn("runs another job file", stranger.said())
        self.assertEqual(cluster.ctl("stop").returncode, 0)


if __name__ == "__main__":
    main()
