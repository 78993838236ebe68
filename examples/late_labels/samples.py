#!/usr/bin/env python3
"""Takes from joined samples what a model is trained or judged with.

  samples.py --from=DIR --to=FILE [--before=MS] [--shown_from=MS] [--shown_before=MS] [--first]

Keeps the samples that know anything about the long watch, in their order, of impressions shown in
[shown_from, shown_before), that were known before `before`; with --first each impression once, as
it was told first.
"""
import argparse
import pathlib


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--before", type=int, default=1 << 62)
    parser.add_argument("--shown_from", type=int, default=0)
    parser.add_argument("--shown_before", type=int, default=1 << 62)
    parser.add_argument("--first", action="store_true")
    options = parser.parse_args()
    seen = set()
    kept = 0
    with open(options.to, "w", encoding="utf-8") as out:
        for path in sorted(pathlib.Path(options.source).glob("samples-*.csv")):
            with open(path, encoding="utf-8") as segment:
                header = segment.readline()
                names = header.rstrip("\n").split(",")
                labels = [i for i, name in enumerate(names) if name.startswith("long_watch")]
                shown, known = names.index("time_ms"), names.index("known_until_ms")
                if kept == 0 and out.tell() == 0:
                    out.write(header)
                for line in segment:
                    row = line.rstrip("\n").split(",")
                    if not any(row[i] for i in labels) or int(row[known]) >= options.before:
                        continue
                    if not options.shown_from <= int(row[shown]) < options.shown_before:
                        continue
                    if options.first and (row[0] in seen or not row[labels[0]]):
                        continue
                    seen.add(row[0])
                    out.write(line)
                    kept += 1
    print(f"{options.to}: {kept} samples")


if __name__ == "__main__":
    main()
