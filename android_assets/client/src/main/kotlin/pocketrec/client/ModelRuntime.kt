package pocketrec.client

import java.io.Closeable
import java.nio.ByteBuffer

/** Executes models: TFLite's Java API ([TfLiteRuntime]), or another runtime behind this interface. */
public interface ModelRuntime {
    /**
     * Load a model, ready to run.
     *
     * @param file the .tflite file's bytes, mapped or in direct memory, read-only; unchanged and reachable while the model is open.
     * @throws Exception of any kind when the file cannot be loaded; the client reports it as [ErrorCode.RUNTIME_FAILED].
     */
    public fun load(file: ByteBuffer): Model
}

/**
 * A loaded model with one signature. Not thread-safe: [RecommenderBundle] holds a lock around it.
 *
 * Buffers are direct, in native byte order, row-major, and exactly as long as their tensor; a `bool` is one byte. They stay the
 * same objects until [resize].
 */
public interface Model : Closeable {
    /** Inputs as the runtime reports them, in any order; -1 marks the free dimension. */
    public val inputs: List<Port>

    /** Outputs as the runtime reports them, in any order; -1 marks the free dimension. */
    public val outputs: List<Port>

    /** The buffer that [run] reads an input from and leaves unchanged. Its position and limit are ignored. */
    public fun input(name: String): ByteBuffer

    /** The buffer that [run] writes an output to. Its position and limit are ignored. */
    public fun output(name: String): ByteBuffer

    /** Set every free dimension (-1) of the inputs, and so of the outputs. Invalidates all buffers returned before. */
    public fun resize(n: Int)

    /** Run the model on the contents of the input buffers. */
    public fun run()
}

internal fun bytesOf(dtype: String): Int = when (dtype) {
    "bool", "int8", "uint8" -> 1
    "int16", "float16", "uint16" -> 2
    "int32", "float32", "uint32" -> 4
    "int64", "float64", "uint64" -> 8
    else -> refuse(ErrorCode.MODEL_MISMATCH, "unsupported dtype $dtype")
}

/** Size in bytes of a port whose free dimensions are `n`. */
internal fun Port.bytes(n: Int): Int = shape
    .map { dimension -> if (dimension < 0) n else dimension }
    .fold(bytesOf(dtype)) { size, dimension -> Math.multiplyExact(size, dimension) }
