"""A job on a stream whose every sample has an id of its own, and brokers to read it from.

A source is a folder, Kafka's mock cluster or Redis: `feed` writes samples to it, `end` ends it.
"""

import os
import signal
import socket
import subprocess

from cluster import BIN, until
from sample_job import COLOURS, JOB

END = "END"


def samples(first, count):
    """Lines of CSV without a header; as in sample_job.write_samples."""
    for number in range(first, first + count):
        colour = number * 13 % len(COLOURS)
        click = int(number * 7919 % 1000 < 100 * (colour + 1))
        yield f"s{number},{COLOURS[colour]},{click}"


def write_job(folder, stream):
    """Writes a job that reads `stream`, the text of a StreamConfig; returns its path."""
    job = JOB.replace('train_input_path: "train.csv"\neval_input_path: "eval.csv"\n', "")
    job = job.replace("train_config {", "train_config {\n  sync_replicas: false", 1)
    job = job.replace("  with_header: true\n", f"  stream {{ {stream} }}\n")
    path = folder / "job.textproto"
    path.write_text(job)
    return path


def run_feed(*flags, lines):
    done = subprocess.run(
        [str(BIN / "stream_feed"), *flags], input="".join(line + "\n" for line in lines),
        text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


class FolderSource:
    def __init__(self, folder):
        self.path = folder / "segments"
        self.config = 'folder { path: "segments" } lease_samples: 3000'

    def feed(self, lines):
        run_feed(f"--folder={self.path}", lines=lines)

    def end(self):
        run_feed(f"--folder={self.path}", f"--end_marker={END}", lines=[])

    def close(self):
        pass


class KafkaSource:
    PARTITIONS = 3

    def __init__(self, folder):
        address_file = folder / "brokers"
        self.mock = subprocess.Popen(
            [str(BIN / "kafka_mock"), f"--address_file={address_file}",
             f"--topic=samples:{self.PARTITIONS}"], stdin=subprocess.PIPE, text=True)
        until(address_file.exists, "the mock cluster listens")
        self.brokers = address_file.read_text()
        self.config = (f'kafka {{ brokers: "{self.brokers}" topic: "samples" group: "shown" }} '
                       f'end_record: "{END}" lease_samples: 3000')

    def feed_partition(self, partition, lines):
        run_feed(f"--kafka={self.brokers}", f"--partition={partition}", lines=lines)

    def feed(self, lines):
        lines = list(lines)
        for partition in range(self.PARTITIONS):
            self.feed_partition(partition, lines[partition::self.PARTITIONS])

    def end(self):
        for partition in range(self.PARTITIONS):
            self.feed_partition(partition, [END])

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


class RedisSource:
    KEYS = ("samples:0", "samples:1")

    def __init__(self, folder):
        self.folder = folder / "redis"
        self.folder.mkdir()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        keys = ", ".join(f'"{key}"' for key in self.KEYS)
        self.config = (f'redis {{ address: "{self.address}" keys: [{keys}] }} '
                       f'end_record: "{END}" lease_samples: 3000')
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.server = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--appendonly",
                 "yes", "--save", "", "--dir", str(self.folder)], stdout=log, stderr=log)
        until(self.answers, "redis-server answers")

    def answers(self):
        ping = subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True,
                              text=True, check=False)
        return ping.stdout.strip() == "PONG"

    def feed(self, lines):
        lines = list(lines)
        for i, key in enumerate(self.KEYS):
            run_feed(f"--redis={self.address}", f"--key={key}", lines=lines[i::len(self.KEYS)])

    def end(self):
        for key in self.KEYS:
            run_feed(f"--redis={self.address}", f"--key={key}", lines=[END])

    def trim(self, key, keep):
        subprocess.run(["redis-cli", "-p", str(self.port), "XTRIM", key, "MAXLEN", str(keep)],
                       check=True, capture_output=True)

    def kill(self):
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def close(self):
        if self.server.poll() is None:
            self.kill()
