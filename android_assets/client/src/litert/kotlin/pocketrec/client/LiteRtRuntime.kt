package pocketrec.client

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer
import java.io.File
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Executes models with `CompiledModel`, the Kotlin API of `com.google.ai.edge.litert:litert` 2.x. In a source folder of its own, so
 * that apps on TensorFlow Lite compile without it.
 *
 * Compiled and executed by the tests against declarations of that API (litert/kotlin of google-ai-edge/LiteRT, commit 5867ce67f) over
 * LiteRT's C library for a desktop, never against the artifact itself. That API has no call to resize an input: models with a free
 * dimension are refused, and with them the layout [Layout.PAIR].
 *
 * @param folder where a model is written for the moment in which it is loaded, as the API reads files: the app's cache.
 * @param accelerators what runs it; with a GPU, replay the golden vectors first.
 * @param threads number of threads on the CPU. The models are small; one thread is usually fastest.
 */
public class LiteRtRuntime(
    private val folder: File,
    private val accelerators: Set<Accelerator> = setOf(Accelerator.CPU),
    private val threads: Int = 1,
) : ModelRuntime {
    override fun load(file: ByteBuffer): Model {
        val (inputs, outputs) = TfliteFile(file).let { it.inputs to it.outputs }
        val free = (inputs + outputs).firstOrNull { -1 in it.shape }
        if (free != null) throw UnsupportedOperationException("${free.name}: LiteRT's Kotlin API cannot resize it")
        return LiteRtModel(compiled(file), inputs, outputs)
    }

    private fun compiled(file: ByteBuffer): CompiledModel {
        val options = CompiledModel.Options(accelerators)
        options.cpuOptions = CompiledModel.CpuOptions(threads)
        val written = File.createTempFile("model", ".tflite", folder)
        try {
            written.outputStream().use { it.channel.write(file.duplicate()) }
            return CompiledModel.create(written.path, options)
        } finally {
            // What LiteRT maps stays readable until it is unmapped.
            written.delete()
        }
    }
}

private class LiteRtModel(
    private val compiled: CompiledModel,
    override val inputs: List<Port>,
    override val outputs: List<Port>,
) : Model {
    private val given = inputs.associate { it.name to slotOf(it, compiled.createInputBuffer(it.name)) }
    private val got = outputs.associate { it.name to slotOf(it, compiled.createOutputBuffer(it.name)) }
    private val from: Map<String, TensorBuffer> = given.mapValues { it.value.tensor }
    private val to: Map<String, TensorBuffer> = got.mapValues { it.value.tensor }
    private val writing = given.values.toTypedArray()
    private val reading = got.values.toTypedArray()

    override fun input(name: String): ByteBuffer = given.getValue(name).own

    override fun output(name: String): ByteBuffer = got.getValue(name).own

    override fun resize(n: Int): Unit = throw UnsupportedOperationException("LiteRT's Kotlin API cannot resize")

    override fun run() {
        for (slot in writing) slot.write()
        compiled.run(from, to)
        for (slot in reading) slot.read()
    }

    override fun close() {
        for (slot in writing + reading) slot.tensor.close()
        compiled.close()
    }
}

/** A tensor, which LiteRT copies from and to arrays, and the direct buffer that the client uses. */
private abstract class Slot(port: Port, val tensor: TensorBuffer) {
    val own: ByteBuffer = ByteBuffer.allocateDirect(port.bytes(1)).order(ByteOrder.nativeOrder())

    fun write() = copyIn(cleared())

    fun read() = copyOut(cleared())

    private fun cleared(): ByteBuffer {
        val buffer: Buffer = own // of Java 8, where a ByteBuffer has no clear() of its own
        buffer.clear()
        return own
    }

    protected abstract fun copyIn(from: ByteBuffer)

    protected abstract fun copyOut(to: ByteBuffer)
}

private fun slotOf(port: Port, tensor: TensorBuffer): Slot = when (port.dtype) {
    "float32" -> FloatSlot(port, tensor)
    "int32" -> IntSlot(port, tensor)
    "bool" -> BooleanSlot(port, tensor)
    else -> throw UnsupportedOperationException("${port.name}: ${port.dtype} is not among the kit's types")
}

private class FloatSlot(port: Port, tensor: TensorBuffer) : Slot(port, tensor) {
    private val values = FloatArray(own.capacity() / 4)

    override fun copyIn(from: ByteBuffer) {
        from.asFloatBuffer().get(values)
        tensor.writeFloat(values)
    }

    override fun copyOut(to: ByteBuffer) {
        to.asFloatBuffer().put(tensor.readFloat())
    }
}

private class IntSlot(port: Port, tensor: TensorBuffer) : Slot(port, tensor) {
    private val values = IntArray(own.capacity() / 4)

    override fun copyIn(from: ByteBuffer) {
        from.asIntBuffer().get(values)
        tensor.writeInt(values)
    }

    override fun copyOut(to: ByteBuffer) {
        to.asIntBuffer().put(tensor.readInt())
    }
}

private class BooleanSlot(port: Port, tensor: TensorBuffer) : Slot(port, tensor) {
    private val values = BooleanArray(own.capacity())

    override fun copyIn(from: ByteBuffer) {
        for (i in values.indices) values[i] = from.get(i).toInt() != 0
        tensor.writeBoolean(values)
    }

    override fun copyOut(to: ByteBuffer) {
        tensor.readBoolean().forEachIndexed { i, value -> to.put(i, if (value) 1 else 0) }
    }
}
