"""Brokers of tests, each a process of its own: librdkafka's mock cluster, and redis-server.

`feed` writes lines to one partition and returns once they are safe; `dump` reads a whole stream.
"""

import os
import signal
import socket
import subprocess

from cluster import BIN, until


def run_feed(*flags, lines):
    done = subprocess.run(
        [str(BIN / "stream_feed"), *flags], input="".join(line + "\n" for line in lines),
        text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def dump(folder, stream):
    """The records of a stream that has ended, whose config is `stream`: a list a partition."""
    config = folder / "dump.textproto"
    config.write_text(stream)
    done = subprocess.run([str(BIN / "stream_dump"), f"--stream={config}"], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    partitions = {}
    for line in done.stdout.splitlines():
        partition, record = line.split("\t", 1)
        partitions.setdefault(int(partition), []).append(record)
    return [partitions[number] for number in sorted(partitions)]


class KafkaMock:
    """It keeps some 5 MiB or 100,000 messages of a partition."""

    def __init__(self, folder, **partitions_of_topic):
        folder.mkdir(parents=True, exist_ok=True)
        address_file = folder / "brokers"
        topics = ",".join(f"{topic}:{count}" for topic, count in partitions_of_topic.items())
        self.mock = subprocess.Popen(
            [str(BIN / "kafka_mock"), f"--address_file={address_file}", f"--topics={topics}"],
            stdin=subprocess.PIPE, text=True)
        until(address_file.exists, "the mock cluster listens")
        self.address = address_file.read_text()

    def feed(self, topic, partition, lines):
        run_feed(f"--kafka={self.address}", f"--topic={topic}", f"--partition={partition}",
                 lines=lines)

    def go_away(self):
        self.say("down")

    def come_back(self):
        self.say("up")

    def say(self, command):
        self.mock.stdin.write(command + "\n")
        self.mock.stdin.flush()

    def close(self):
        self.mock.stdin.close()
        self.mock.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.server = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--appendonly",
                 "yes", "--save", "", "--dir", str(self.folder)], stdout=log, stderr=log)
        until(lambda: self.cli("ping") == "PONG", "redis-server answers")

    def cli(self, *command):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *command], capture_output=True,
                              text=True, check=False)
        return done.stdout.strip()

    def feed(self, key, lines):
        run_feed(f"--redis={self.address}", f"--key={key}", lines=lines)

    def trim(self, key, keep):
        self.cli("XTRIM", key, "MAXLEN", str(keep))

    def kill(self):
        self.server.kill()
        self.server.wait()

    def go_away(self):
        """What it is told meanwhile it does when it comes back."""
        os.kill(self.server.pid, signal.SIGSTOP)

    def come_back(self):
        os.kill(self.server.pid, signal.SIGCONT)

    def close(self):
        if self.server.poll() is None:
            self.kill()
