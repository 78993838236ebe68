#!/usr/bin/env python3
"""Every record of a stream trains its row exactly once, from each source, whatever dies."""

import signal
import time

from cluster import BIN, ClusterTest, main, run, until
from stream_job import FolderSource, KafkaSource, RedisSource, samples, write_job

PART = 15_000
SEGMENT_BITS = 40  # of a folder's positions, behind the segment's number
SLOWLY = "--set=data_config.batch_size=8"  # so that there is a middle to interrupt


def applied_by(status):
    """How far the lane of a job with one lane and one partition is; None: it has not said yet."""
    for node in status["nodes"]:
        for lane in node.get("lanes", ()):
            for position in lane["positions"]:
                return position["applied_through"]
    return None


class StreamSourcesTest(ClusterTest):
    def open_source(self, kind):
        source = kind(self.folder)
        self.addCleanup(source.close)
        self.snapshots = self.folder / "snapshots"
        self.job = write_job(self.folder, source.config)
        return source

    def start_job(self, *worker_flags, scheduler_flags=(), **options):
        return self.start(
            self.job, worker_flags=[SLOWLY, *worker_flags],
            scheduler_flags=[f"--snapshot_dir={self.snapshots}", *scheduler_flags], **options)

    def expect_once(self, count):
        rows = run(BIN / "snapshot_rows", self.snapshots)
        self.assertEqual(rows.stderr, "")
        self.assertIn(f"sample {count} 1 1\n", rows.stdout)

    def train_through_a_killed_worker(self, kind):
        source = self.open_source(kind)
        source.feed(samples(0, PART))
        cluster = self.start_job()
        cluster.wait_until_training(PART // 10)
        victim = cluster.workers[0]
        victim.kill()
        source.feed(samples(PART, PART))
        source.end()

        self.expect_good_end(cluster, but=[victim])
        self.assertEqual(cluster.report()["samples"], 2 * PART)
        self.expect_once(2 * PART)

    def test_a_folder_through_a_killed_worker(self):
        self.train_through_a_killed_worker(FolderSource)

    def test_kafka_through_a_killed_worker(self):
        self.train_through_a_killed_worker(KafkaSource)

    def test_redis_through_a_killed_worker(self):
        self.train_through_a_killed_worker(RedisSource)

    def test_redis_is_killed_and_comes_back(self):
        source = self.open_source(RedisSource)
        source.feed(samples(0, PART))
        cluster = self.start_job()
        cluster.wait_until_training(PART // 10)

        source.broker.kill()
        source.broker.start()
        source.feed(samples(PART, PART))
        source.end()

        self.expect_good_end(cluster)
        self.expect_once(2 * PART)

    def test_a_job_goes_on_from_its_snapshot_where_the_stream_stood(self):
        source = self.open_source(KafkaSource)
        source.feed(samples(0, PART))
        first = self.start_job(name="first")
        first.wait_until_training(PART // 10)
        self.assertEqual(first.ctl("snapshot").returncode, 0)
        first.end()
        source.feed(samples(PART, PART))
        source.end()

        second = self.start_job(
            name="second", servers=3, scheduler_flags=[f"--restore={self.snapshots}"])

        self.expect_good_end(second)
        self.expect_once(2 * PART)

    def test_a_position_that_kafka_no_longer_has_is_an_error_or_passed_over(self):
        source = self.open_source(KafkaSource)
        source.feed(samples(0, 3000))
        first = self.start_job(name="first")
        first.wait_until(lambda status: status["samples_trained"] == 3000)
        self.assertEqual(first.ctl("snapshot").returncode, 0)
        first.end()
        # The mock keeps 5 MiB of a partition: records of 50 kB push the others out.
        wide = [f"w{i},{'x' * 50_000},1" for i in range(3 * 200)]
        source.feed(wide)
        source.end()

        refused = self.start_job(
            name="refused", scheduler_flags=[f"--restore={self.snapshots}"])
        code = refused.workers[0].wait()
        self.assertNotEqual(code, 0)
        self.assertRegex(
            refused.workers[0].said() + refused.workers[1].said(),
            r"Kafka partition samples/\d: the source no longer has position 1000, .* the earliest "
            r"that it keeps is \d+, \d+ records later.*--accept_gap")
        refused.end()

        accepted = self.start_job(
            "--accept_gap", name="accepted", scheduler_flags=[f"--restore={self.snapshots}"])
        self.expect_good_end(accepted)

    def train_what_comes_from(self, source, start, name):
        """How many samples a job is trained on that begins so."""
        self.job = write_job(self.folder, f"{source.config} {start}")
        self.snapshots = self.folder / f"snapshots-{name}"
        cluster = self.start_job(name=name)
        self.expect_good_end(cluster)
        return cluster.report()["samples"]

    def test_a_job_begins_where_it_is_told_in_kafka(self):
        source = self.open_source(KafkaSource)
        source.feed(samples(0, 3000))
        self.job = write_job(self.folder, f"{source.config} start: LATEST")
        latest = self.start_job(name="latest")
        latest.wait_until(lambda status: len(status["streams"]) == 3, "the job is planned")
        # The mock knows no times, and answers as a broker does when nothing is as late as that.
        self.job = write_job(self.folder, f"{source.config} start: TIME start_time: 1")
        self.snapshots = self.folder / "snapshots-time"
        late = self.start_job(name="late")
        late.wait_until(lambda status: len(status["streams"]) == 3, "the job is planned")
        source.feed(samples(3000, 300))
        source.end()
        self.expect_good_end(latest)
        self.expect_good_end(late)

        self.assertEqual(latest.report()["samples"], 300)
        self.assertEqual(late.report()["samples"], 300)
        positions = "start: POSITIONS start_position: [1000, 900, 1099]"
        self.assertEqual(self.train_what_comes_from(source, positions, "positions"), 100 + 200 + 1)
        self.assertEqual(self.train_what_comes_from(source, "", "earliest"), 3300)

    def test_a_job_begins_where_it_is_told_in_redis(self):
        source = self.open_source(RedisSource)
        source.feed(samples(0, 1000))
        first_second = int(source.broker.cli("TIME").split()[0])
        until(lambda: int(source.broker.cli("TIME").split()[0]) > first_second, "a second passes")
        source.feed(samples(1000, 100))
        self.job = write_job(self.folder, f"{source.config} start: LATEST")
        latest = self.start_job(name="latest")
        latest.wait_until(lambda status: len(status["streams"]) == 2, "the job is planned")
        source.feed(samples(1100, 10))
        source.end()
        self.expect_good_end(latest)

        self.assertEqual(latest.report()["samples"], 10)
        at = f"start: TIME start_time: {first_second + 1}"
        self.assertEqual(self.train_what_comes_from(source, at, "time"), 110)
        last = source.broker.cli("XREVRANGE", source.KEYS[1], "+", "-", "COUNT", "2").split("\n")
        ids = [line for line in last if "-" in line and line.replace("-", "").isdigit()]
        milliseconds, sequence = map(int, ids[1].split("-"))  # of the last sample, before the end
        positions = f"start: POSITIONS start_position: [0, {milliseconds << 22 | sequence}]"
        self.assertEqual(self.train_what_comes_from(source, positions, "positions"), 555 + 1)

    def test_a_stream_shows_how_far_behind_it_is(self):
        source = self.open_source(FolderSource)
        source.feed(samples(0, 2000))
        cluster = self.start_job()

        status = cluster.wait_until(
            lambda status: status["samples_trained"] == 2000 and "behind" in status["streams"][0])

        self.assertEqual(status["streams"][0]["name"], "segments")
        self.assertEqual(status["streams"][0]["records"], 2000)
        self.assertEqual(status["streams"][0]["behind"], 0)
        self.assertEqual(status["streams"][0]["behind_unit"], "bytes")
        table = cluster.ctl("stream")
        self.assertEqual(table.returncode, 0, table.stderr)
        self.assertRegex(table.stdout, r"segments +2000 ")
        self.assertEqual(cluster.ctl("stop").returncode, 0)

    def test_training_goes_on_beyond_a_lease_while_there_is_no_scheduler(self):
        source = self.open_source(FolderSource)
        source.feed(samples(0, 500))
        cluster = self.start(
            self.job, servers=1, workers=1,
            scheduler_flags=[f"--journal={self.folder / 'journal'}"])
        cluster.wait_until(lambda status: status["samples_trained"] == 500)
        worker = cluster.workers[0]
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        source.feed(samples(500, 10_000))  # more than three leases
        end = len(list(source.path.iterdir())) << SEGMENT_BITS

        def applied():
            """Asked of a scheduler that finds the worker asleep, so that it cannot be its help."""
            worker.send(signal.SIGSTOP)
            cluster.start_scheduler()
            status = cluster.wait_until(lambda status: applied_by(status) is not None)
            if applied_by(status) == end:
                return True
            cluster.scheduler.kill()
            cluster.scheduler.wait()
            worker.send(signal.SIGCONT)
            time.sleep(0.5)  # of training, before it is asked again
            return False

        until(applied, "every lane has applied what came while there was no scheduler")
        worker.send(signal.SIGCONT)
        self.assertEqual(cluster.ctl("stop").returncode, 0)

    def test_a_stream_says_which_segment_it_waits_for(self):
        source = self.open_source(FolderSource)
        source.feed(samples(0, 1000))
        source.feed(samples(1000, 1000))
        source.feed(samples(2000, 1000))
        late = sorted(source.path.iterdir())[1]
        hidden = late.rename(late.parent / f".{late.name}")
        cluster = self.start_job()

        status = cluster.wait_until(
            lambda status: any(stream.get("away") for stream in status["streams"]))

        self.assertRegex(status["streams"][0]["away"], r"segment \d+: it is missing, but there is ")
        table = cluster.ctl("stream")
        self.assertEqual(table.returncode, 1, table.stderr)
        self.assertRegex(table.stdout, r"segments has waited .* for .*segment \d+: it is missing")
        hidden.rename(late)
        status = cluster.wait_until(lambda status: status["samples_trained"] == 3000
                                    and not status["streams"][0]["away"])
        self.assertEqual(cluster.ctl("stream").returncode, 0)
        self.assertEqual(cluster.ctl("stop").returncode, 0)


if __name__ == "__main__":
    main()
