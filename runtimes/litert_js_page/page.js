// Answers every query with LiteRT.js, on one thread. Its Tensor class knows float32, int32 and uint8 only; masks are bool. So buffers are
// made with the bindings it declares as `liteRtWasm`, once, in the model's own element types, and checked as its own runner checks them.
import { loadLiteRt } from "@litertjs/core";

const DTYPES = {
  1: "float32", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool", 7: "int16", 9: "int8", 10: "float16", 11: "float64",
  13: "uint64", 16: "uint32", 17: "uint16",
};
const errors = [];
const consoleError = console.error;
console.error = (...words) => {
  // LiteRT.js logs through console.error, each line with its level first.
  const line = words.join(" ");
  if (!/^(INFO|VERBOSE|WARNING):/.test(line)) errors.push(line);
  consoleError(...words);
};

const list = (vector) => Array.from({ length: vector.size() }, (_, i) => vector.get(i));
const nanoseconds = (from, to) => Math.round((to - from) * 1e6);

function loaded(wasm, environment, bytes) {
  const place = wasm._malloc(bytes.length);
  wasm.HEAPU8.set(bytes, place);
  return wasm.loadModel(environment.liteRtEnvironment, place, bytes.length);
}

function compiled(wasm, environment, model) {
  const cpuOptions = { numThreads: 1 };
  const options = { environment, accelerator: "wasm", cpuOptions, gpuOptions: {}, webNNOptions: {} };
  return wasm.compileModel(environment.liteRtEnvironment, model, options);
}

class Input {
  constructor(wasm, environment, model, session, index, given) {
    const expected = model.getInputTensorType(0, index);
    const element = expected.elementType();
    const dtype = DTYPES[element.value];
    if (dtype !== given.dtype) throw new Error(`input ${given.name}: expected ${dtype}, got ${given.dtype}`);
    Object.assign(this, { wasm, environment, expected, element, given });
    this.requirements = session.getInputBufferRequirements(0, index);
    this.scalar = expected.layout().rank() === 0;
  }

  // A buffer of a shape is made when the shape changes; LiteRT.js refuses any but the model's.
  shape(row) {
    const shape = this.scalar ? [] : this.given.shapes[row].length ? this.given.shapes[row] : [1];
    if (this.buffer && shape.join() === this.current) return;
    const dimensions = new this.wasm.VectorInt32();
    for (const size of shape) dimensions.push_back(size);
    const type = this.wasm.LiteRtRankedTensorType.create(this.element, this.wasm.LiteRtLayout.create(dimensions));
    const host = this.wasm.LiteRtTensorBufferType.HOST_MEMORY;
    this.buffer = this.wasm.LiteRtTensorBuffer.createManaged(this.environment.liteRtEnvironment, host, type, type.bytes());
    this.wasm.checkTensorBufferCompatible(this.buffer, this.expected, this.requirements);
    this.current = shape.join();
  }

  set(row, bytes) {
    this.shape(row);
    const place = this.buffer.lock(this.wasm.LiteRtTensorBufferLockMode.WRITE);
    this.wasm.HEAPU8.set(bytes.subarray(this.given.starts[row], this.given.starts[row + 1]), place);
    this.buffer.unlock();
  }
}

function taken(wasm, name, buffer) {
  const type = buffer.tensorType();
  const place = buffer.lock(wasm.LiteRtTensorBufferLockMode.READ);
  const bytes = wasm.HEAPU8.slice(place, place + buffer.packedSize());
  buffer.unlock();
  const found = { name, dtype: DTYPES[type.elementType().value], shape: list(type.layout().dimensions()), bytes };
  type.delete();
  buffer.delete();
  return found;
}

function ports(wasm, environment, model, session, given) {
  const signature = model.getSignature(0);
  const names = list(signature.inputNames());
  const asked = given.map((input) => input.name);
  if ([...names].sort().join() !== [...asked].sort().join()) throw new Error(`inputs: expected ${names}, got ${asked}`);
  const inputs = names.map(
    (name, i) => new Input(wasm, environment, model, session, i, given.find((input) => input.name === name)),
  );
  return [inputs, list(signature.outputNames())];
}

async function answers() {
  const get = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  const [queries, bytes, file, liteRt] = await Promise.all([
    (await fetch("/queries")).json(), get("/inputs"), get("/model"), loadLiteRt("/packages/core/wasm/"),
  ]);
  const wasm = liteRt.liteRtWasm;
  const environment = liteRt.getDefaultEnvironment();
  const clock = [performance.now()];
  const model = loaded(wasm, environment, file);
  clock.push(performance.now());
  const session = await compiled(wasm, environment, model);
  clock.push(performance.now());
  const [inputs, outputs] = ports(wasm, environment, model, session, queries.inputs);
  const ask = async (row) => {
    for (const input of inputs) input.set(row, bytes);
    const found = await session.run(0, inputs.map((input) => input.buffer));
    return outputs.map((name, i) => taken(wasm, name, found[i]));
  };
  const started = performance.now();
  await ask(0);
  const meta = {
    load_ns: nanoseconds(clock[0], clock[1]), allocate_ns: nanoseconds(clock[1], clock[2]),
    first_call_ns: nanoseconds(started, performance.now()), browser: navigator.userAgent,
  };
  const rows = [];
  for (let row = 0; row < queries.count; row++) rows.push(await ask(row));
  meta.queries_ns = nanoseconds(started, performance.now());
  return [meta, rows];
}

const [meta, rows] = await answers();
if (errors.length) throw new Error(errors.join("\n"));
const described = rows.map((row) => row.map(({ name, dtype, shape }) => ({ name, dtype, shape })));
const header = new TextEncoder().encode(JSON.stringify({ meta, rows: described }));
const length = new Uint8Array(new Uint32Array([header.length]).buffer);
await report("/answers", new Blob([length, header, ...rows.flatMap((row) => row.map((output) => output.bytes))]));
