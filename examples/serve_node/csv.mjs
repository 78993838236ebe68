// Reads CSV files with a header, whose fields may be quoted.
import {readFileSync} from 'node:fs';

// An object a row: the text of each column.
export function readCsv(path) {
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
