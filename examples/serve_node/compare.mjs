// Scores the rows of a CSV file with an exported version, and says how far that is from the
// predictions that stand in the file.
//
//   node compare.mjs --model=DIR --scored=FILE [--batch=256] [--report=FILE]
//
// FILE is what ps_train --score writes with --score_columns: input fields, then one column a task.
import {writeFileSync} from 'node:fs';
import {parseArgs} from 'node:util';
import {readCsv} from './csv.mjs';
import {ServedModel} from './served_model.mjs';

const {values: options} = parseArgs({options: {
  model: {type: 'string'}, scored: {type: 'string'}, batch: {type: 'string', default: '256'},
  report: {type: 'string'}}});
const model = await ServedModel.open(options.model);
const rows = readCsv(options.scored);
const tasks = model.tasks.map((task) => ({...task, max_abs_difference: 0}));
let seconds = 0;
for (let begin = 0; begin < rows.length; begin += +options.batch) {
  const some = rows.slice(begin, begin + +options.batch);
  const start = performance.now();
  const outputs = await model.score(some);
  seconds += (performance.now() - start) / 1000;
  for (const task of tasks) {
    some.forEach((row, i) => {
      const difference = Math.abs(outputs[task.output][i] - Number(row[task.name]));
      // Not Math.max alone, which a NaN would pass for a number.
      if (!(difference <= task.max_abs_difference)) task.max_abs_difference = difference;
    });
  }
}
const report = {
  model: model.signature.model_name, version: model.signature.version, samples: rows.length,
  samples_per_second: Math.round(rows.length / seconds),
  max_abs_difference: tasks.reduce((most, task) =>
      task.max_abs_difference <= most ? most : task.max_abs_difference, 0),
  tasks: Object.fromEntries(tasks.map(({name, max_abs_difference}) => [name, max_abs_difference]))};
const text = JSON.stringify(report, (key, value) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value, 2);
console.log(text);
if (options.report) writeFileSync(options.report, text + '\n');
