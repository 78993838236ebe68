"""Where the samples of tests/chaos come from: files, and streams that grow while the job runs."""

import time

import brokers

SHARED = 50  # samples of one shared id; counters are exact up to 4096

JOB = """name: "chaos"
seed: 7
train_input_path: "train-*.csv"
train_config {
  optimizer_config { rowwise_adagrad_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.1 } } } }
  optimizer_config { sgd_optimizer {
    learning_rate { constant_learning_rate { learning_rate: 0.01 } } } }
  CONSISTENCY
}
data_config {
  with_header: true
  batch_size: 8
  partition_size: 3000
  shuffle_buffer_size: 1000
  input_fields { input_name: "sample" }
  input_fields { input_name: "shared" }
  input_fields { input_name: "click" input_type: INT64 }
  label_fields: "click"
}
feature_config {
  features { input_names: "sample" embedding_dim: 1 }
  features { input_names: "shared" embedding_dim: 1 }
}
model_config {
  model_class: "LR"
  feature_groups { group_name: "all" feature_names: ["sample", "shared"] }
  lr { task_towers { tower_name: "click" label_name: "click" } }
}
"""
CONSISTENCIES = ("sync_replicas: false", "sync_replicas: true",
                 "sync_replicas: false max_staleness: 2")


def sample(number):
    return f"s{number},g{number // SHARED},{number * 7919 % 10 < 3:d}"


class Files:
    """Samples in files that are there from the start. Other sources have the same members."""

    SAMPLES = 80_000

    def __init__(self, folder, dice):
        self.samples = self.SAMPLES
        self.job = folder / "job.textproto"
        self.job.write_text(JOB.replace("CONSISTENCY", dice.choice(CONSISTENCIES)))
        for part in range(4):
            with open(folder / f"train-{part}.csv", "w", encoding="ascii") as out:
                out.write("sample,shared,click\n")
                for number in range(part, self.samples, 4):
                    out.write(sample(number) + "\n")

    def feed(self):
        """Called again and again while the job runs, for sources that grow."""

    def faults(self, _):
        """What can be done to the source, with weights."""
        return {}

    def close(self):
        """The job is over."""


class Stream:
    """Samples that come while the job runs, in some partitions, and then the stream's end."""

    SAMPLES = 48_000
    FEEDS = 8
    PARTITIONS = 3

    def __init__(self, folder, config):
        self.samples = self.SAMPLES
        self.fed = 0
        self.feed_at = 0
        job = JOB.replace("CONSISTENCY", CONSISTENCIES[0])
        job = job.replace('train_input_path: "train-*.csv"\n', "")
        job = job.replace("  with_header: true\n",
                          f"  stream {{ {config} lease_samples: 3000 }}\n")
        self.job = folder / "job.textproto"
        self.job.write_text(job)

    def feed(self):
        if self.fed == self.samples or time.monotonic() < self.feed_at:
            return
        upto = self.fed + self.samples // self.FEEDS
        for partition in range(self.PARTITIONS):
            lines = [sample(number) for number in range(self.fed, upto)
                     if number % self.PARTITIONS == partition]
            self.append(partition, lines)
            if upto == self.samples:
                self.end(partition)
        self.fed = upto
        self.feed_at = time.monotonic() + 0.5

    def end(self, partition):
        self.append(partition, ["END"])

    def faults(self, dice):
        def broker_goes_away():
            self.broker.go_away()
            time.sleep(dice.uniform(0, 2))
            self.broker.come_back()

        return {broker_goes_away: 2}

    def close(self):
        self.broker.close()


class Folder(Stream):
    def __init__(self, folder, _):
        self.paths = [folder / f"segments-{number}" for number in range(self.PARTITIONS)]
        names = ", ".join(f'"{path.name}"' for path in self.paths)
        super().__init__(folder, f"folder {{ path: [{names}] }}")

    def append(self, partition, lines):
        brokers.run_feed(f"--folder={self.paths[partition]}", lines=lines)

    def end(self, partition):
        brokers.run_feed(f"--folder={self.paths[partition]}", "--end_marker=END", lines=[])

    def faults(self, _):
        return {}

    def close(self):
        """The job is over."""


class Kafka(Stream):
    def __init__(self, folder, _):
        self.broker = brokers.KafkaMock(folder / "kafka", samples=self.PARTITIONS)
        super().__init__(folder, f'kafka {{ brokers: "{self.broker.address}" topic: "samples" }} '
                                 'end_record: "END"')

    def append(self, partition, lines):
        self.broker.feed("samples", partition, lines)


class Redis(Stream):
    def __init__(self, folder, _):
        self.broker = brokers.RedisServer(folder / "redis")
        keys = ", ".join(f'"s:{number}"' for number in range(self.PARTITIONS))
        super().__init__(folder, f'redis {{ address: "{self.broker.address}" keys: [{keys}] }} '
                                 'end_record: "END"')

    def append(self, partition, lines):
        self.broker.feed(f"s:{partition}", lines)

    def faults(self, dice):
        def kill_broker():
            self.broker.kill()
            time.sleep(dice.uniform(0, 1))
            self.broker.start()

        return super().faults(dice) | {kill_broker: 2}


SOURCES = {"files": Files, "folder": Folder, "kafka": Kafka, "redis": Redis}
