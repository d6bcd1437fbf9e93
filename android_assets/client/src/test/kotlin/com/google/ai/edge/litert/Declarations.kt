package com.google.ai.edge.litert

import pocketrec.client.JnaRuntime
import pocketrec.client.Model
import java.nio.ByteBuffer

/*
 * What LiteRtRuntime calls of LiteRT's Kotlin API, with the names and signatures of litert/kotlin of google-ai-edge/LiteRT, commit
 * 5867ce67f (2026-08-19), over LiteRT's C library instead of its JNI. Its artifact is on Google's Maven repository only.
 */

enum class Accelerator(val value: Int) { NONE(0), CPU(1), GPU(2), NPU(3) }

abstract class JniHandle : AutoCloseable {
    private var isDestroyed = false

    protected fun assertNotDestroyed() = check(!isDestroyed) { "The handle has been destroyed." }

    protected abstract fun destroy()

    final override fun close() {
        if (!isDestroyed) destroy()
        isDestroyed = true
    }
}

class TensorBuffer internal constructor(internal val bytes: ByteBuffer) : JniHandle() {
    private fun cleared(): ByteBuffer {
        assertNotDestroyed()
        bytes.clear()
        return bytes
    }

    fun writeInt(data: IntArray) {
        cleared().asIntBuffer().put(data)
    }

    fun writeFloat(data: FloatArray) {
        cleared().asFloatBuffer().put(data)
    }

    fun writeBoolean(data: BooleanArray) {
        val to = cleared()
        for (value in data) to.put(if (value) 1 else 0)
    }

    fun readInt(): IntArray = cleared().asIntBuffer().let { from -> IntArray(from.remaining()) { from.get() } }

    fun readFloat(): FloatArray = cleared().asFloatBuffer().let { from -> FloatArray(from.remaining()) { from.get() } }

    fun readBoolean(): BooleanArray =
        cleared().let { from -> BooleanArray(from.remaining()) { from.get(it).toInt() != 0 } }

    override fun destroy() = Unit
}

class CompiledModel private constructor(private val model: Model) : JniHandle() {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    class Options(internal val accelerators: Set<Accelerator>) {
        var cpuOptions: CpuOptions? = null
    }

    fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer {
        check(signature.isEmpty())
        assertNotDestroyed()
        return TensorBuffer(model.input(inputName))
    }

    fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer {
        check(signature.isEmpty())
        assertNotDestroyed()
        return TensorBuffer(model.output(outputName))
    }

    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String = "") {
        check(signature.isEmpty())
        assertNotDestroyed()
        check(inputs.all { model.input(it.key) === it.value.bytes })
        check(outputs.all { model.output(it.key) === it.value.bytes })
        model.run()
    }

    override fun destroy() = model.close()

    companion object {
        private val runtime by lazy { JnaRuntime(System.getProperty("pocketrec.litert")) }

        @JvmStatic
        fun create(filePath: String, options: Options): CompiledModel {
            check(options.accelerators == setOf(Accelerator.CPU) && options.cpuOptions?.numThreads == 1)
            return CompiledModel(runtime.load(filePath))
        }
    }
}
