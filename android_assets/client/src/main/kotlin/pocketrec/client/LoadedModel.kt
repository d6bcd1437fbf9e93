package pocketrec.client

import java.io.Closeable
import java.nio.ByteBuffer

/**
 * A model that the runtime loaded. Writes a query into its inputs. Not thread-safe.
 *
 * @param free size of the free dimension, where the model has one.
 */
internal class LoadedModel(runtime: ModelRuntime, private val entry: ModelEntry, file: ByteBuffer, free: Int) :
    Closeable {
    private val model = running("${entry.file}: cannot be loaded") { runtime.load(file) }
    private val isFree = entry.inputs.any { -1 in it.shape }
    private val window = entry.inputs.find { it.name == "history" }?.shape?.single() ?: 0
    private val maskSize = entry.inputs.find { it.name == "seen" }?.shape?.single() ?: 0
    val unknownItem = entry.rows["items"]?.minus(1) ?: Int.MAX_VALUE
    private val unknownUser = entry.rows["users"]?.minus(1) ?: Int.MAX_VALUE
    private val failedToRun = "${entry.file}: failed to run" // a field, so that a call allocates nothing
    private var history: ByteBuffer? = null
    private var stars: ByteBuffer? = null
    private var seen: ByteBuffer? = null
    private var preferences: ByteBuffer? = null
    private var genres: ByteBuffer? = null
    private var user: ByteBuffer? = null
    private var items: ByteBuffer? = null

    init {
        try {
            checkPorts()
            resize(free)
        } catch (error: BundleException) {
            model.close()
            throw error
        }
    }

    fun hasInput(name: String): Boolean = entry.inputs.any { it.name == name }

    fun input(name: String): ByteBuffer = model.input(name)

    fun output(name: String): ByteBuffer = model.output(name)

    /** Set the free dimension, where there is one. Invalidates all buffers returned before. */
    fun resize(n: Int) {
        if (isFree) running("${entry.file}: cannot take $n items") { model.resize(n) }
        for (port in entry.inputs) {
            val buffer = model.input(port.name)
            val expected = port.bytes(n)
            if (buffer.capacity() != expected) {
                refuse(
                    ErrorCode.MODEL_MISMATCH,
                    "${entry.file}: input ${port.name} takes ${buffer.capacity()} bytes, expected $expected",
                )
            }
            bind(port, buffer)
        }
    }

    private fun bind(port: Port, buffer: ByteBuffer) {
        when (port.name to port.dtype) {
            "history" to "int32" -> history = buffer
            "stars" to "float32" -> stars = buffer
            "seen" to "bool" -> seen = buffer
            "preferences" to "float32" -> preferences = buffer
            "genres" to "float32" -> genres = buffer
            "user" to "int32" -> user = buffer
            "items" to "int32" -> items = buffer
            else -> refuse(ErrorCode.MODEL_MISMATCH, "${entry.file}: unsupported input ${port.name} (${port.dtype})")
        }
    }

    private fun checkPorts() {
        val pairs = listOf(entry.inputs to model.inputs, entry.outputs to model.outputs)
        for ((declared, reported) in pairs) {
            if (declared.sortedBy { it.name } != reported.sortedBy { it.name }) {
                refuse(
                    ErrorCode.MODEL_MISMATCH,
                    "${entry.file}: the runtime reports $reported, the manifest says $declared",
                )
            }
        }
    }

    /** Write a query into all inputs but the mask of seen items. */
    fun fill(query: Query) {
        fillWindow(query)
        fillFloats(preferences, query.preferences)
        fillFloats(genres, query.genres)
        user?.putInt(0, if (query.user < 0) unknownUser else minOf(query.user, unknownUser))
    }

    private fun fillWindow(query: Query) {
        val ids = history ?: return
        val values = stars
        val first = query.length - window
        for (place in 0 until window) {
            val i = first + place
            ids.putInt(4 * place, if (i < 0) unknownItem else minOf(query.idAt(i), unknownItem))
            values?.putFloat(4 * place, if (i < 0) 0f else query.starsAt(i))
        }
    }

    private fun fillFloats(buffer: ByteBuffer?, values: FloatArray) {
        if (buffer != null) for (i in values.indices) buffer.putFloat(4 * i, values[i])
    }

    fun fillItem(place: Int, id: Int) {
        items?.putInt(4 * place, minOf(id, unknownItem))
    }

    private fun mark(query: Query, value: Byte) {
        val mask = seen ?: return
        for (i in 0 until query.size) if (query.ids[i] < maskSize) mask.put(query.ids[i], value)
        for (i in 0 until query.excludedTotal) if (query.excluded[i] < maskSize) mask.put(query.excluded[i], value)
        for (i in 0 until query.dislikedTotal) if (query.disliked[i] < maskSize) mask.put(query.disliked[i], value)
    }

    /** Run on a query. Everything it leaves in the inputs is overwritten by the next one; the mask is reset. */
    fun ask(query: Query) {
        fill(query)
        mark(query, 1)
        try {
            run()
        } finally {
            mark(query, 0)
        }
    }

    fun run() {
        running(failedToRun) { model.run() }
    }

    override fun close() {
        model.close()
    }

    private inline fun <T> running(what: String, action: () -> T): T {
        try {
            return action()
        } catch (error: BundleException) {
            throw error
        } catch (
            @Suppress("TooGenericExceptionCaught") error: Exception,
        ) {
            refuse(ErrorCode.RUNTIME_FAILED, "$what: ${error.message}", error)
        } catch (error: LinkageError) {
            refuse(ErrorCode.RUNTIME_FAILED, "$what: ${error.message}", error)
        }
    }
}
