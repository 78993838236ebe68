#!/usr/bin/env python3
"""Workers that join the events that they lease: every sample trains its row exactly once, whatever dies,
and a lane that goes back gets the same samples again."""

from brokers import KafkaMock
from cluster import BIN, ClusterTest, main, run
from sample_job import COLOURS, JOB

END = "END"
PART = 6_000  # impressions
PARTITIONS = 2
SLOWLY = "--set=data_config.batch_size=8"  # so that there is a middle to interrupt

TOWER = 'task_towers { tower_name: "click" label_name: "click" }'
GROWING_MODEL = f"""model_config {{
  model_class: "MMoE"
  feature_groups {{ group_name: "all" feature_names: ["sample", "colour"] }}
  mmoe {{ expert_dnn {{ hidden_units: 4 }} num_expert: 2 {TOWER} }}
}}
"""

FIELDS = "".join(f'  input_fields {{ input_name: "{name}" }}\n' for name in ("request", "at", "kind"))
JOIN = """idle_ms: 1000 lease_samples: 2000 join {
  request_field: "request" time_field: "at" kind_field: "kind"
  feedback { kind: "click" window_seconds: 60 }
  worker { state_dir: "joined" together: true }
}"""


def events(first, count):
    """Impressions of one second each, by partition, some with a click 30 s later."""
    lines = [[] for _ in range(PARTITIONS)]
    for number in range(first, first + count):
        part = lines[number % PARTITIONS]
        colour = number * 13 % len(COLOURS)
        at = 1_700_000_000 + number + number // PART * 100  # so that no part is late
        part.append((at, f"r{number},{at},impression,s{number},{COLOURS[colour]}"))
        if number * 7919 % 1000 < 100 * (colour + 1):
            part.append((at + 30, f"r{number},{at + 30},click,,"))
    return [[line for _, line in sorted(part)] for part in lines]


class WorkerJoinTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.broker = KafkaMock(self.folder, events=PARTITIONS)
        self.addCleanup(self.broker.close)
        self.snapshots = self.folder / "snapshots"
        job = JOB.replace('train_input_path: "train.csv"\neval_input_path: "eval.csv"\n', "")
        job = job.replace("train_config {", "train_config {\n  sync_replicas: false", 1)
        job = job.replace("  input_fields", FIELDS + "  input_fields", 1)
        job = job.replace("  with_header: true\n", (
            f'  stream {{ kafka {{ brokers: "{self.broker.address}" topic: "events" }}\n'
            f'    end_record: "{END}" {JOIN} }}\n'))
        self.job = self.folder / "job.textproto"
        self.job.write_text(job)

    def feed(self, first, count):
        for partition, lines in enumerate(events(first, count)):
            self.broker.feed("events", partition, lines)

    def end_events(self):
        for partition in range(PARTITIONS):
            self.broker.feed("events", partition, [END])

    def start_job(self, *worker_flags, scheduler_flags=(), **options):
        return self.start(
            self.job, worker_flags=[SLOWLY, *worker_flags],
            scheduler_flags=[f"--snapshot_dir={self.snapshots}", *scheduler_flags], **options)

    def expect_once(self, count):
        rows = run(BIN / "snapshot_rows", self.snapshots)
        self.assertEqual(rows.stderr, "")
        self.assertIn(f"sample {count} 1 1\n", rows.stdout)

    def test_a_worker_goes_on_where_a_killed_one_has_joined(self):
        self.feed(0, PART)
        cluster = self.start_job()
        cluster.wait_until_training(PART // 10)
        victim = cluster.workers[0]
        victim.kill()
        self.feed(PART, PART)
        self.end_events()

        self.expect_good_end(cluster, but=[victim])
        self.assertEqual(cluster.report()["samples"], 2 * PART)
        self.expect_once(2 * PART)

    def test_a_killed_server_gets_the_same_samples_again(self):
        self.feed(0, PART)
        cluster = self.start_job()
        cluster.wait_until_training(PART // 4)
        self.assertEqual(cluster.ctl("snapshot").returncode, 0)
        victim = cluster.servers[0]
        victim.kill()
        victim.wait()
        cluster.start_server(f"--replaces_pid={victim.popen.pid}")
        self.end_events()

        self.expect_good_end(cluster, but=[victim])
        self.expect_once(PART)

    def test_shards_move_and_the_job_is_extended_meanwhile(self):
        text = self.job.read_text()  # LR cannot grow
        text = text[:text.index("model_config {")] + GROWING_MODEL
        self.job.write_text(text.replace("embedding_dim: 1", "embedding_dim: 4"))
        self.feed(0, PART)
        cluster = self.start_job()
        cluster.wait_until_training(PART // 10)

        cluster.start_server()
        cluster.wait_until(lambda status: any(move["phase"] == "done" for move in status["moves"]),
                           "a third server has its shards")
        edited = self.folder / "edited.textproto"
        edited.write_text(self.job.read_text().replace(
            TOWER, TOWER + "\n    " + TOWER.replace('"click"', '"again"', 1)))
        extended = cluster.ctl("extend", edited, SLOWLY)
        self.assertEqual(extended.returncode, 0, extended.stderr)
        leaver = cluster.servers[0]
        number = next(node["node"] for node in cluster.status()["nodes"]
                      if node["pid"] == leaver.popen.pid)
        self.assertEqual(cluster.ctl("drain", f"server/{number}").returncode, 0)
        self.assertEqual(leaver.wait(), 0, leaver.said())
        self.assertLess(cluster.status()["samples_trained"], PART, "too late to prove anything")
        self.feed(PART, PART)
        self.end_events()

        self.expect_good_end(cluster)
        self.expect_once(2 * PART)
        self.assertGreater(cluster.report()["train"]["again"]["samples"], PART)

    def test_a_job_goes_on_from_its_snapshot_and_says_when_the_state_is_another_one(self):
        self.feed(0, PART)
        first = self.start_job(name="first")
        first.wait_until_training(PART // 4)
        self.assertEqual(first.ctl("snapshot").returncode, 0)
        first.end()
        self.end_events()

        elsewhere = "--set=data_config.stream.join.worker.state_dir=elsewhere"
        lost = self.start_job(elsewhere, name="lost",
                              scheduler_flags=[f"--restore={self.snapshots}"])
        self.assertNotEqual(lost.workers[0].wait(), 0)
        self.assertRegex(lost.what_everybody_said(),
                         r"joined/\d: \d+ samples were trained, and the joiner's state in "
                         r".*elsewhere/\d has made 0: the folder is another one")
        lost.end()

        second = self.start_job(name="second", scheduler_flags=[f"--restore={self.snapshots}"])
        self.expect_good_end(second)
        self.expect_once(PART)


if __name__ == "__main__":
    main()
