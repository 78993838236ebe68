#!/usr/bin/env python3
"""Strangers talk nonsense to every port while a job runs: nobody dies, and the job ends well."""

import random
import socket
import struct

import sample_job
from cluster import ClusterTest, main

SEED = 20_000
MESSAGES = 20_000
RAW_CONNECTIONS_PER_PORT = 50

# ZMTP 3.0 (rfc.zeromq.org/spec/23): signature, version, mechanism, not a server, filler.
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4
MAGIC = struct.pack("<I", 0x31485041)  # of our own frames, for nonsense that gets further


def frame(flags, body):
    if len(body) > 255:
        return struct.pack(">BQ", flags | LONG, len(body)) + body
    return bytes([flags, len(body)]) + body


READY = frame(COMMAND, b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER")


def nonsense(rng):
    """One message: a few frames of random bytes, sometimes with a beginning that looks right."""
    sizes = (0, 1, 7, 64, 80, 300, 2000)
    frames = [rng.randbytes(rng.choice(sizes)) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.5:
        frames[0] = MAGIC + frames[0]
    last = len(frames) - 1
    return b"".join(frame(MORE if i < last else 0, body) for i, body in enumerate(frames))


class Stranger:
    """Speaks ZMTP well enough to be listened to, and then nonsense."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def say(self, data):
        """Sends `data`, over a new connection where the other side has hung up: its good right."""
        for _ in range(2):
            try:
                if self.connection is None:
                    self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                    self.connection.sendall(GREETING + READY)
                    heard = b""
                    while b"READY" not in heard:
                        heard += self.connection.recv(1024)
                self.connection.sendall(data)
                return
            except OSError:
                self.hang_up()

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def blurt(port, data):
    """Sends bytes that are no ZMTP at all and hangs up."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(data)
    except OSError:
        pass


class GarbageTest(ClusterTest):
    def test_nonsense_at_every_port_harms_nobody(self):
        rng = random.Random(SEED)
        cluster = self.start(
            sample_job.write_job(self.folder, 100_000),
            worker_flags=["--set=data_config.batch_size=8"], scheduler_flags=["--linger"])
        cluster.wait_until_training()
        ports = [port for process in (cluster.scheduler, *cluster.servers)
                 for port in process.listening_ports()]
        self.assertEqual(len(ports), 3, "the scheduler and two servers with a lane each")

        strangers = [Stranger(port) for port in ports]
        for i in range(MESSAGES):
            message = nonsense(rng)
            stranger = strangers[i % len(strangers)]
            if rng.random() < 0.01:
                stranger.say(message[:rng.randrange(len(message))])  # cut in the middle of a frame
                stranger.hang_up()
            else:
                stranger.say(message)
        for port in ports * RAW_CONNECTIONS_PER_PORT:
            greeting = GREETING[:rng.randint(0, len(GREETING))] if rng.random() < 0.5 else b""
            blurt(port, greeting + rng.randbytes(rng.randint(1, 500)))

        status = cluster.wait_until(lambda status: status["state"] == "finished")
        self.assertEqual(status["samples_trained"], 100_000)
        cluster.wait_until(
            lambda status: all(lane["bad_frames_total"] > MESSAGES // 10 for node in status["nodes"]
                               for lane in node.get("lanes", ())),
            "the nonsense came as far as the lanes")
        for stranger in strangers:
            stranger.hang_up()
        self.assertEqual(cluster.ctl("stop").returncode, 0)
        self.expect_good_end(cluster)


if __name__ == "__main__":
    main()
