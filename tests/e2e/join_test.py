#!/usr/bin/env python3
"""ps_join under SIGKILL: it is killed at random moments and started again until the events end, with
memory for everything and with hardly any; what it has published must be, byte for byte, what a run
publishes that nobody disturbs."""
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ["ANTIPHON_BIN"])
RUNS = int(os.environ.get("ANTIPHON_JOIN_RUNS", "6"))
SAMPLES = 30_000

CONFIG = """
with_header: true
input_fields { input_name: "request_id" }
input_fields { input_name: "time_ms" }
input_fields { input_name: "kind" }
input_fields { input_name: "value" }
stream {
  folder { path: ["events/impressions-0", "events/impressions-1", "events/feedback-0"] }
  join {
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
    max_memory_bytes: MEMORY
  }
}
"""


class JoinTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="join_test_")
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)
        subprocess.run(
            [BIN / "ps_simulate", "--stream", f"--out={self.root}/events", f"--samples={SAMPLES}",
             "--days=1", "--segment_events=3000"],
            check=True, stdout=subprocess.DEVNULL, timeout=120)
        for memory in (256 << 20, 20_000):
            (self.root / f"{memory}.textproto").write_text(CONFIG.replace("MEMORY", str(memory)))

    def start(self, name, memory=256 << 20):
        return subprocess.Popen(
            [BIN / "ps_join", f"--data={self.root}/{memory}.textproto",
             f"--state={self.root}/{name}.state", f"--out={self.root}/{name}", "--commit_ms=50",
             "--commit_samples=1000"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, name, memory=256 << 20):
        process = self.start(name, memory)
        out, error = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, error)
        return dict(re.findall(r"(\w+): (\d+)", out))

    def published(self, name):
        """The lines of all segments; their headers apart."""
        lines = []
        for path in sorted((self.root / name).glob("samples-*.csv")):
            lines += path.read_text().splitlines()[1:]
        return lines

    def test_publishes_the_same_samples_however_often_it_is_killed(self):
        counts = self.finish("undisturbed")
        expected = self.published("undisturbed")
        self.assertEqual(int(counts["samples"]), len(expected))
        self.assertGreater(len(expected), SAMPLES)
        self.assertEqual(int(counts["impressions"]), SAMPLES)
        for seed in range(RUNS):
            with self.subTest(seed=seed):
                self.disturb(seed, expected, counts)

    def disturb(self, seed, expected, counts):
        rng = random.Random(seed)
        memory = (256 << 20, 20_000)[seed % 2]
        name = f"disturbed-{seed}"
        kills = 0
        for _ in range(6):
            process = self.start(name, memory)
            try:
                process.wait(timeout=rng.uniform(0.02, 1.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
        self.assertEqual(self.finish(name, memory), counts, f"seed {seed}")
        self.assertEqual(self.published(name), expected, f"seed {seed}")
        print(f"seed {seed}: {kills} kills, {len(expected)} samples once each")


if __name__ == "__main__":
    unittest.main()
