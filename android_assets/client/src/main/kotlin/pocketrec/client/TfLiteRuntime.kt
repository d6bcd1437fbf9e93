package pocketrec.client

import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Locale

/**
 * Executes models with `org.tensorflow:tensorflow-lite`, or with `com.google.ai.edge.litert:litert`, whose classes have the same
 * names.
 *
 * @param threads number of threads of each interpreter. The models are small; one thread is usually fastest.
 */
public class TfLiteRuntime(private val threads: Int = 1) : ModelRuntime {
    override fun load(file: ByteBuffer): Model {
        val options = Interpreter.Options()
        options.setNumThreads(threads)
        return TfLiteModel(Interpreter(file.duplicate().order(ByteOrder.nativeOrder()), options))
    }
}

private class TfLiteModel(private val interpreter: Interpreter) : Model {
    private val key = interpreter.signatureKeys.first()
    override val inputs = interpreter.getSignatureInputs(key).map {
        port(it, interpreter.getInputTensorFromSignature(it, key))
    }
    override val outputs = interpreter.getSignatureOutputs(key).map {
        port(it, interpreter.getOutputTensorFromSignature(it, key))
    }
    private val given = HashMap<String, Any>()
    private val got = HashMap<String, Any>()
    private var buffers = emptyArray<Buffer>()

    init {
        allocate(1)
    }

    private fun port(name: String, tensor: Tensor) =
        Port(name, tensor.dataType().name.lowercase(Locale.ROOT), tensor.shapeSignature().toList())

    private fun allocate(n: Int) {
        for (port in inputs) given[port.name] = direct(port, n)
        for (port in outputs) got[port.name] = direct(port, n)
        buffers = (given.values + got.values).map { it as Buffer }.toTypedArray()
    }

    private fun direct(port: Port, n: Int) = ByteBuffer.allocateDirect(port.bytes(n)).order(ByteOrder.nativeOrder())

    override fun input(name: String): ByteBuffer = given.getValue(name) as ByteBuffer

    override fun output(name: String): ByteBuffer = got.getValue(name) as ByteBuffer

    override fun resize(n: Int) {
        for (port in inputs.filter { -1 in it.shape }) {
            val dims = IntArray(port.shape.size) { if (port.shape[it] < 0) n else port.shape[it] }
            interpreter.resizeInput(positionOf(port.name), dims)
        }
        interpreter.allocateTensors()
        allocate(n)
    }

    private fun positionOf(name: String): Int {
        val tensor = interpreter.getInputTensorFromSignature(name, key).name()
        return (0 until interpreter.inputTensorCount).first { interpreter.getInputTensor(it).name() == tensor }
    }

    override fun run() {
        for (buffer in buffers) buffer.clear()
        interpreter.runSignature(given, got, key)
    }

    override fun close(): Unit = interpreter.close()
}
