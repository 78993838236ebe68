"""A job on a stream whose every sample has an id of its own, and brokers to read it from.

A source is a folder, Kafka's mock cluster or Redis: `feed` writes samples to it, `end` ends it.
"""

from brokers import KafkaMock, RedisServer, run_feed
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
        self.broker = KafkaMock(folder, samples=self.PARTITIONS)
        self.config = (f'kafka {{ brokers: "{self.broker.address}" topic: "samples" '
                       f'group: "shown" }} end_record: "{END}" lease_samples: 3000')

    def feed_partition(self, partition, lines):
        self.broker.feed("samples", partition, lines)

    def feed(self, lines):
        lines = list(lines)
        for partition in range(self.PARTITIONS):
            self.feed_partition(partition, lines[partition::self.PARTITIONS])

    def end(self):
        for partition in range(self.PARTITIONS):
            self.feed_partition(partition, [END])

    def close(self):
        self.broker.close()


class RedisSource:
    KEYS = ("samples:0", "samples:1")

    def __init__(self, folder):
        self.broker = RedisServer(folder / "redis")
        keys = ", ".join(f'"{key}"' for key in self.KEYS)
        self.config = (f'redis {{ address: "{self.broker.address}" keys: [{keys}] }} '
                       f'end_record: "{END}" lease_samples: 3000')

    def feed(self, lines):
        lines = list(lines)
        for i, key in enumerate(self.KEYS):
            self.broker.feed(key, lines[i::len(self.KEYS)])

    def end(self):
        for key in self.KEYS:
            self.broker.feed(key, [END])

    def close(self):
        self.broker.close()
