#!/usr/bin/env python3
"""ps_train --memory_limit_mb: the servers of one process keep to it, and a bad one is refused."""

import json

import sample_job
from cluster import BIN, ClusterTest, main, run

USAGE = 64
SAMPLES = 60_000  # each with an id of its own
# Of a row here: 16 bytes of header, a weight and what its optimizer remembers; the index not counted.
LEAST_ROW_BYTES = 24


class MemoryLimitTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.job = sample_job.write_job(self.folder, SAMPLES)

    def rows_of(self, *flags):
        """Rows that are in the snapshot of a run with these flags."""
        folder = self.folder / f"snapshots{len(flags)}"
        trained = run(BIN / "ps_train", f"--job={self.job}", "--quiet", f"--snapshot_dir={folder}",
                      *flags)
        self.assertEqual(trained.returncode, 0, trained.stderr)
        listed = run(BIN / "ps_ctl", "--output=json", "snapshot", "ls", folder)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        return json.loads(listed.stdout)["snapshots"][-1]["rows"]

    def test_ids_beyond_the_limit_get_no_rows_or_lose_them(self):
        unlimited = self.rows_of()
        limited = self.rows_of("--memory_limit_mb=1")

        self.assertEqual(unlimited, SAMPLES + len(sample_job.COLOURS))
        self.assertLess(limited, 2**20 / LEAST_ROW_BYTES)
        self.assertGreater(limited, 10_000, "the room is used")

    def test_a_limit_that_is_none_is_refused(self):
        for value, complaint in (("1073741825", "expected at most 1073741824"),
                                 ("-1", "expected uint64"), ("lots", "expected uint64")):
            self.expect_error(run(BIN / "ps_train", f"--job={self.job}",
                                  f"--memory_limit_mb={value}"), USAGE,
                              rf"ps_train: error: --memory_limit_mb={value}.* {complaint}")


if __name__ == "__main__":
    main()
