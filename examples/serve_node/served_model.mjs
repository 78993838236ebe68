// Scores samples with an exported version: signature.json says how text becomes ids, numbers and
// columns, .emb files hold the rows, model.onnx does the rest.
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {xxh3} from '@node-rs/xxhash';
import * as ort from 'onnxruntime-node';
import {EmbTable} from './emb_table.mjs';

const hash = (bytes, seed = 0n) => xxh3.xxh64(Buffer.from(bytes), seed);

function number(text, feature) {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value)) throw new Error(`feature ${feature.name}: no number: "${text}"`);
  return value;
}

// How one value of a categorical feature becomes a key; nothing: it reads no row.
function keyMaker(feature) {
  const seed = hash(feature.table);
  const entries = feature.vocabulary ?? [];
  const places = new Map(entries.map((entry, i) => [entry, BigInt(i + 1)]));
  const boundaries = feature.boundaries ?? [];
  switch (feature.id_source) {
    case 'hash': return (value) => hash(value, seed);
    case 'hash_buckets': return (value) => hash(value, seed) % BigInt(feature.buckets);
    case 'value': return (value) => BigInt(value.trim());
    case 'vocabulary':
      if (feature.vocabulary_bytes) throw new Error(`${feature.name}: its vocabulary is no UTF-8`);
      return (value) => places.get(value);
    case 'boundaries': return (value) => {
      const x = number(value, feature);
      return BigInt(boundaries.filter((boundary) => boundary <= x).length);
    };
    default: throw new Error(`${feature.name}: unknown id_source ${feature.id_source}`);
  }
}

// Keys and weights of a categorical feature's text.
function valuesOf(feature, makeKey, text) {
  let parts = [text];
  if (feature.kind !== 'id') parts = text.split(feature.separator);
  if (feature.kind === 'sequence') parts = parts.filter((part) => part !== '').slice(-feature.max_values);
  const values = [];
  for (const part of parts.filter((each) => each !== '')) {
    let value = part, weight = 1;
    const cut = feature.kv_separator ? part.lastIndexOf(feature.kv_separator) : -1;
    if (cut >= 0) {
      value = part.slice(0, cut);
      weight = number(part.slice(cut + feature.kv_separator.length), feature);
    }
    const key = makeKey(value);
    if (key !== undefined) values.push({key, weight: Math.fround(weight)});
  }
  return values;
}

function numbersOf(feature, text) {
  const texts = feature.shift.length > 1 ? text.split(feature.separator) : [text];
  return feature.shift.map((shift, i) => {
    let x = number(texts[i] ?? '', feature);
    if (feature.log1p) x = Math.log1p(Math.max(x, 0));
    x = (x - shift) * feature.scale[i];
    return feature.clip ? Math.min(Math.max(x, 0), 1) : x;
  });
}

// Adds the pooled columns [from, from + width) of the rows to those of the sample that begin at
// `to`.
function pool(feature, values, table, from, width, input, to) {
  let total = 1;
  if (feature.pooling === 'mean') total = values.reduce((sum, {weight}) => sum + weight, 0);
  const scale = Math.fround(total > 0 ? 1 / total : 0);
  for (const {key, weight} of values) {
    const row = table.row(key), factor = Math.fround(scale * weight);
    for (let i = 0; i < width; ++i) input[to + i] += factor * row[from + i];
  }
}

export class ServedModel {
  static async open(folder) {
    const model = new ServedModel();
    model.signature = JSON.parse(readFileSync(join(folder, 'signature.json'), 'utf8'));
    if (model.signature.format !== 1) throw new Error(`${folder}: unknown format`);
    model.tables = new Map(model.signature.tables.map(
        ({name, file}) => [name, new EmbTable(join(folder, file))]));
    for (const [name, table] of model.tables) {
      if (table.version !== BigInt(model.signature.version)) {
        throw new Error(`${folder}: table ${name} is of version ${table.version}`);
      }
    }
    model.features = model.signature.features.map((feature) => ({
      ...feature, makeKey: feature.kind === 'numbers' ? null : keyMaker(feature)}));
    // Each with the output of model.onnx that has what it predicts.
    const outputOf = {probability: 'probs_', number: 'numbers_', score: 'logits_'};
    model.tasks = model.signature.tasks.map(({name, kind}) => ({name, output: outputOf[kind] + name}));
    model.session = await ort.InferenceSession.create(join(folder, 'model.onnx'));
    return model;
  }

  // `samples` are objects: the text of each input field. Returns for each output of model.onnx a
  // Float32Array with one prediction a sample.
  async score(samples) {
    const {signature} = this, width = signature.input_width;
    const features = new Float32Array(samples.length * width);
    const scene = new BigInt64Array(samples.length);
    const items = new Map();
    samples.forEach((sample, s) => {
      scene[s] = BigInt((signature.scenes ?? []).indexOf(sample[signature.scene_field]));
      for (const feature of this.features) {
        const text = sample[feature.input_field] || (feature.default_value ?? '');
        if (feature.kind === 'numbers') {
          features.set(numbersOf(feature, text), s * width + feature.column);
          continue;
        }
        const values = valuesOf(feature, feature.makeKey, text);
        const table = this.tables.get(feature.table), linear = feature.linear_width ?? 0;
        if (feature.kind === 'sequence') {
          const list = items.get(feature.name) ?? {rows: [], floats: []};
          items.set(feature.name, list);
          for (const {key} of values) {
            list.rows.push(BigInt(s));
            list.floats.push(...table.row(key).subarray(linear));
          }
          continue;
        }
        if (linear > 0) {
          pool(feature, values, table, 0, linear, features, s * width + feature.linear_column);
        }
        if (feature.embedding_width > 0) {
          pool(feature, values, table, linear, feature.embedding_width, features,
               s * width + feature.embedding_column);
        }
      }
    });
    const feeds = {};
    for (const {name, dims, feature} of signature.inputs) {
      if (name === 'features') {
        feeds[name] = new ort.Tensor('float32', features, [samples.length, width]);
      } else if (name === 'scene') {
        feeds[name] = new ort.Tensor('int64', scene, [samples.length]);
      } else if (name.startsWith('items_')) {
        const {rows, floats} = items.get(feature);
        feeds[name] = new ort.Tensor('float32', Float32Array.from(floats), [rows.length, +dims[1]]);
      } else {
        const {rows} = items.get(feature);
        feeds[name] = new ort.Tensor('int64', BigInt64Array.from(rows), [rows.length]);
      }
    }
    const outputs = await this.session.run(feeds);
    return Object.fromEntries(Object.entries(outputs).map(([name, {data}]) => [name, data]));
  }
}
