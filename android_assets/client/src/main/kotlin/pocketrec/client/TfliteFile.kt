package pocketrec.client

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * What a .tflite file declares, read without a runtime: the ports of its first signature, and its metadata.
 *
 * A flatbuffer reader for the few tables needed (field numbers: schema.fbs of TensorFlow Lite, version 3). The buffer checks every
 * access against the bounds of the file; the length of a vector is checked before it is used.
 */
internal class TfliteFile(file: ByteBuffer) {
    private val data = file.duplicate().order(ByteOrder.LITTLE_ENDIAN)
    private val model: Int
    val inputs: List<Port>
    val outputs: List<Port>

    init {
        try {
            if (!hasIdentifier()) fail("not a TFL3 file")
            model = reference(0)
            val signature = vector(model, MODEL_SIGNATURES).firstOrNull()?.let { reference(it) } ?: fail("no signature")
            val subgraphs = vector(model, MODEL_SUBGRAPHS)
            val graph = subgraphs.elementAtOrNull(int(signature, SIGNATURE_GRAPH)) ?: fail("no such subgraph")
            val tensors = vector(reference(graph), GRAPH_TENSORS)
            inputs = ports(signature, SIGNATURE_INPUTS, tensors)
            outputs = ports(signature, SIGNATURE_OUTPUTS, tensors)
        } catch (error: IndexOutOfBoundsException) {
            refuse(ErrorCode.MODEL_INVALID, "the flatbuffer points outside the file", error)
        } catch (error: JsonException) {
            refuse(ErrorCode.MODEL_INVALID, "${error.message}", error)
        }
    }

    private fun hasIdentifier(): Boolean =
        data.limit() >= 8 && IDENTIFIER.indices.all { data.get(4 + it).toInt() == IDENTIFIER[it].code }

    /** The text stored under a metadata name, or null. */
    fun metadata(name: String): String? {
        try {
            val found = vector(model, MODEL_METADATA).map { reference(it) }.filter { text(it, METADATA_NAME) == name }
            if (found.isEmpty()) return null
            if (found.size > 1) fail("duplicate metadata '$name'")
            val buffers = vector(model, MODEL_BUFFERS)
            val buffer = buffers.elementAtOrNull(int(found[0], METADATA_BUFFER)) ?: fail("no such buffer")
            return text(reference(buffer), BUFFER_DATA)
        } catch (error: IndexOutOfBoundsException) {
            refuse(ErrorCode.MODEL_INVALID, "the flatbuffer points outside the file", error)
        } catch (error: JsonException) {
            refuse(ErrorCode.MODEL_INVALID, "metadata: ${error.message}", error)
        }
    }

    private fun fail(what: String): Nothing = refuse(ErrorCode.MODEL_INVALID, what)

    private fun ports(signature: Int, field: Int, tensors: IntProgression): List<Port> =
        vector(signature, field).map { entry ->
            val map = reference(entry)
            val tensor = tensors.elementAtOrNull(int(map, MAP_TENSOR)) ?: fail("no such tensor")
            port(text(map, MAP_NAME), reference(tensor))
        }

    private fun port(name: String, tensor: Int): Port {
        val type = field(tensor, TENSOR_TYPE).let { if (it == 0) 0 else data.get(it).toInt() }
        val signature = vector(tensor, TENSOR_SHAPE_SIGNATURE)
        val shape = if (field(tensor, TENSOR_SHAPE_SIGNATURE) != 0) signature else vector(tensor, TENSOR_SHAPE)
        return Port(name, TYPES.getOrNull(type) ?: fail("tensor type $type"), shape.map { data.getInt(it) })
    }

    /** Position of the object that the offset at `at` points to. */
    private fun reference(at: Int): Int {
        val offset = data.getInt(at)
        if (offset <= 0 || offset > data.limit() - at) fail("an offset that points outside the file")
        return at + offset
    }

    /** Position of a field of a table; 0 if it is not stored. */
    private fun field(table: Int, number: Int): Int {
        val vtable = table - data.getInt(table)
        val entry = 4 + 2 * number
        if (entry + 2 > (data.getShort(vtable).toInt() and 0xffff)) return 0
        val offset = data.getShort(vtable + entry).toInt() and 0xffff
        return if (offset == 0) 0 else table + offset
    }

    private fun int(table: Int, number: Int): Int = field(table, number).let { if (it == 0) 0 else data.getInt(it) }

    /** Positions of the elements of a vector, each `width` bytes. */
    private fun vector(table: Int, number: Int, width: Int = 4): IntProgression {
        val at = field(table, number)
        if (at == 0) return IntRange.EMPTY
        val start = reference(at)
        val n = data.getInt(start)
        if (n < 0 || n > (data.limit() - start - 4) / width) fail("a vector longer than the file")
        return start + 4 until start + 4 + n * width step width
    }

    private fun IntProgression.elementAtOrNull(index: Int): Int? {
        val isInside = index in 0 until count()
        return if (isInside) first + index * step else null
    }

    private fun IntProgression.count(): Int = if (isEmpty()) 0 else (last - first) / step + 1

    private fun text(table: Int, number: Int): String {
        val bytes = vector(table, number, 1)
        if (bytes.isEmpty()) return ""
        val part = data.duplicate()
        part.limit(bytes.last + 1)
        part.position(bytes.first)
        return decodeUtf8(part)
    }

    private companion object {
        const val IDENTIFIER = "TFL3"
        const val MODEL_SUBGRAPHS = 2
        const val MODEL_BUFFERS = 4
        const val MODEL_METADATA = 6
        const val MODEL_SIGNATURES = 7
        const val GRAPH_TENSORS = 0
        const val TENSOR_SHAPE = 0
        const val TENSOR_TYPE = 1
        const val TENSOR_SHAPE_SIGNATURE = 7
        const val METADATA_NAME = 0
        const val METADATA_BUFFER = 1
        const val BUFFER_DATA = 0
        const val SIGNATURE_INPUTS = 0
        const val SIGNATURE_OUTPUTS = 1
        const val SIGNATURE_GRAPH = 4
        const val MAP_NAME = 0
        const val MAP_TENSOR = 1

        // In the order of the enum TensorType.
        val TYPES = (
            "float32 float16 int32 uint8 int64 string bool int16 complex64 int8 " +
                "float64 complex128 uint64 resource variant uint32 uint16 int4"
            ).split(' ')
    }
}
