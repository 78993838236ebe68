"""A model of the simulated platform is trained, exported and served: by file, over HTTP, and compared."""
import csv
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

BIN = pathlib.Path(os.environ["ANTIPHON_BIN"])
ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "live"


def run(program, *arguments, code=0):
    """What a program prints; fails the test when it ends otherwise than with `code`."""
    done = subprocess.run([BIN / program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise AssertionError(f"{program} {arguments}: exit {done.returncode}\n{done.stderr}")
    return done.stdout + done.stderr


def job_text():
    """The job of UMS on the platform: lines that end in "# mark" are those of some models only."""
    kept = []
    for name in ("data.textproto", "models/ums.textproto"):
        for line in (EXAMPLE / name).read_text(encoding="utf-8").splitlines():
            mark = line.rpartition("  # ")[2] if "  # " in line else ""
            if not mark.replace("_", "").isalpha() or mark != mark.lower() or mark in (
                    "scene", "tasks"):
                kept.append(line)
    return "\n".join(kept)


class ServingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp())
        cls.samples = cls.dir / "samples" / "eval.csv"
        run("ps_simulate", f"--out={cls.dir}/samples", "--samples=20000", "--eval_samples=1000")
        (cls.dir / "job.textproto").write_text(job_text(), encoding="utf-8")
        run("ps_train", f"--job={cls.dir}/job.textproto", "--set", "eval_input_path=[]",
            f"--snapshot_dir={cls.dir}/snapshots", "--quiet")
        cls.version = cls.dir / "version"
        run("ps_export", f"--snapshot={cls.dir}/snapshots", f"--out={cls.version}")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def trained(self):
        return run("ps_train", f"--restore={self.dir}/snapshots", f"--score={self.samples}")

    def test_a_file_is_scored_as_the_trainer_scores_it(self):
        self.assertEqual(run("ps_score", f"--model={self.version}", f"--samples={self.samples}"),
                         self.trained())

    def test_an_export_never_overwrites(self):
        out = run("ps_export", f"--snapshot={self.dir}/snapshots", f"--out={self.version}", code=73)
        self.assertIn("already", out)

    def test_ps_ctl_exports_the_same(self):
        run("ps_ctl", "export", f"--snapshot={self.dir}/snapshots", f"--out={self.dir}/other",
            "--precision=fp32")
        for file in self.version.rglob("*.emb"):
            other = self.dir / "other" / file.relative_to(self.version)
            self.assertEqual(file.read_bytes(), other.read_bytes())

    def test_parity_is_shown_for_every_precision(self):
        out = run("ps_ctl", "parity", f"--snapshot={self.dir}/snapshots",
                  f"--samples={self.samples}")
        for precision in ("fp32", "fp16", "int8"):
            self.assertRegex(out, rf"{precision} +library +click +1000 ")

    def test_an_outside_scorer_is_compared_too(self):
        parity = ("parity", f"--snapshot={self.dir}/snapshots", f"--samples={self.samples}",
                  f"--version={self.version}")
        out = run("ps_ctl", *parity, f"--scorer={BIN}/ps_score --csv")
        self.assertRegex(out, r"fp32 +ps_score +click +1000 +0\.0e\+00 ")
        self.assertEqual([path.name for path in (self.dir / "snapshots").iterdir()],
                         ["snapshot-1"])
        self.assertIn("it exited with 1", run("ps_ctl", *parity, "--scorer=false", code=1))
        self.assertIn("was killed", run("ps_ctl", *parity, "--scorer=sleep 1000; :",
                                        "--scorer_seconds=0.2", code=4))

    def test_an_export_without_a_score_to_filter_by_is_refused(self):
        out = run("ps_export", f"--snapshot={self.dir}/snapshots", f"--out={self.dir}/small",
                  "--min_score=2", code=64)
        self.assertIn("row_policy { eviction", out)

    def test_http_answers_what_the_file_has(self):
        with subprocess.Popen([BIN / "ps_score", f"--model={self.version}", "--http=127.0.0.1:0",
                               "--threads=2"], stdout=subprocess.PIPE, text=True) as server:
            try:
                url = f"http://127.0.0.1:{server.stdout.readline().rpartition(' ')[2].strip()}"
                self.check_http(url)
            finally:
                server.send_signal(signal.SIGTERM)
                self.assertEqual(server.wait(timeout=30), 0)

    def test_a_directory_is_followed_and_what_cannot_be_served_changes_nothing(self):
        versions = self.dir / "versions"
        number = json.loads((self.version / "signature.json").read_text())["version"]
        shutil.copytree(self.version, versions / f"version-{number}")
        (versions / "CURRENT").write_text(f"version-{number}\n")
        with subprocess.Popen([BIN / "ps_score", f"--model={versions}", "--http=127.0.0.1:0",
                               "--refresh_ms=20"], stdout=subprocess.PIPE, text=True) as server:
            try:
                address = f"127.0.0.1:{server.stdout.readline().rpartition(' ')[2].strip()}"
                page = json.loads(run("ps_ctl", "served", f"--score={address}",
                                      f"--versions={versions}", "-o", "json"))["served"]
                self.assertEqual([line["version"] for line in page], [number, number])
                self.assertEqual(page[0]["rows"], page[1]["rows"])
                (versions / "CURRENT").write_text("version-999\n")
                url = f"http://{address}"
                health = self.wait_for(lambda: json.loads(self.get(url, "/healthz")),
                                       lambda health: health["status"] == "behind")
                self.assertIn("version-999", health["last_error"])
                self.assertEqual(health["version"], number)
                self.assertIn('failures_total{fault="missing"}', self.get(url, "/metrics"))
                out = run("ps_ctl", "served", f"--score={address}", code=1)
                self.assertIn("version-999", out)
                (versions / "CURRENT").write_text(f"version-{number}\n")
                self.wait_for(lambda: json.loads(self.get(url, "/healthz")),
                              lambda health: health["status"] == "ok")
            finally:
                server.send_signal(signal.SIGTERM)
                self.assertEqual(server.wait(timeout=30), 0)

    def wait_for(self, look, is_there, seconds=30):
        deadline = time.monotonic() + seconds
        while not is_there(found := look()):
            self.assertLess(time.monotonic(), deadline, found)
        return found

    @staticmethod
    def get(url, path):
        with urllib.request.urlopen(url + path, timeout=30) as answer:
            return answer.read().decode()

    def check_http(self, url):
        def get(path):
            return self.get(url, path)

        def post(body):
            request = urllib.request.Request(url + "/score", body.encode(), method="POST")
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())

        self.assertEqual(json.loads(get("/healthz"))["status"], "ok")
        with self.samples.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))[:200]
        expected = list(csv.DictReader(self.trained().splitlines()))
        predictions = post(json.dumps({"samples": rows}))["predictions"]
        for task, values in predictions.items():
            self.assertEqual(len(values), 200)
            for value, row in zip(values, expected):
                self.assertAlmostEqual(value, float(row[task]), delta=1e-6)
        for body, why in (("junk", "expected JSON"), ('{"samples": [3]}', "sample 0"),
                          (json.dumps({"samples": [rows[0], {**rows[0], "host_fans": "many"}]}),
                           "sample 1")):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                post(body)
            self.assertEqual(refused.exception.code, 400)
            self.assertIn(why, json.loads(refused.exception.read())["error"])
            refused.exception.close()
        # What was refused left nothing behind.
        self.assertEqual(post(json.dumps({"samples": rows[:3]}))["predictions"]["click"],
                         predictions["click"][:3])
        metrics = get("/metrics")
        self.assertIn("antiphon_score_samples_total 203", metrics)
        self.assertIn("antiphon_score_failures_total 3", metrics)
        self.assertRegex(metrics, r'antiphon_score_seconds\{quantile="0.99"\} 0\.\d')


if __name__ == "__main__":
    unittest.main()
