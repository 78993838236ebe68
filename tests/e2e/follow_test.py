"""An exporter that follows a job, is killed again and again, and ends with what the job has."""
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import run, until
from delta_job import DeltaJob
from sample_job import write_job

BIN = pathlib.Path(os.environ["ANTIPHON_BIN"])
SAMPLES = 40000
KILLS = 5


class FollowTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.job = write_job(self.dir, SAMPLES)
        self.out = self.dir / "versions"
        self.exporter = None
        self.trainer = None

    def tearDown(self):
        for process in (self.exporter, self.trainer):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.dir)

    def snapshot(self, policy):
        text = self.job.read_text(encoding="ascii")
        self.job.write_text(text.replace("train_config {", f"train_config {{ snapshot {{ {policy} }}"),
                            encoding="ascii")

    def arguments(self, *more):
        return [str(BIN / "ps_export"), "--follow", f"--snapshot={self.dir}/snapshots",
                f"--out={self.out}", "--poll_ms=5", *more]

    def follow(self):
        self.exporter = subprocess.Popen(self.arguments(), stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)

    def is_locked(self):
        inode = os.stat(self.out / "LOCK").st_ino
        return f":{inode} " in pathlib.Path("/proc/locks").read_text(encoding="ascii")

    def current(self):
        try:
            return int((self.out / "CURRENT").read_text(encoding="ascii").split("-")[1])
        except FileNotFoundError:
            return 0

    def signature(self, version):
        path = self.out / f"version-{version}" / "signature.json"
        return json.loads(path.read_text(encoding="utf-8"))

    def newest_snapshot(self):
        return max(int(path.parent.name.split("-")[1])
                   for path in (self.dir / "snapshots").glob("snapshot-*/MANIFEST"))

    def test_a_killed_exporter_goes_on_to_what_the_job_has(self):
        self.follow()  # before there is anything to follow
        self.snapshot("every_samples: 3000 deltas_between_full: 8 keep: 9")
        self.trainer = subprocess.Popen(
            [BIN / "ps_train", f"--job={self.job}", f"--snapshot_dir={self.dir}/snapshots",
             "--set", "eval_input_path=[]", "--quiet"])
        for _ in range(KILLS):
            before = self.current()
            until(lambda before=before: self.current() > before or
                  self.trainer.poll() is not None, "another version")
            self.exporter.kill()
            self.exporter.wait()
            if self.current() > 0:  # whole, whenever it died
                run(BIN / "ps_score", f"--model={self.out}", f"--samples={self.dir}/eval.csv")
            self.follow()
        self.assertEqual(self.trainer.wait(timeout=60), 0)

        until(lambda: self.current() == self.newest_snapshot(), "the newest snapshot")
        until(self.is_locked, "the last exporter to have begun")
        self.exporter.send_signal(signal.SIGTERM)
        self.assertEqual(self.exporter.wait(timeout=60), 0)

        self.assertEqual(run(*self.arguments("--once")).stdout, "")  # nothing was left to do
        self.assert_serves_what_was_trained()
        self.assertEqual(list(self.out.glob("*.tmp")), [])

    def test_deltas_become_steps_one_after_the_other(self):
        job = DeltaJob(self.dir, at_least=2)
        full, *deltas, _ = job.versions
        job.hand_over(full)
        self.assertEqual(run(*self.arguments("--once")).returncode, 0)
        for version in deltas:
            job.hand_over(version)
        done = run(*self.arguments("--once"))
        self.assertEqual(done.returncode, 0, done.stderr)
        for version in deltas:
            self.assertRegex(done.stdout, rf"version-{version}: .* rows changed and 0 went, ")
            step = self.signature(version)["step"]
            self.assertEqual((step["base"], step["sequence"], step["predecessor"]),
                             ("1", str(version - 1), str(version - 1)))
        self.assert_serves_what_was_trained()

    def assert_serves_what_was_trained(self):
        served = run(BIN / "ps_score", f"--model={self.out}", f"--samples={self.dir}/eval.csv")
        self.assertEqual(served.returncode, 0, served.stderr)
        trained = run(BIN / "ps_train", f"--restore={self.dir}/snapshots",
                      f"--score={self.dir}/eval.csv")
        self.assertEqual(served.stdout, trained.stdout)

    def test_two_exporters_never_write_to_one_directory(self):
        self.out.mkdir()
        with open(self.out / "LOCK", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            refused = run(*self.arguments("--once"))
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("another exporter publishes", refused.stderr)


if __name__ == "__main__":
    unittest.main()
