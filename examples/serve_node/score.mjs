// Scores the rows of a CSV file with an exported version, and prints CSV: a column for each task.
//
//   node score.mjs --model=DIR --samples=FILE [--batch=256]
//
// As ps_ctl parity --scorer="node score.mjs" wants it: FILE has a header that names input fields.
import {parseArgs} from 'node:util';
import {readCsv} from './csv.mjs';
import {ServedModel} from './served_model.mjs';

const {values: options} = parseArgs({options: {
  model: {type: 'string'}, samples: {type: 'string'}, batch: {type: 'string', default: '256'}}});
const model = await ServedModel.open(options.model);
const rows = readCsv(options.samples);
const lines = [model.tasks.map(({name}) => name).join(',')];
for (let begin = 0; begin < rows.length; begin += +options.batch) {
  const some = rows.slice(begin, begin + +options.batch);
  const outputs = await model.score(some);
  some.forEach((row, i) => {
    lines.push(model.tasks.map(({output}) => String(outputs[output][i])).join(','));
  });
}
process.stdout.write(lines.join('\n') + '\n');
