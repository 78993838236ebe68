// Reads an .emb file (docs/formats.md): the rows of one embedding table.
import {readFileSync} from 'node:fs';

const FP32 = 1, FP16 = 2, INT8 = 3;

// The value of an IEEE 754 half.
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const align = (offset) => Math.ceil(offset / 64) * 64;

export class EmbTable {
  constructor(path) {
    const file = readFileSync(path);
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    if (file.toString('latin1', 0, 8) !== 'APEMBD\r\n' || view.getUint32(8, true) !== 1 ||
        view.getUint32(12, true) !== 1 || Number(view.getBigUint64(72, true)) !== file.length) {
      throw new Error(`${path}: no whole .emb file of format 1`);
    }
    this.view = view;
    this.version = view.getBigUint64(24, true);
    this.rows = Number(view.getBigUint64(32, true));
    this.dim = view.getUint32(40, true);
    this.precision = view.getUint32(44, true);
    const buckets = Number(view.getBigUint64(56, true));
    const pad = (bytes) => Math.ceil(bytes / 4) * 4;
    this.rowBytes = {[FP32]: 4 * this.dim, [FP16]: pad(2 * this.dim),
                     [INT8]: 4 + pad(this.dim)}[this.precision];
    this.keysAt = align(128 + 4 * (buckets + 1));
    this.rowsAt = align(this.keysAt + 8 * this.rows);
  }

  // The place of a key (a BigInt), or -1: keys are ascending. The buckets before them would be a
  // shortcut.
  find(key) {
    let low = 0, high = this.rows;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.view.getBigUint64(this.keysAt + 8 * middle, true) < key) low = middle + 1;
      else high = middle;
    }
    return low < this.rows && this.view.getBigUint64(this.keysAt + 8 * low, true) === key ? low : -1;
  }

  // The floats of a key's row; zeros for a key without one.
  row(key) {
    const floats = new Float32Array(this.dim), place = this.find(key);
    if (place < 0) return floats;
    const at = this.rowsAt + place * this.rowBytes;
    for (let i = 0; i < this.dim; ++i) {
      if (this.precision === FP32) floats[i] = this.view.getFloat32(at + 4 * i, true);
      else if (this.precision === FP16) floats[i] = half(this.view.getUint16(at + 2 * i, true));
      else floats[i] = this.view.getFloat32(at, true) * this.view.getInt8(at + 4 + i);
    }
    return floats;
  }
}
