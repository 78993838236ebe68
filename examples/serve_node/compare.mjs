// Scores the rows of a CSV file with an exported version, and says how far that is from the
// predictions that stand in the file.
//
//   node compare.mjs --model=DIR --scored=FILE [--batch=256] [--report=FILE]
//
// FILE is what ps_train --score writes with --score_columns: input fields, then one column a task.
import {readFileSync, writeFileSync} from 'node:fs';
import {parseArgs} from 'node:util';
import {ServedModel} from './served_model.mjs';

// The rows of a CSV file with a header; fields may be quoted.
function readCsv(path) {
  const field = /("(?:[^"]|"")*"|[^,]*)(,|$)/gy;
  const fieldsOf = (line) => {
    const fields = [];
    field.lastIndex = 0;
    for (let match = field.exec(line); match; match = field.exec(line)) {
      fields.push(match[1].startsWith('"') ? match[1].slice(1, -1).replaceAll('""', '"') : match[1]);
      if (match[2] === '') break;
    }
    return fields;
  };
  const [header, ...lines] = readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
  const names = fieldsOf(header);
  return lines.map((line) => {
    const fields = fieldsOf(line);
    return Object.fromEntries(names.map((name, i) => [name, fields[i]]));
  });
}

const {values: options} = parseArgs({options: {
  model: {type: 'string'}, scored: {type: 'string'}, batch: {type: 'string', default: '256'},
  report: {type: 'string'}}});
const model = await ServedModel.open(options.model);
const rows = readCsv(options.scored);
const outputOf = {probability: 'probs_', number: 'numbers_', score: 'logits_'};
const tasks = model.signature.tasks.map(({name, kind}) => ({name, output: outputOf[kind] + name,
                                                            max_abs_difference: 0}));
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
