#!/usr/bin/env python3
"""The rules of the house that a machine can check: floors, cycles, sizes, and where things belong.

Which room may include which is read from the antiphon_room lines of CMakeLists.txt, so there is one
such table; FLOORS below says that its edges only go down. Run from the repository root: prints one
line a finding, `file:line: what is wrong`, and exits 1 when there is any.
"""
import pathlib
import re
import subprocess
import sys

# ARCHITECTURE.md's floors. A room may look at lower floors only, never sideways.
FLOORS = {
    "proto": 0, "common/base": 0,
    "common/wire": 1, "common/math": 1, "common/cluster": 1,
    "common/net": 2, "common/optim": 2, "common/data": 2, "common/ckpt": 2,
    "models/tape": 2, "join": 2,
    "models": 3, "stream": 3, "simulation": 3,
    "server": 4, "worker": 4, "scheduler": 4, "scoring": 4, "serving": 4,
    "serving/onnx": 4, "tools/ctl": 4, "tools/join": 4,
    "tools/simulate": 4,
    "serving/export": 5, "serving/library": 5, "serving/push": 5, "tools/local": 5, "tools/score": 5,
    "tools/served": 5, "tools": 6,
    "tests": 7, "bench": 7, "examples": 7,
}
TOP_FLOOR = 7

MAX_LINES = {".h": 300, ".cc": 500}
MAX_TEST_LINES = 800

# (pattern, where it may stand, what to do instead). Checked in rooms and tools, not in tests.
ONLY_IN = [
    (r"#include <gflags/", r"(^|/|_)main\.cc$|^common/base/command_line\.h$",
     "flags belong to mains: take an options struct"),
    (r"#include [<\"]glog/", r"^common/base/logging\.", "include common/base/logging.h"),
    (r"#include <zmq", r"^common/net/zmq_", "go through Transport"),
    (r"\bthrow\b", r"^$", "return a Status"),
    (r"\bstd::(mutex|lock_guard|unique_lock|scoped_lock|shared_mutex|condition_variable)\b",
     r"^common/base/mutex\.h$", "use antiphon::Mutex and CondVar"),
    (r"\bstd::(thread(?!::hardware_concurrency)|jthread|async)\b",
     r"^common/base/thread\.", "use antiphon::Thread"),
    (r"\bdetach\(\)", r"^$", "own the thread and join it"),
    (r"\bvolatile\b", r"^$", "use std::atomic"),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b", r"^common/base/clock\.cc$",
     "wait on a CondVar, a queue or a poll with a deadline"),
    (r"\b(system|steady|high_resolution)_clock::now",
     r"^common/(base/(clock\.cc|mutex\.h)|net/zmq_endpoint\.cc)$",
     "take a Clock"),
    (r"\bstd::random_device\b", r"main\.cc$", "take a seeded Rng"),
    (r"\b(printf|puts)\(", r"^tools/", "log it, or return it"),
]

# Functions that read bytes from outside answer with a Status, never with a CHECK. They are known by
# their names: the definition's first line stands at the margin.
DECODER = re.compile(r"^[\w:<].*\b(Decode|Parse|Unpack|Decompress|Tokenise)\w*\(")
AT_MARGIN = re.compile(r"^[A-Za-z_]")

NO_IDEA = re.compile(r"(^|_)(util|utils|helper|helpers|manager|misc|common)(_|\.|$)")
INCLUDE = re.compile(r'#include "([^"]+)"')
CHECK = re.compile(r"\bD?CHECK(_[A-Z]+)?\(")
# A path of somebody's own machine has no place in a file that others get.
OWN_PATH = re.compile(r"(?<![\w.$}~-])/(home|root|work|Users)/\w")


def tracked_files():
    """What git knows and what it would add; every file when this is not a git tree."""
    listing = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        return sorted(p for p in listing.stdout.splitlines() if pathlib.Path(p).is_file())
    return sorted(p.as_posix() for p in pathlib.Path(".").rglob("*")
                  if p.is_file() and p.parts[0] not in ("build", ".git"))


def rooms_of_cmake():
    """{room: [rooms it may look at]} from CMakeLists.txt."""
    text = re.sub(r"#[^\n]*", "", pathlib.Path("CMakeLists.txt").read_text(encoding="utf-8"))
    rooms = {m[1]: [] for m in re.finditer(r"antiphon_proto\(\s*(\S+)\s*\)", text)}
    for call in re.finditer(r"antiphon_room\(([^)]*)\)", text):
        words = call[1].split()
        looks_at, taking = [], False
        for word in words[1:]:
            if word in ("ROOMS", "LINKS"):
                taking = word == "ROOMS"
            elif taking:
                looks_at.append(word)
        rooms[words[0]] = looks_at
    return rooms


def folder_of(path, folders):
    hits = [f for f in folders if path.startswith(f + "/")]
    return max(hits, key=len) if hits else None


def check_floors(rooms):
    for room, looks_at in rooms.items():
        if room not in FLOORS:
            yield f"CMakeLists.txt:1: room {room} has no floor in tests/lint/check_layers.py"
            continue
        for other in looks_at:
            if other not in FLOORS:
                yield f"CMakeLists.txt:1: {room} looks at {other}, which has no floor"
            elif FLOORS[other] >= FLOORS[room]:
                yield (f"CMakeLists.txt:1: {room} (floor {FLOORS[room]}) may not look at "
                       f"{other} (floor {FLOORS[other]})")


def check_includes(path, here, number, code, rooms):
    include = INCLUDE.match(code)
    if include is None:
        return
    there = folder_of(include[1], FLOORS)
    if there is None:
        yield f"{path}:{number}: include by the path from the root, not {include[1]}"
    elif there != here:
        floor = FLOORS[here]
        fine = there in rooms[here] if here in rooms else FLOORS[there] < floor
        if not fine and floor < TOP_FLOOR:
            yield f"{path}:{number}: {here} may not include {include[1]}"


def check_own_header_first(path, lines):
    """Building a source shows that its header stands alone, if nothing was included before it."""
    own = re.sub(r"\.cc$", ".h", path)
    if own == path or not pathlib.Path(own).is_file():
        return
    first = next(((n, line) for n, line in enumerate(lines, 1) if line.startswith("#include")),
                 (1, ""))
    if first[1] != f'#include "{own}"':
        yield f"{path}:{first[0]}: a source includes its own header first: {own}"


def check_source(path, lines, rooms, edges):
    here = folder_of(path, FLOORS)
    suffix = pathlib.PurePosixPath(path).suffix
    name = pathlib.PurePosixPath(path).name
    if here is None:
        yield f"{path}:1: this folder is on no floor"
        return
    limit = MAX_TEST_LINES if here == "tests" else MAX_LINES[suffix]
    if len(lines) > limit:
        yield f"{path}:1: {len(lines)} lines, the limit is {limit}: split it by idea"
    if NO_IDEA.search(name):
        yield f"{path}:1: the name names no idea"
    if suffix == ".h" and "#pragma once" not in lines:
        yield f"{path}:1: a header needs #pragma once"
    yield from check_own_header_first(path, lines)
    in_decoder = False
    for number, line in enumerate(lines, 1):
        code = line.split("//")[0]
        yield from check_includes(path, here, number, code, rooms)
        include = INCLUDE.match(code)
        there = folder_of(include[1], FLOORS) if include else None
        if there not in (None, here):
            edges.setdefault(here, {}).setdefault(there, f"{path}:{number}")
        if FLOORS[here] == TOP_FLOOR:
            continue
        for pattern, allowed, instead in ONLY_IN:
            if re.search(pattern, code) and not re.search(allowed, path):
                yield f"{path}:{number}: `{code.strip()}` does not belong here: {instead}"
        if AT_MARGIN.match(code):
            in_decoder = bool(DECODER.match(code))
        if in_decoder and CHECK.search(code):
            yield f"{path}:{number}: CHECK where bytes from outside are read: return a Status"


def check_cycles(edges):
    """Depth first over the folders' includes; one line for each edge that closes a cycle."""
    done, trail = set(), []

    def visit(folder):
        if folder in trail:
            circle = trail[trail.index(folder):] + [folder]
            yield f"{edges[trail[-1]][folder]}: folders in a cycle: {' -> '.join(circle)}"
            return
        if folder in done:
            return
        trail.append(folder)
        for other in sorted(edges.get(folder, {})):
            yield from visit(other)
        trail.pop()
        done.add(folder)

    for folder in sorted(edges):
        yield from visit(folder)


def main():
    rooms = rooms_of_cmake()
    findings = list(check_floors(rooms))
    edges = {}
    for path in tracked_files():
        if re.fullmatch(r"common/[^/]+", path):
            findings.append(f"{path}:1: a file lies in common/ itself: it belongs to a room")
        try:
            lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a golden file
        for number, line in enumerate(lines, 1):
            if OWN_PATH.search(line) and not path.startswith("tests/golden/"):
                findings.append(f"{path}:{number}: a path of one machine: {line.strip()[:60]}")
        if pathlib.PurePosixPath(path).suffix in MAX_LINES:
            findings += check_source(path, lines, rooms, edges)
    findings += check_cycles(edges)
    if findings:
        print(*findings, sep="\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
