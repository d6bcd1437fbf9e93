// Answers every query with LiteRT.js, on one thread, or on WebGPU where /queries says so. Its Tensor class knows float32, int32 and uint8
// only; masks are bool. So buffers are made with the bindings it declares as `liteRtWasm`, once, in the model's own element types and in the
// memory that its requirements name first, and checked as its own runner checks them.
import { loadLiteRt } from "@litertjs/core";

const DTYPES = {
  1: "float32", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool", 7: "int16", 9: "int8", 10: "float16", 11: "float64",
  13: "uint64", 16: "uint32", 17: "uint16",
};

const list = (vector) => Array.from({ length: vector.size() }, (_, i) => vector.get(i));
// WebGPU counts in words of four bytes.
const inWords = (size) => (size + 3) & ~3;
const nanoseconds = (from, to) => Math.round((to - from) * 1e6);

function loaded(wasm, environment, bytes) {
  const place = wasm._malloc(bytes.length);
  wasm.HEAPU8.set(bytes, place);
  return wasm.loadModel(environment.liteRtEnvironment, place, bytes.length);
}

function compiled(wasm, environment, model, accelerator) {
  const cpuOptions = { numThreads: 1 };
  const options = { environment, accelerator, cpuOptions, gpuOptions: {}, webNNOptions: {} };
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
    [this.memory] = list(this.requirements.supportedTypes());
    this.scalar = expected.layout().rank() === 0;
  }

  // A buffer of a shape is made when the shape changes; LiteRT.js refuses any but the model's.
  shape(row) {
    const shape = this.scalar ? [] : this.given.shapes[row].length ? this.given.shapes[row] : [1];
    if (this.buffer && shape.join() === this.current) return;
    const dimensions = new this.wasm.VectorInt32();
    for (const size of shape) dimensions.push_back(size);
    const type = this.wasm.LiteRtRankedTensorType.create(this.element, this.wasm.LiteRtLayout.create(dimensions));
    this.buffer = this.made(type);
    this.wasm.checkTensorBufferCompatible(this.buffer, this.expected, this.requirements);
    this.current = shape.join();
  }

  made(type) {
    const { LiteRtTensorBuffer, LiteRtTensorBufferType: memory, WebGPU } = this.wasm;
    const { liteRtEnvironment, webGpuDevice } = this.environment;
    if (this.memory.value === memory.HOST_MEMORY.value) {
      return LiteRtTensorBuffer.createManaged(liteRtEnvironment, memory.HOST_MEMORY, type, type.bytes());
    }
    const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST | GPUBufferUsage.STORAGE;
    this.onGpu = webGpuDevice.createBuffer({ size: inWords(type.bytes()), usage });
    const imported = WebGPU.importJsBuffer(this.onGpu);
    return LiteRtTensorBuffer.createFromWebGpuBuffer(liteRtEnvironment, type, memory.WEB_GPU_BUFFER_PACKED, imported, this.onGpu.size);
  }

  set(row, bytes) {
    this.shape(row);
    const value = bytes.subarray(this.given.starts[row], this.given.starts[row + 1]);
    if (this.onGpu) {
      const whole = new Uint8Array(inWords(value.length));
      whole.set(value);
      this.environment.webGpuDevice.queue.writeBuffer(this.onGpu, 0, whole);
      return;
    }
    const place = this.buffer.lock(this.wasm.LiteRtTensorBufferLockMode.WRITE);
    this.wasm.HEAPU8.set(value, place);
    this.buffer.unlock();
  }
}

async function readFromGpu(wasm, device, buffer) {
  const source = wasm.WebGPU.getJsObject(buffer.getWebGpuBuffer());
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
  const readable = device.createBuffer({ size: source.size, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, readable, 0, source.size);
  device.queue.submit([encoder.finish()]);
  await readable.mapAsync(GPUMapMode.READ);
  const bytes = new Uint8Array(readable.getMappedRange()).slice(buffer.offset(), buffer.offset() + buffer.packedSize());
  readable.destroy();
  return bytes;
}

function readFromHost(wasm, buffer) {
  const place = buffer.lock(wasm.LiteRtTensorBufferLockMode.READ);
  const bytes = wasm.HEAPU8.slice(place, place + buffer.packedSize());
  buffer.unlock();
  return bytes;
}

async function taken(wasm, device, name, buffer) {
  const type = buffer.tensorType();
  const bytes = buffer.isWebGpuMemory() ? await readFromGpu(wasm, device, buffer) : readFromHost(wasm, buffer);
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
  const queries = await (await fetch("/queries")).json();
  const accelerator = queries.accelerator || "wasm";
  const jspi = accelerator !== "wasm";
  const [bytes, file, liteRt] = await Promise.all([
    get("/inputs"), get("/model"), loadLiteRt("/packages/core/wasm/", { jspi }),
  ]);
  const wasm = liteRt.liteRtWasm;
  const environment = liteRt.getDefaultEnvironment();
  if (jspi && !environment.webGpuDevice) throw new Error("this browser has no WebGPU adapter");
  environment.webGpuDevice?.addEventListener("uncapturederror", (event) => fail(event.error.message));
  environment.webGpuDevice?.lost.then(({ message }) => fail(`the GPU device was lost: ${message}`));
  const clock = [performance.now()];
  const model = loaded(wasm, environment, file);
  clock.push(performance.now());
  const session = await compiled(wasm, environment, model, accelerator);
  clock.push(performance.now());
  // While it compiles, an accelerator tells as errors what it leaves to the processor.
  const before = jspi ? told.length : 0;
  const [inputs, outputs] = ports(wasm, environment, model, session, queries.inputs);
  const ask = async (row) => {
    for (const input of inputs) input.set(row, bytes);
    const found = await session.run(0, inputs.map((input) => input.buffer));
    return Promise.all(outputs.map((name, i) => taken(wasm, environment.webGpuDevice, name, found[i])));
  };
  const started = performance.now();
  await ask(0);
  const meta = {
    load_ns: nanoseconds(clock[0], clock[1]), allocate_ns: nanoseconds(clock[1], clock[2]),
    first_call_ns: nanoseconds(started, performance.now()), browser: navigator.userAgent,
    fully_accelerated: jspi && session.isFullyAccelerated(),
  };
  const rows = [];
  for (let row = 0; row < queries.count; row++) rows.push(await ask(row));
  meta.queries_ns = nanoseconds(started, performance.now());
  const errors = told.slice(before).filter((line) => !/^((INFO|VERBOSE|WARNING):|[IW]\d{4} )/.test(line));
  if (errors.length) throw new Error(errors.join("\n"));
  return [meta, rows];
}

const [meta, rows] = await answers();
const described = rows.map((row) => row.map(({ name, dtype, shape }) => ({ name, dtype, shape })));
const header = new TextEncoder().encode(JSON.stringify({ meta, rows: described, told }));
const length = new Uint8Array(new Uint32Array([header.length]).buffer);
await report("/answers", new Blob([length, header, ...rows.flatMap((row) => row.map((output) => output.bytes))]));
