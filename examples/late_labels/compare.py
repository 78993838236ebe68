#!/usr/bin/env python3
"""Prints what the models of examples/late_labels/run reach, side by side.

  compare.py DIR MODEL ... --worst=MODEL [--report=FILE]

AUC and log loss are means over the pieces, weighted by samples; PCOC is the sum of all predictions
over that of all labels. `way` is how much of the way from the worst model to the oracle a
model has come. New hosts are those that were shown for the first time less than a day before.
"""
import argparse
import csv
import json
import pathlib


def count(path):
    """Samples of a piece, and those with a long watch, of all hosts and of new ones."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    new = [row for row in rows if row["host_age"] == "new"]
    return [(len(some), sum(row["long_watch"] == "1" for row in some)) for some in (rows, new)]


def over_pieces(tasks, counts):
    """The figures of one model: `tasks` and `counts` are by piece."""
    totals = {"auc": [0, 0], "logloss": [0, 0], "pcoc": [0, 0]}
    for task, (samples, positives) in zip(tasks, counts):
        for name, weight in (("auc", samples), ("logloss", samples), ("pcoc", positives)):
            if task is not None and task.get(name) is not None:
                totals[name][0] += weight * task[name]
                totals[name][1] += weight
    found = {name: total / weight if weight else None for name, (total, weight) in totals.items()}
    return {**found, "samples": sum(samples for samples, _ in counts)}


def figures(folder, model, counts):
    reports = [json.loads((folder / f"{model}-{i}.report.json").read_text(encoding="utf-8"))
               for i in range(len(counts))]
    tasks = [report["eval"]["long_watch"] for report in reports]
    found = over_pieces(tasks, [of_all for of_all, _ in counts])
    found["new"] = over_pieces([task["scenes"].get("new") for task in tasks],
                               [of_new for _, of_new in counts])
    return found


def way(part, low, high, name):
    """None where a class is missing, as may be with few samples."""
    if None in (part[name], low[name], high[name]) or low[name] == high[name]:
        return None
    return (part[name] - low[name]) / (high[name] - low[name])


def add_ways(found, worst, best):
    for one in found.values():
        for name in ("auc", "logloss"):
            for part, low, high in ((one, worst, best), (one["new"], worst["new"], best["new"])):
                part[name + "_way"] = way(part, low, high, name)


def cell(number, form, width):
    return format("-" if number is None else format(number, form), f">{width}")


def cells(part):
    return " ".join((cell(part["auc"], ".4f", 7), cell(part["auc_way"], ".1%", 7),
                     cell(part["logloss"], ".4f", 9), cell(part["logloss_way"], ".1%", 7),
                     cell(part["pcoc"], ".3f", 7)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--worst", required=True)
    parser.add_argument("--report")
    options = parser.parse_args()
    pieces = len(list(options.folder.glob("judged-*.csv")))
    counts = [count(options.folder / f"judged-{i}.csv") for i in range(pieces)]
    found = {model: figures(options.folder, model, counts) for model in options.models}
    add_ways(found, found[options.worst], found["oracle"])
    head = f"{'AUC':>7} {'way':>7} {'log loss':>9} {'way':>7} {'PCOC':>7}"
    print(f"{'':10} {'all ' + str(found['oracle']['samples']) + ' clicks':^41} | "
          f"{'on new hosts, ' + str(found['oracle']['new']['samples']):^41}")
    print(f"{'model':10} {head} | {head}")
    for model, one in found.items():
        print(f"{model:10} {cells(one)} | {cells(one['new'])}")
    if options.report:
        pathlib.Path(options.report).write_text(json.dumps(found, indent=2) + "\n",
                                                encoding="utf-8")


if __name__ == "__main__":
    main()
