#!/usr/bin/env python3
"""Versions are pushed to Redis and to Kafka, whatever dies, and ps_verify tells when one differs."""

import json
import signal

from brokers import KafkaMock, RedisServer
from cluster import BIN, ClusterTest, Process, main, run, until
from delta_job import DeltaJob

VICTIMS = ("exporter", "redis", "receiver")

# Lua for redis-cli, which cannot be told bytes: the first row of table "sample", what is done to
# it, and the 8 bytes of its key in hexadecimal digits.
FIND_ROW = """
local meta = redis.call('KEYS', 'ap:????????????????')[1]
local prefix = meta .. ':' .. redis.call('HGET', meta, 'generation') .. ':sample:'
local keys = redis.call('KEYS', prefix .. '*')
table.sort(keys)
local key = keys[1]
"""
NAME_IT = """
return (string.gsub(string.sub(key, -8), '.', function(c)
  return string.format('%02x', string.byte(c))
end))
"""
CHANGE = "redis.call('SETRANGE', key, 12, 'else')"  # behind the version and the sequence
REMOVE = "redis.call('DEL', key)"


class PushTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.redis = RedisServer(self.folder / "redis")
        self.addCleanup(self.redis.close)
        self.kafka = KafkaMock(self.folder / "kafka", versions=1)
        self.addCleanup(self.kafka.close)
        self.topic = f"--kafka={self.kafka.address}/versions"
        self.versions = self.folder / "versions"
        self.received = self.folder / "received"
        self.processes = 0

    def start_process(self, program, *flags):
        self.processes += 1
        process = Process(f"{program}-{self.processes}", [BIN / program, *flags], self.folder)

        def end():
            if process.alive():
                process.kill()
            process.wait()
        self.addCleanup(end)
        return process

    def export_flags(self, *more):
        return ["--follow", f"--snapshot={self.job.snapshots}", f"--out={self.versions}",
                f"--redis={self.redis.address}", *more]

    def start_exporter(self):
        self.exporter = self.start_process(
            "ps_export", *self.export_flags(self.topic, "--poll_ms=5"))

    def start_receiver(self):
        self.receiver = self.start_process("ps_receive", self.topic, f"--out={self.received}")

    def kill_and_restart(self, which):
        if which == "redis":
            self.redis.kill()
            self.redis.start()
            return
        victim, start = {"exporter": (self.exporter, self.start_exporter),
                         "receiver": (self.receiver, self.start_receiver)}[which]
        victim.kill()
        self.assertEqual(victim.wait(), -signal.SIGKILL, victim.said())
        start()

    def current(self, directory):
        try:
            return int((directory / "CURRENT").read_text(encoding="ascii").split("-")[1])
        except FileNotFoundError:
            return 0

    def sinks(self):
        try:
            return json.loads((self.versions / "sinks.json").read_text(encoding="utf-8"))["sinks"]
        except FileNotFoundError:
            return []

    def hand_over(self, version):
        self.job.hand_over(version)
        until(lambda: self.current(self.versions) == version, f"version {version} is published")

    def kill_while_it_is_pushed(self, version, *victims):
        """Redis stands still meanwhile. What it was told it does later, for an exporter that may
        be dead by then."""
        self.redis.go_away()
        self.hand_over(version)
        for which in victims:
            self.kill_and_restart(which)
        self.redis.come_back()

    def wait_for_all(self, version):
        until(lambda: self.current(self.received) == version, f"version {version} is received")
        where = {f"redis {self.redis.address}/0", f"kafka {self.kafka.address}/versions"}

        def is_there(sink):
            return (sink.get("version") == sink.get("newest") == str(version)
                    and sink["behind"] == 0 and "error" not in sink)

        def have_all():
            sinks = self.sinks()
            return {sink["name"] for sink in sinks} == where and all(map(is_there, sinks))
        until(have_all, f"sinks.json says that every sink has version {version}")

    def verify(self, *places):
        return run(BIN / "ps_verify", f"--snapshot={self.job.snapshots}", *places)

    def expect_equal(self, version):
        for places in ([f"--served={self.versions}", f"--redis={self.redis.address}", self.topic],
                       [f"--served={self.received}"]):
            done = self.verify(*places)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            lines = done.stdout.splitlines()
            self.assertEqual(len(lines), len(places), done.stdout)
            for line in lines:
                self.assertRegex(line, rf": version {version}, 2 tables, [1-9]\d* rows equal$")

    def test_every_sink_has_what_was_trained_whatever_is_killed(self):
        self.job = DeltaJob(self.folder, at_least=len(VICTIMS))
        self.start_exporter()
        self.start_receiver()
        full, *deltas, last = self.job.versions
        deltas = deltas[:2 * len(VICTIMS)]
        self.hand_over(full)
        self.wait_for_all(full)
        for number, version in enumerate(deltas):
            self.kill_while_it_is_pushed(version, VICTIMS[number % len(VICTIMS)])
        self.wait_for_all(deltas[-1])
        self.expect_equal(deltas[-1])

        # All rows: they are put beside those that are served.
        self.kill_while_it_is_pushed(last, *VICTIMS)
        self.wait_for_all(last)
        self.expect_equal(last)
        for process in (self.exporter, self.receiver):
            process.send(signal.SIGTERM)
            self.assertEqual(process.wait(), 0, process.said())

    def test_a_row_that_somebody_changes_or_removes_is_named(self):
        self.job = DeltaJob(self.folder, at_least=0)
        for version in self.job.versions[:2]:
            self.job.hand_over(version)
            done = run(BIN / "ps_export", *self.export_flags("--once"))
            self.assertEqual(done.returncode, 0, done.stderr)
        redis = f"--redis={self.redis.address}"
        self.assertEqual(self.verify(redis).returncode, 0)
        for harm, what in ((CHANGE, "has other weights"), (REMOVE, "is missing")):
            key = int.from_bytes(
                bytes.fromhex(self.redis.cli("eval", FIND_ROW + harm + NAME_IT, "0")), "little")
            said = f'1 differences: row {key} of table "sample" {what}'
            done = self.verify(redis)
            self.expect_error(done, 1, said)
            self.assertIn(said, done.stdout)
            self.expect_error(self.verify(redis, f"--served={self.versions}"), 1, said)


if __name__ == "__main__":
    main()
