#!/usr/bin/env python3
"""Prints what the models of examples/late_labels/run reach on the last day, side by side.

  compare.py DIR --pieces=N [--report=FILE]

AUC and log loss are means over the pieces of the day, weighted by samples; PCOC is the sum of all
predictions over that of all labels. `way` is how much of the way from "unknown is negative" to the
oracle a model has come.
"""
import argparse
import csv
import json
import pathlib

METHODS = ["oracle", "negative", "fnw", "fnc", "esdfm", "waiting"]


def positives(path):
    with open(path, encoding="utf-8", newline="") as file:
        return sum(row["long_watch"] == "1" for row in csv.DictReader(file))


def figures(folder, method, labels):
    totals = {"samples": 0, "auc": 0, "logloss": 0, "predicted": 0}
    for i, positive in enumerate(labels):
        report = json.loads((folder / f"{method}-{i}.report.json").read_text(encoding="utf-8"))
        task = report["eval"]["long_watch"]
        totals["samples"] += task["samples"]
        totals["auc"] += task["samples"] * task["auc"]
        totals["logloss"] += task["samples"] * task["logloss"]
        totals["predicted"] += positive * task["pcoc"]
    return {"auc": totals["auc"] / totals["samples"],
            "logloss": totals["logloss"] / totals["samples"],
            "pcoc": totals["predicted"] / sum(labels), "samples": totals["samples"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--pieces", type=int, required=True)
    parser.add_argument("--report")
    options = parser.parse_args()
    labels = [positives(options.folder / f"judged-{i}.csv") for i in range(options.pieces)]
    found = {method: figures(options.folder, method, labels) for method in METHODS}
    worst, best = found["negative"], found["oracle"]
    print(f"{'method':10} {'AUC':>7} {'way':>7} {'log loss':>9} {'way':>7} {'PCOC':>7}")
    for method, one in found.items():
        for name in ("auc", "logloss"):
            one[name + "_way"] = (one[name] - worst[name]) / (best[name] - worst[name])
        print(f"{method:10} {one['auc']:7.4f} {one['auc_way']:7.1%} {one['logloss']:9.4f} "
              f"{one['logloss_way']:7.1%} {one['pcoc']:7.3f}")
    if options.report:
        pathlib.Path(options.report).write_text(json.dumps(found, indent=2) + "\n",
                                                encoding="utf-8")


if __name__ == "__main__":
    main()
