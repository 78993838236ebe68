#!/usr/bin/env python3
"""Whatever a person can get wrong is answered with one line that helps, and its exit code."""

import pathlib
import socket
import time

import sample_job
from cluster import BIN, ClusterTest, main, run

USAGE, BAD_DATA, CANNOT_CREATE, PERMISSION = 64, 65, 73, 77
CTL_UNREACHABLE = 3
NOBODY = "tcp://127.0.0.1:1"  # nothing listens at this port


class BadInputTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.job = sample_job.write_job(self.folder, 1000)

    def test_unknown_flag_names_the_nearest(self):
        for program, wrong, nearest in (("ps_scheduler", "serverss", "servers"),
                                        ("ps_server", "lane", "lanes"),
                                        ("ps_worker", "jobb", "job"),
                                        ("ps_train", "jobb", "job")):
            self.expect_error(run(BIN / program, f"--{wrong}=1"), USAGE,
                              f"{program}: error: unknown flag --{wrong}, did you mean --{nearest}")

    def test_typo_in_the_job_file_has_its_place_and_the_nearest_name(self):
        wrong = self.folder / "wrong.textproto"
        wrong.write_text(sample_job.JOB.replace("batch_size", "batch_sise"))
        line = 1 + sample_job.JOB[:sample_job.JOB.index("batch_size")].count("\n")
        for command in (("ps_worker", f"--scheduler={NOBODY}"), ("ps_train",)):
            self.expect_error(run(BIN / command[0], *command[1:], f"--job={wrong}"), USAGE,
                              rf"wrong\.textproto:{line}:3: ", "batch_sise",
                              'did you mean "batch_size"')

    def test_missing_data_is_named(self):
        pathlib.Path(self.folder / "train.csv").unlink()
        self.expect_error(run(BIN / "ps_train", f"--job={self.job}"), BAD_DATA,
                          r'train_input_path\[0\]: no file matches ".*train\.csv"')

    def test_missing_job_file_is_named(self):
        self.expect_error(run(BIN / "ps_train", "--job=nowhere.textproto"), BAD_DATA,
                          "nowhere.textproto: No such file")

    def test_taken_port_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = f"127.0.0.1:{other.getsockname()[1]}"
            self.expect_error(run(BIN / "ps_scheduler", f"--listen={address}"), CANNOT_CREATE,
                              address, "already in use")

    def test_refuses_to_listen_to_other_machines(self):
        for program in ("ps_scheduler", "ps_server"):
            listen = "0.0.0.0:0" if program == "ps_scheduler" else "0.0.0.0"
            flags = [] if program == "ps_scheduler" else [f"--scheduler={NOBODY}"]
            self.expect_error(run(BIN / program, f"--listen={listen}", *flags), PERMISSION,
                              "refusing to listen", "--i_know_plaintext_is_unsafe")

    def test_ctl_without_a_cluster_says_so_soon(self):
        began = time.monotonic()

        result = run(BIN / "ps_ctl", f"--scheduler={NOBODY}", "status")

        self.expect_error(result, CTL_UNREACHABLE, "no scheduler answers at", NOBODY)
        self.assertLess(time.monotonic() - began, 3)

    def test_damaged_snapshot_is_refused(self):
        snapshots = self.folder / "snapshots"
        first = self.start(self.job, name="first", scheduler_flags=[f"--snapshot_dir={snapshots}"])
        self.expect_good_end(first)
        lane_file = next(snapshots.glob("snapshot-*/lane-1.aps"))
        self.flip_last_byte_but(lane_file, 100)

        second = self.start(self.job, name="second", scheduler_flags=[f"--restore={snapshots}"])

        self.assertEqual(second.scheduler.wait(), BAD_DATA, second.what_everybody_said())
        self.assertRegex(second.scheduler.said(), r"error: .*lane-1\.aps.*checksum")
        manifest = lane_file.parent / "MANIFEST"
        self.flip_last_byte_but(manifest, 3)
        self.expect_error(run(BIN / "ps_scheduler", f"--restore={snapshots}"), BAD_DATA,
                          "MANIFEST", "checksum")

    def flip_last_byte_but(self, path, distance):
        data = bytearray(path.read_bytes())
        data[-distance] ^= 0x10
        path.write_bytes(data)


if __name__ == "__main__":
    main()
