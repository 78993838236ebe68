#!/usr/bin/env python3
"""bench/quality on a command that reports at once: tables, resumption, failures."""
import glob
import os
import subprocess
import sys
import tempfile
import tomllib
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUALITY = os.path.join(ROOT, 'bench/quality')

# Reports the seed times --times, and writes down how it was called.
COMMAND = '''
import json, sys
switches = dict(a[2:].split("=", 1) for a in sys.argv[1:] if a.startswith("--") and "=" in a)
open("CALLS", "a").write(" ".join(sys.argv[1:]) + chr(10))
if switches["times"] == "0":
    sys.exit("it does not work")
value = int(switches["seed"]) * float(switches["times"])
json.dump({"a": {"b": value}, "list": [{"of": "x", "b": 1}, {"of": "y", "b": value / 100}]},
          open(switches["report"], "w"))
'''

TABLES = '''
[[tables]]
title = "a table"
heading = "model"
columns = [
  { name = "value", path = "a.b", digits = 1, unit = " %" },
  { name = "of y", path = "list.of=y.b" },
  { name = "lift", path = "a.b", over = "once", digits = 0 },
  { name = "none", path = "a.c" },
]
rows = [
  { name = "once", run = ["PYTHON", "COMMAND", "--times=1"] },
  { name = "twice", run = ["PYTHON", "COMMAND", "--times=2", "--", "more"] },
]
'''


class QualityTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.calls = os.path.join(self.folder, 'calls')
        command = self.write('command.py', COMMAND.replace('CALLS', self.calls))
        self.description = TABLES.replace('PYTHON', sys.executable).replace('COMMAND', command)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def quality(self, *flags, description=None):
        tables = self.write('tables.toml', description or self.description)
        return subprocess.run(
            [QUALITY, '--tables=' + tables, '--out=' + os.path.join(self.folder, 'out'), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def called(self):
        with open(self.calls, encoding='utf-8') as f:
            return f.read().splitlines()

    def test_prints_mean_and_deviation_and_lifts_seed_by_seed(self):
        done = self.quality()

        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('| model | value | of y | lift | none |\n| --- | --- | --- | --- | --- |\n'
                      '| once | 2.0 ±1.0 % | .0200 ±.0100 | | |\n'
                      '| twice | 4.0 ±2.0 % | .0400 ±.0200 | +100 ±0 | |\n', done.stdout)

    def test_one_seed_has_no_deviation(self):
        self.assertIn('| once | 1.0 % | .0100 | | |\n', self.quality('--seeds=1').stdout)

    def test_a_table_may_have_seeds_of_its_own(self):
        own = self.description.replace('[[tables]]', '[[tables]]\nfirst_seed = 5', 1)

        self.assertIn('| once | 5.0 % |', self.quality('--seeds=1', description=own).stdout)
        self.assertIn('| once | 7.0 % |',
                      self.quality('--seeds=1', description='first_seed = 7\n' + self.description).stdout)

    def test_goes_on_where_it_was(self):
        self.quality('--seeds=1')
        first = self.called()
        self.quality('--seeds=2')

        self.assertEqual(len(first), 2)
        self.assertEqual(len(self.called()), 4)

    def test_switches_stand_before_those_of_the_trainer(self):
        self.quality('--seeds=1', '--only=times=2', '--', '--cluster=2x2')

        call = next(call for call in self.called() if 'times=2' in call)
        self.assertRegex(call, r'^--times=2 --cluster=2x2 --seed=1 --report=\S+ -- more$')

    def test_only_leaves_rows_out_and_still_knows_what_they_are_compared_with(self):
        done = self.quality('--only=times=2')

        self.assertNotIn('| once', done.stdout)
        self.assertIn('+100 ±0', done.stdout)

    def test_a_row_that_fails_is_empty_and_tells(self):
        done = self.quality('--seeds=1', description=self.description.replace('=2"', '=0"'))

        self.assertEqual(done.returncode, 1)
        self.assertIn('| once | 1.0 % |', done.stdout)
        self.assertIn('| twice | | | | |', done.stdout)
        self.assertIn('exit code 1 and no report', done.stderr)

    def test_descriptions_of_the_examples_name_commands_and_models_that_exist(self):
        for path in glob.glob(os.path.join(ROOT, 'examples/**/tables.toml'), recursive=True):
            with open(path, 'rb') as f:
                tables = tomllib.load(f)['tables']
            for table in tables:
                names = [row['name'] for row in table['rows']]
                self.assertEqual(len(names), len(set(names)), path)
                for column in table['columns']:
                    self.assertIn(column.get('over', names[0]), names, path)
                for row in table['rows']:
                    self.assertTrue(os.access(os.path.join(ROOT, row['run'][0]), os.X_OK), row)


if __name__ == '__main__':
    unittest.main()
