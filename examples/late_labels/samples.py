#!/usr/bin/env python3
"""Takes from joined samples what models are trained or judged with, at several moments.

  samples.py --from=DIR --to=NAME --cuts=MS,MS,... [--shown | --judge=MS] [--first]

Writes NAME-0.csv, NAME-1.csv, ...: the samples that know anything about the long watch, in their
order, that were known before the cut. With --shown those whose impressions were shown before it,
whenever they were known; with --judge=MS those shown from the cut on for so long. With --first each
impression comes once, as it was told first.
"""
import argparse
import pathlib


def read(source, first):
    """Yields (line, shown, known) of the samples that count; the header first."""
    seen = set()
    names = None
    for path in sorted(pathlib.Path(source).glob("samples-*.csv")):
        with open(path, encoding="utf-8") as segment:
            header = segment.readline()
            if names is None:
                names = header.rstrip("\n").split(",")
                labels = [i for i, name in enumerate(names) if name.startswith("long_watch")]
                shown, known = names.index("time_ms"), names.index("known_until_ms")
                yield header, 0, 0
            for line in segment:
                row = line.rstrip("\n").split(",")
                if not any(row[i] for i in labels):
                    continue
                if first and (row[0] in seen or not row[labels[0]]):
                    continue
                seen.add(row[0])
                yield line, int(row[shown]), int(row[known])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--cuts", required=True)
    parser.add_argument("--shown", action="store_true")
    parser.add_argument("--judge", type=int)
    parser.add_argument("--first", action="store_true")
    options = parser.parse_args()
    samples = read(options.source, options.first)
    header = next(samples)[0]
    samples = list(samples)
    for i, cut in enumerate(int(cut) for cut in options.cuts.split(",")):
        if options.judge:
            kept = [line for line, shown, _ in samples if cut <= shown < cut + options.judge]
        else:
            kept = [line for line, shown, known in samples
                    if (shown if options.shown else known) < cut]
        pathlib.Path(f"{options.to}-{i}.csv").write_text(header + "".join(kept), encoding="utf-8")
    print(f"{options.to}: {len(kept)} samples at the last cut")


if __name__ == "__main__":
    main()
