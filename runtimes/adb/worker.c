// Executes one .tflite file with the TFLite library of an Android app, on a phone, for `pocketrec parity` and `latency --target adb`.
//
//   pocketrec-worker LIBRARY MODEL INPUTS OUTPUTS THREADS LIMIT_S [WARMUP SAMPLES]
//
// INPUTS and OUTPUTS are as exchange.py says. What is done and timed, in which order, is what workers/tflite_worker.py does. It ends
// by itself after LIMIT_S seconds, and as soon as its standard input closes: then nobody waits for it any more (status GONE).
#include "bionic.h"

enum { USAGE = 64, GONE = 79, MOST_AXES = 8, INT64 = 4, STRING = 5 };

#define FAIL(...) (dprintf(2, __VA_ARGS__), dprintf(2, "\n"), _exit(1))

// Functions of c_api.h, c_api_opaque.h and common.h.
#define FUNCTIONS(F)                                                    \
  F(void *, ModelCreateFromFile, (const char *))                        \
  F(void *, InterpreterOptionsCreate, (void))                           \
  F(void, InterpreterOptionsSetNumThreads, (void *, int32_t))           \
  F(void *, InterpreterCreate, (void *, void *))                        \
  F(int32_t, InterpreterGetSignatureCount, (void *))                    \
  F(const char *, InterpreterGetSignatureKey, (void *, int32_t))        \
  F(void *, InterpreterGetSignatureRunner, (void *, const char *))      \
  F(int32_t, InterpreterGetInputTensorCount, (void *))                  \
  F(void *, InterpreterGetInputTensor, (void *, int32_t))               \
  F(int32_t, InterpreterGetOutputTensorCount, (void *))                 \
  F(void *, InterpreterGetOutputTensor, (void *, int32_t))              \
  F(int, InterpreterResizeInputTensor, (void *, int32_t, const int32_t *, int32_t)) \
  F(int, InterpreterAllocateTensors, (void *))                          \
  F(int, InterpreterInvoke, (void *))                                   \
  F(size_t, SignatureRunnerGetInputCount, (void *))                     \
  F(const char *, SignatureRunnerGetInputName, (void *, int32_t))       \
  F(void *, SignatureRunnerGetInputTensor, (void *, const char *))      \
  F(size_t, SignatureRunnerGetOutputCount, (void *))                    \
  F(const char *, SignatureRunnerGetOutputName, (void *, int32_t))      \
  F(void *, SignatureRunnerGetOutputTensor, (void *, const char *))     \
  F(int, SignatureRunnerResizeInputTensor, (void *, const char *, const int32_t *, int32_t)) \
  F(int, SignatureRunnerAllocateTensors, (void *))                      \
  F(int, SignatureRunnerInvoke, (void *))                               \
  F(int, TensorType, (void *))                                          \
  F(int32_t, TensorNumDims, (void *))                                   \
  F(int32_t, TensorDim, (void *, int32_t))                              \
  F(const char *, TensorName, (void *))                                 \
  F(size_t, TensorByteSize, (void *))                                   \
  F(void *, TensorData, (void *))                                       \
  F(int, TensorRealloc, (size_t, void *))                               \
  F(int, TensorCopyFromBuffer, (void *, const void *, size_t))          \
  F(int, OpaqueTensorGetNumDimsSignature, (void *, int32_t *))          \
  F(int, OpaqueTensorGetDimSignature, (void *, int32_t, int32_t *))
#define DECLARE(result, name, arguments) static result(*name) arguments;
FUNCTIONS(DECLARE)

typedef struct {
  const char *name;
  void *tensor;
  int32_t declared_rank, declared[MOST_AXES];  // -1 where an axis is free
  unsigned char *copy;                         // of an output's bytes
  size_t n_bytes, room;
} Port;

typedef struct {
  int32_t type, rank, dims[MOST_AXES];
  const char *name;
  int32_t name_bytes;
  const unsigned char *data;
  size_t n_bytes;
} Block;

static void *interpreter, *runner;
static Port *inputs, *outputs;
static int32_t n_inputs, n_outputs, n_queries;
static Block *queries;  // [n_queries][n_inputs]
static int64_t load_ns, allocate_ns, first_call_ns, rss_before, rss_after, import_ns;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(MONOTONIC, &time);
  return time.seconds * INT64_C(1000000000) + time.nanoseconds;
}

static void *room(size_t n) {
  void *block = realloc(0, n ? n : 1);
  if (!block) FAIL("no memory for %lu bytes", (unsigned long)n);
  return block;
}

// A field of /proc/self/status in bytes; 0 where it is not known.
static int64_t memory(const char *field) {
  static char text[8192];
  int file = open("/proc/self/status", READ_ONLY);
  long n = file < 0 ? 0 : read(file, text, sizeof text - 1);
  close(file);
  text[n > 0 ? n : 0] = 0;
  const char *found = strstr(text, field);
  return found ? atoi(found + strlen(field)) * INT64_C(1024) : 0;
}

// The first thread stays where it is when standard input closes: a library that hangs must not outlive the host.
static void *watch(void *unused) {
  char byte;
  while (read(0, &byte, 1) > 0) continue;
  _exit(GONE);
}

// --- the library and the model

static void bind(const char *path) {
  int64_t started = now();
  void *library = dlopen(path, NOW);
  if (!library) FAIL("%s", dlerror());
#define BIND(result, name, arguments) \
  if (!(*(void **)&name = dlsym(library, "TfLite" #name))) FAIL("the library has no TfLite" #name);
  FUNCTIONS(BIND)
  import_ns = now() - started;
}

static void *input_tensor(int32_t i) {
  return runner ? SignatureRunnerGetInputTensor(runner, inputs[i].name) : InterpreterGetInputTensor(interpreter, i);
}
static void *output_tensor(int32_t i) {
  return runner ? SignatureRunnerGetOutputTensor(runner, outputs[i].name) : InterpreterGetOutputTensor(interpreter, i);
}

static void allocate(void) {
  if (runner ? SignatureRunnerAllocateTensors(runner) : InterpreterAllocateTensors(interpreter)) FAIL("allocating tensors failed");
  for (int32_t i = 0; i < n_inputs; i++) inputs[i].tensor = input_tensor(i);
  for (int32_t i = 0; i < n_outputs; i++) outputs[i].tensor = output_tensor(i);
}

static void find_ports(void) {
  n_inputs = runner ? (int32_t)SignatureRunnerGetInputCount(runner) : InterpreterGetInputTensorCount(interpreter);
  n_outputs = runner ? (int32_t)SignatureRunnerGetOutputCount(runner) : InterpreterGetOutputTensorCount(interpreter);
  inputs = room(n_inputs * sizeof *inputs), outputs = room(n_outputs * sizeof *outputs);
  for (int32_t i = 0; i < n_inputs; i++)
    inputs[i] = (Port){.name = runner ? SignatureRunnerGetInputName(runner, i) : TensorName(InterpreterGetInputTensor(interpreter, i))};
  for (int32_t i = 0; i < n_outputs; i++)
    outputs[i] = (Port){.name = runner ? SignatureRunnerGetOutputName(runner, i) : TensorName(InterpreterGetOutputTensor(interpreter, i))};
}

// The shape an input was declared with; where none is recorded as free, the one it has.
static void note_declared(Port *port) {
  port->declared_rank = TensorNumDims(port->tensor);
  if (port->declared_rank > MOST_AXES) FAIL("input %s: more than %d dimensions", port->name, MOST_AXES);
  for (int32_t axis = 0; axis < port->declared_rank; axis++) port->declared[axis] = TensorDim(port->tensor, axis);
  int32_t recorded = 0;
  if (OpaqueTensorGetNumDimsSignature(port->tensor, &recorded) || recorded != port->declared_rank) return;
  for (int32_t axis = 0; axis < recorded; axis++) OpaqueTensorGetDimSignature(port->tensor, axis, &port->declared[axis]);
}

static void load(const char *path, int threads) {
  int64_t started = now();
  void *model = ModelCreateFromFile(path);
  if (!model) FAIL("the library reads no model in this file");
  void *options = InterpreterOptionsCreate();
  InterpreterOptionsSetNumThreads(options, threads);
  interpreter = InterpreterCreate(model, options);
  if (!interpreter) FAIL("the library makes no interpreter of this model");
  if (InterpreterGetSignatureCount(interpreter))
    runner = InterpreterGetSignatureRunner(interpreter, InterpreterGetSignatureKey(interpreter, 0));
  find_ports();
  int64_t loaded = now();
  allocate();
  load_ns = loaded - started, allocate_ns = now() - loaded;
  for (int32_t i = 0; i < n_inputs; i++) note_declared(&inputs[i]);
}

// --- the queries

static const unsigned char *read_at, *read_end;

static const void *taken(size_t n) {
  if ((size_t)(read_end - read_at) < n) FAIL("the file of inputs ends too early");
  read_at += n;
  return read_at - n;
}
static int64_t number(size_t n) {
  int64_t value = 0;
  memcpy(&value, taken(n), n);
  return value;
}

static Block block(void) {
  Block found;
  found.name_bytes = (int32_t)number(4);
  found.type = (int32_t)number(4);
  found.rank = (int32_t)number(4);
  found.n_bytes = (size_t)number(8);
  if (found.rank > MOST_AXES) FAIL("the file of inputs has a value of more than %d dimensions", MOST_AXES);
  memcpy(found.dims, taken(4 * found.rank), 4 * found.rank);
  found.name = taken(found.name_bytes), found.data = taken(found.n_bytes);
  return found;
}

static int32_t place_of(const Block *given) {
  for (int32_t i = 0; i < n_inputs; i++)
    if (strlen(inputs[i].name) == (size_t)given->name_bytes && !memcmp(inputs[i].name, given->name, given->name_bytes)) return i;
  FAIL("inputs: the model has no %.*s", given->name_bytes, given->name);
  return 0;
}

static void read_queries(const char *path) {
  int file = open(path, READ_ONLY);
  long size = file < 0 ? -1 : lseek(file, 0, FROM_END);
  if (size <= 0) FAIL("the file of inputs cannot be read");
  read_at = mmap(0, size, MAY_READ, PRIVATE_MAP, file, 0);
  if (read_at == (void *)-1) FAIL("the file of inputs cannot be mapped");
  read_end = read_at + size;
  n_queries = (int32_t)number(4);
  int32_t n_given = (int32_t)number(4);
  if (n_given != n_inputs) FAIL("inputs: the model has %d, got %d", n_inputs, n_given);
  queries = room((size_t)n_queries * n_inputs * sizeof *queries);
  for (int64_t i = 0; i < (int64_t)n_queries * n_inputs; i++) {
    Block given = block();
    int32_t place = place_of(&given);
    if (given.type != TensorType(inputs[place].tensor))
      FAIL("input %s: expected type %d of TFLite's, got %d", inputs[place].name, TensorType(inputs[place].tensor), given.type);
    if (!given.rank && inputs[place].declared_rank) given.rank = 1, given.dims[0] = 1;
    queries[i / n_inputs * n_inputs + place] = given;
  }
}

// --- calls

static char *shape_text(char *text, const int32_t *dims, int32_t rank) {
  int at = snprintf(text, 2, "[");
  for (int32_t axis = 0; axis < rank; axis++) at += snprintf(text + at, 16, axis ? ", %d" : "%d", dims[axis]);
  snprintf(text + at, 2, "]");
  return text;
}

static int is_shaped(const Port *port, const Block *given) {
  if (TensorNumDims(port->tensor) != given->rank) return 0;
  for (int32_t axis = 0; axis < given->rank; axis++)
    if (TensorDim(port->tensor, axis) != given->dims[axis]) return 0;
  return 1;
}

// Tensors are resized only where a shape changes.
static void fit(const Block *query) {
  int is_changed = 0;
  for (int32_t i = 0; i < n_inputs; i++) {
    const Port *port = &inputs[i];
    const Block *given = &query[i];
    if (is_shaped(port, given)) continue;
    int fits = given->rank == port->declared_rank;
    for (int32_t axis = 0; fits && axis < given->rank; axis++)
      fits = port->declared[axis] == -1 || port->declared[axis] == given->dims[axis];
    char wanted[160], got[160];
    if (!fits)
      FAIL("input %s: expected shape %s, got %s", port->name, shape_text(wanted, port->declared, port->declared_rank),
           shape_text(got, given->dims, given->rank));
    if (runner ? SignatureRunnerResizeInputTensor(runner, port->name, given->dims, given->rank)
               : InterpreterResizeInputTensor(interpreter, i, given->dims, given->rank))
      FAIL("input %s: it was not resized", port->name);
    is_changed = 1;
  }
  if (is_changed) allocate();
}

// Sets every input, runs the model, unless it is left out, and takes every output.
static void call(const Block *query, int with_model) {
  for (int32_t i = 0; i < n_inputs; i++) {
    if (query[i].type == STRING && TensorRealloc(query[i].n_bytes, inputs[i].tensor)) FAIL("input %s: no room", inputs[i].name);
    if (TensorCopyFromBuffer(inputs[i].tensor, query[i].data, query[i].n_bytes))
      FAIL("input %s: it takes %lu bytes, got %lu", inputs[i].name, (unsigned long)TensorByteSize(inputs[i].tensor),
           (unsigned long)query[i].n_bytes);
  }
  if (with_model && (runner ? SignatureRunnerInvoke(runner) : InterpreterInvoke(interpreter))) FAIL("running the model failed");
  for (int32_t i = 0; i < n_outputs; i++) {
    Port *port = &outputs[i];
    port->n_bytes = TensorByteSize(port->tensor);
    if (port->n_bytes > port->room) {
      if (!(port->copy = realloc(port->copy, port->n_bytes))) FAIL("no memory for output %s", port->name);
      port->room = port->n_bytes;
    }
    memcpy(port->copy, TensorData(port->tensor), port->n_bytes);
  }
}

// --- the answers

static int out;
static unsigned char pending[1 << 16];
static size_t n_pending;

static void flush(void) {
  for (size_t done = 0; done < n_pending;) {
    long n = write(out, pending + done, n_pending - done);
    if (n <= 0) FAIL("the outputs cannot be written: no space left?");
    done += n;
  }
  n_pending = 0;
}

static void put(const void *data, size_t n) {
  for (const unsigned char *at = data; n;) {
    size_t part = sizeof pending - n_pending < n ? sizeof pending - n_pending : n;
    memcpy(pending + n_pending, at, part);
    n_pending += part, at += part, n -= part;
    if (n_pending == sizeof pending) flush();
  }
}

static void put_block(const char *name, int32_t type, int32_t rank, const int32_t *dims, const void *data, int64_t n_bytes) {
  int32_t head[] = {(int32_t)strlen(name), type, rank};
  put(head, sizeof head), put(&n_bytes, sizeof n_bytes), put(dims, 4 * rank), put(name, head[0]), put(data, n_bytes);
}

static void put_number(const char *name, int64_t value) { put_block(name, INT64, 0, 0, &value, sizeof value); }

static void put_numbers(const char *name, const int64_t *values, int32_t n) { put_block(name, INT64, 1, &n, values, 8 * n); }

static void answer_all(void) {
  for (int32_t q = 0; q < n_queries; q++) {
    const Block *query = &queries[(int64_t)q * n_inputs];
    fit(query), call(query, 1);
    for (int32_t i = 0; i < n_outputs; i++) {
      int32_t rank = TensorNumDims(outputs[i].tensor), dims[MOST_AXES];
      if (rank > MOST_AXES) FAIL("output %s: more than %d dimensions", outputs[i].name, MOST_AXES);
      for (int32_t axis = 0; axis < rank; axis++) dims[axis] = TensorDim(outputs[i].tensor, axis);
      put_block(outputs[i].name, TensorType(outputs[i].tensor), rank, dims, outputs[i].copy, outputs[i].n_bytes);
    }
  }
}

// Times calls and, after each, the same without the model: the cost of measuring and copying.
static void time_calls(int32_t warmup, int32_t samples) {
  int64_t *taken_ns = room(8 * (size_t)samples), *overhead_ns = room(8 * (size_t)samples);
  for (int32_t i = -warmup; i < samples; i++) {
    const Block *query = &queries[(int64_t)((i % n_queries + n_queries) % n_queries) * n_inputs];
    fit(query);
    int64_t started = now();
    call(query, 1);
    int64_t ended = now();
    call(query, 0);
    int32_t place = i < 0 ? 0 : i;
    overhead_ns[place] = now() - ended;
    taken_ns[place] = ended - started;
  }
  put_numbers("samples_ns", taken_ns, samples), put_numbers("overhead_ns", overhead_ns, samples);
}

int main(int n, char **arguments, char **environment) {
  if (n != 7 && n != 9) {
    dprintf(2, "pocketrec-worker LIBRARY MODEL INPUTS OUTPUTS THREADS LIMIT_S [WARMUP SAMPLES]\n");
    return USAGE;
  }
  long watcher;
  alarm(atoi(arguments[6]));
  if (pthread_create(&watcher, 0, watch, 0)) FAIL("no thread could be started");
  bind(arguments[1]);
  rss_before = memory("VmRSS:");
  load(arguments[2], atoi(arguments[5]));
  read_queries(arguments[3]);
  if ((out = open(arguments[4], NEW_FILE, 0644)) < 0) FAIL("the file of outputs cannot be written");
  fit(queries);
  int64_t started = now();
  call(queries, 1);
  first_call_ns = now() - started;
  rss_after = memory("VmRSS:");
  if (n == 9) time_calls(atoi(arguments[7]), atoi(arguments[8]));
  answer_all();
  put_number("meta.load_ns", load_ns), put_number("meta.allocate_ns", allocate_ns), put_number("meta.first_call_ns", first_call_ns);
  put_number("meta.rss_before_bytes", rss_before), put_number("meta.rss_after_bytes", rss_after);
  put_number("meta.peak_rss_bytes", memory("VmHWM:")), put_number("meta.import_ns", import_ns), put_number("meta.n_queries", n_queries);
  flush();
  _exit(0);
}
