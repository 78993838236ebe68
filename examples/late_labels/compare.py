#!/usr/bin/env python3
"""Prints what the models of examples/late_labels/run reach on the last day, side by side.

  compare.py DIR [--report=FILE]

`way` is how much of the way from "unknown is negative" to the oracle a model has come.
"""
import argparse
import json
import pathlib

METHODS = ["oracle", "negative", "fnw", "fnc", "esdfm", "waiting"]


def figures(folder, method):
    report = json.loads((folder / f"{method}.report.json").read_text(encoding="utf-8"))
    last = report["eval"][-1] if isinstance(report["eval"], list) else report["eval"]
    task = last["tasks"]["long_watch"] if "tasks" in last else last["long_watch"]
    return {name: task[name] for name in ("auc", "logloss", "pcoc")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--report")
    options = parser.parse_args()
    found = {method: figures(options.folder, method) for method in METHODS}
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
