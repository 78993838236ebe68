"""A job that has ended and left a chain of snapshots: a full one, deltas, and a full one.

Tests hand them over one at a time, so that a follower meets each of them, however fast the machine.
"""

import os
import shutil

from cluster import BIN, run
from sample_job import write_job

SAMPLES = 20000


class DeltaJob:
    """`snapshots` is what a follower watches; it begins empty, and those to come lie beside it.

    Versions `versions[1:-1]` are the deltas.
    """

    def __init__(self, folder, at_least):
        """Trains for longer until there are so many deltas: a fast machine is soon done, because
        the job goes on while a snapshot is written."""
        self.snapshots = folder / "snapshots"
        self.to_come = folder / "to_come"
        self.job = write_job(folder, SAMPLES)
        text = self.job.read_text(encoding="ascii")
        policy = "every_samples: 1000 deltas_between_full: 100 keep: 100"
        self.job.write_text(text.replace("train_config {", f"train_config {{ snapshot {{ {policy} }}"),
                            encoding="ascii")
        for epochs in (2, 8, 32):
            self.train(epochs)
            self.versions = sorted(int(path.parent.name.split("-")[1])
                                   for path in self.to_come.glob("snapshot-*/MANIFEST"))
            if len(self.versions) >= at_least + 2:
                break
        assert len(self.versions) >= at_least + 2, self.versions
        self.snapshots.mkdir()

    def train(self, epochs):
        shutil.rmtree(self.to_come, ignore_errors=True)
        done = run(BIN / "ps_train", f"--job={self.job}", "--quiet",
                   f"--snapshot_dir={self.to_come}", "--set", "eval_input_path=[]",
                   "--set", f"data_config.num_epochs={epochs}")
        assert done.returncode == 0, done.stderr

    def hand_over(self, version):
        os.rename(self.to_come / f"snapshot-{version}", self.snapshots / f"snapshot-{version}")
