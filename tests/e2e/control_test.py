#!/usr/bin/env python3
"""ps_ctl with a real cluster that lingers after its job."""

import json

import sample_job
from cluster import ClusterTest, main

SAMPLES = 3000


class ControlTest(ClusterTest):
    def ask(self, *arguments):
        answer = self.cluster.ctl(*arguments)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return answer.stdout

    def ask_json(self, *arguments):
        answer = json.loads(self.ask("--output=json", *arguments))
        self.assertEqual(answer["schema"], 1)
        return answer

    def test_shows_tells_saves_and_stops(self):
        self.cluster = self.start(
            sample_job.write_job(self.folder, SAMPLES), scheduler_flags=["--linger"])
        # Lanes report their rows with each heartbeat: a moment after the job's end.
        status = self.cluster.wait_until(
            lambda status: status["state"] == "finished"
            and sum(table["rows"] for table in status["tables"]) >= SAMPLES)

        self.assertEqual(status["samples_trained"], SAMPLES)
        roles = [node["role"] for node in status["nodes"]]
        self.assertEqual(sorted(roles), ["server"] * 2 + ["worker"] * 2)
        text = self.ask("status")
        for word in ("ledger", "finished", "click"):
            self.assertIn(word, text)

        tables = {table["table"]: table["rows"] for table in self.ask_json("tables")["tables"]}
        self.assertEqual(tables, {"sample": SAMPLES, "colour": len(sample_job.COLOURS)})
        self.assertIn("colour", self.ask("tables"))

        self.assertFalse(self.ask_json("explain", "sample", "0x2a")["found"])
        self.assertIn("shard", self.ask("explain", "sample", "42"))
        row = self.ask_json("explain", "sample", "--value=s42")
        self.assertTrue(row["found"])
        self.assertEqual(row["shows"], 1)
        self.expect_error(self.cluster.ctl("explain", "samples", "42"), 2, "did you mean 'sample'")
        self.expect_error(self.cluster.ctl("explain", "sample"), 2, "--value")

        saved = self.ask_json("snapshot", f"--dir={self.folder}/snapshots")
        self.assertEqual(saved["rows"], SAMPLES + len(sample_job.COLOURS))
        self.assertIn("snapshot 2", self.ask("snapshot", f"--dir={self.folder}/snapshots"))

        self.assertEqual(self.ask("stop"), "stopping\n")
        self.expect_good_end(self.cluster)


if __name__ == "__main__":
    main()
