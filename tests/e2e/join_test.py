#!/usr/bin/env python3
"""ps_join under SIGKILL, from folders, Kafka and Redis to the same: it is killed at random moments, and
in the one between a commit and its publication, and started again until the events end; with memory
for everything and with hardly any. What it has published must be, byte for byte and in order, what
a run publishes that nobody disturbs."""
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import unittest

from brokers import KafkaMock, RedisServer, dump
from cluster import BIN, ROOT, until

RUNS = int(os.environ.get("ANTIPHON_JOIN_RUNS", "2"))
SAMPLES = 12_000
PARTITIONS = 2  # of impressions, of feedback, and of samples
MEMORIES = (256 << 20, 20_000)

JOIN = """join {
  request_field: "request_id"
  time_field: "time_ms"
  kind_field: "kind"
  value_field: "value"
  feedback { kind: "click" window_seconds: 300 }
  feedback { kind: "long_watch" window_seconds: 3600 given: "click"
             late_field: "late" never_field: "never" }
  emit: EARLY
  early_seconds: 300
  known_until_field: "known_until_ms"
  max_memory_bytes: %d
}"""
FIELDS = (ROOT / "examples/live_stream/events.textproto").read_text()
END = 'end_record: "END"'


class Folders:
    def __init__(self, root):
        self.root = root

    def events(self):
        names = [f'"{self.root}/{kind}-{part}"' for kind in ("impressions", "feedback")
                 for part in range(PARTITIONS)]
        return f"folder {{ path: [{', '.join(names)}] }}"

    def samples(self, name):
        return f'folder {{ path: "{self.root}/{name}" }}'

    def close(self):
        pass


class Kafka(KafkaMock):
    def __init__(self, root):
        topics = {f"s{seed}": PARTITIONS for seed in range(RUNS + 1)}
        super().__init__(root / "kafka", events=2 * PARTITIONS, **topics)

    def events(self):
        return f'kafka {{ brokers: "{self.address}" topic: "events" }} {END}'

    def samples(self, name):
        return f'kafka {{ brokers: "{self.address}" topic: "{name}" }} {END}'


class Redis(RedisServer):
    def __init__(self, root):
        super().__init__(root / "redis")

    def keys(self, name, count):
        keys = ", ".join(f'"{name}:{number}"' for number in range(count))
        return f'redis {{ address: "{self.address}" keys: [{keys}] }} {END}'

    def events(self):
        return self.keys("events", 2 * PARTITIONS)

    def samples(self, name):
        return self.keys(name, PARTITIONS)


class JoinTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="join_test_")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def open(self, kind):
        """A place with events, what comes of them undisturbed, and what became of them all."""
        self.place = kind(self.root)
        self.addCleanup(self.place.close)
        for memory in MEMORIES:
            (self.root / f"{memory}.textproto").write_text(
                f"{FIELDS} stream {{ {self.place.events()} {JOIN % memory} }}")
        subprocess.run(
            [BIN / "ps_simulate", "--stream", f"--events={self.root}/{MEMORIES[0]}.textproto",
             f"--out={self.root}/truth", f"--samples={SAMPLES}", "--days=1",
             "--segment_events=3000"],
            check=True, stdout=subprocess.DEVNULL, timeout=120)
        self.counts = self.finish("s0")
        self.expected = self.published("s0")
        self.assertEqual(int(self.counts["samples"]), len(self.expected))
        self.assertGreater(len(self.expected), SAMPLES)
        self.assertEqual(int(self.counts["impressions"]), SAMPLES)

    def start(self, name, memory=MEMORIES[0]):
        samples = self.root / f"{name}.samples"
        samples.write_text(self.place.samples(name))
        return subprocess.Popen(
            [BIN / "ps_join", f"--data={self.root}/{memory}.textproto",
             f"--state={self.root}/{name}.state", f"--samples={samples}", "--commit_ms=50",
             "--commit_samples=1000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, name, memory=MEMORIES[0]):
        process = self.start(name, memory)
        out, error = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, error)
        return dict(re.findall(r"(\w+): (\d+)", out))

    def published(self, name):
        """The samples in the order of their numbers."""
        partitions = dump(self.root, self.place.samples(name))
        samples = [""] * sum(len(records) for records in partitions)
        for number, records in enumerate(partitions):
            samples[number::len(partitions)] = records
        return samples

    def expect_the_same(self, name, memory, what):
        self.assertEqual(self.finish(name, memory), self.counts, what)
        self.assertEqual(self.published(name), self.expected, what)

    def disturb(self, seed):
        rng = random.Random(seed)
        memory = MEMORIES[seed % 2]
        name = f"s{seed}"
        kills = 0
        for _ in range(6):
            process = self.start(name, memory)
            try:
                process.wait(timeout=rng.uniform(0.02, 0.8))
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
            process.communicate()
        self.expect_the_same(name, memory, f"seed {seed}")
        print(f"seed {seed}: {kills} kills, {len(self.expected)} samples once each")

    def check(self, kind):
        self.open(kind)
        for seed in range(1, RUNS + 1):
            with self.subTest(seed=seed):
                self.disturb(seed)

    def test_folders(self):
        self.check(Folders)

    def test_kafka(self):
        self.check(Kafka)

    def test_redis(self):
        self.check(Redis)

    def test_dies_between_a_commit_and_its_publication(self):
        self.open(Folders)
        redis = Redis(self.root)
        self.addCleanup(redis.close)
        self.place.samples = redis.samples
        redis.go_away()
        process = self.start("s1")
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)
        process.kill()
        process.communicate()

        # Now it does what it was told by the one that is dead.
        redis.come_back()

        self.expect_the_same("s1", MEMORIES[0], "killed while Redis was away")

    def test_dies_between_a_commit_and_its_publication_to_kafka(self):
        self.open(Folders)
        kafka = Kafka(self.root)
        self.addCleanup(kafka.close)
        self.place.samples = kafka.samples
        process = self.start("s1")
        state = self.root / "s1.state"
        until(lambda: any(log.stat().st_size > 0 for log in state.glob("**/*.log")),
              "something has been committed")
        process.send_signal(signal.SIGSTOP)
        kafka.go_away()
        process.send_signal(signal.SIGCONT)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(timeout=2)  # it commits, and cannot publish
        process.kill()
        process.communicate()
        kafka.come_back()

        self.expect_the_same("s1", MEMORIES[0], "killed while Kafka was away")

    def test_redis_that_has_lost_samples_is_an_error_that_names_them(self):
        self.open(Redis)
        process = self.start("s1")
        until(lambda: self.place.cli("GET", "s1:0:joined").isdigit(), "samples are published")
        process.kill()
        process.communicate()
        self.place.cli("SET", "s1:0:joined", "3")

        again = self.start("s1")
        _, error = again.communicate(timeout=60)
        self.assertNotEqual(again.returncode, 0)
        self.assertRegex(error, r"key s1:0:joined says that 3 samples are there, but \d+ were "
                                r"acknowledged: the server has lost them")


if __name__ == "__main__":
    unittest.main()
