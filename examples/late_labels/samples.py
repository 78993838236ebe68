#!/usr/bin/env python3
"""Takes from joined samples what models are trained and judged with, piece by piece.

  samples.py DIR --cuts=MS,MS,... --piece=MS MODEL=JOINED[:first|:shown] ...

Writes DIR/MODEL-0.csv, DIR/MODEL-1.csv, ...: the samples of DIR/JOINED that know anything about the
long watch, in their order; those that were known before the first cut, between it and the second,
and so on. With :shown those whose impressions were shown then, whenever they were known; with :first
each impression comes once, as it was told first. DIR/judged-0.csv, ... have what was shown from a
cut on for so long, with its final labels (DIR/final). A column host_age is added to all.
"""
import argparse
import bisect
import collections
import pathlib

DAY_MS = 86400000
# Of what is joined, what models read; more would only take space.
KEPT = ["time_ms", "hour", "scene", "user_id", "age_band", "city", "language", "device", "favourite",
        "host_id", "host_category", "host_level", "host_language", "host_clicks_1h",
        "user_clicks_1h", "long_watch", "long_watch_late", "long_watch_never", "known_until_ms"]
LABELS = KEPT[-4:-1]

Sample = collections.namedtuple("Sample", "request labels shown known line")


class Joined:
    """The samples of a folder that ps_join wrote."""

    def __init__(self, folder):
        self.paths = sorted(pathlib.Path(folder).glob("samples-*.csv"))

    def rows(self):
        """Fields of all samples in their order, and a dictionary of their columns."""
        for path in self.paths:
            with open(path, encoding="utf-8") as segment:
                columns = {name: i for i, name in enumerate(segment.readline().rstrip("\n").split(","))}
                for line in segment:
                    yield line.rstrip("\n").split(","), columns

    def first_shown(self):
        """When each host was shown first."""
        first = {}
        for row, at in self.rows():
            host, shown = row[at["host_id"]], int(row[at["time_ms"]])
            first[host] = min(shown, first.get(host, shown))
        return first

    def samples(self, first_shown):
        """Samples that know anything about the long watch."""
        for row, at in self.rows():
            labels = [row[at[name]] for name in LABELS]
            if not any(labels):
                continue
            shown = int(row[at["time_ms"]])
            is_new = shown < first_shown[row[at["host_id"]]] + DAY_MS
            line = ",".join([row[at[name]] for name in KEPT] + ["new" if is_new else "known"])
            yield Sample(row[0], labels, shown, int(row[at["known_until_ms"]]), line)


def write(out, name, pieces):
    for i, lines in enumerate(pieces):
        text = "\n".join([",".join(KEPT + ["host_age"]), *lines, ""])
        (out / f"{name}-{i}.csv").write_text(text, encoding="utf-8")
    print(f"{out}/{name}: {sum(map(len, pieces))} samples")


def take(samples, how, cuts):
    """Lines by the cut before which they are known."""
    pieces = [[] for _ in cuts]
    seen = set()
    for sample in samples:
        if how == "first" and (sample.request in seen or not sample.labels[0]):
            continue
        seen.add(sample.request)
        piece = bisect.bisect_right(cuts, sample.shown if how == "shown" else sample.known)
        if piece < len(cuts):
            pieces[piece].append(sample.line)
    return pieces


def judged(samples, cuts, piece_ms):
    pieces = [[] for _ in cuts]
    for sample in samples:
        piece = bisect.bisect_right(cuts, sample.shown) - 1
        if piece >= 0 and sample.shown < cuts[piece] + piece_ms:
            pieces[piece].append(sample.line)
    return pieces


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--cuts", required=True)
    parser.add_argument("--piece", type=int, required=True)
    options = parser.parse_args()
    cuts = [int(cut) for cut in options.cuts.split(",")]
    final = Joined(options.out / "final")
    first_shown = final.first_shown()
    write(options.out, "judged", judged(final.samples(first_shown), cuts, options.piece))
    for model in options.models:
        name, source = model.split("=")
        folder, _, how = source.partition(":")
        samples = Joined(options.out / folder).samples(first_shown)
        write(options.out, name, take(samples, how, cuts))


if __name__ == "__main__":
    main()
