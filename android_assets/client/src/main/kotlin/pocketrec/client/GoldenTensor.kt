package pocketrec.client

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import kotlin.math.abs

/** The expected contents of a port: {dtype, shape, base64}, little endian, row-major. */
internal class GoldenTensor(fields: JsonFields, private val port: Port) {
    private val shape = fields.ints("shape")
    private val data: ByteArray =
        try {
            Base64.getDecoder().decode(fields.string("base64"))
        } catch (error: IllegalArgumentException) {
            throw JsonException("${port.name}: not base64 (${error.message})")
        }

    init {
        val fits = fields.string("dtype") == port.dtype && fits(port.shape)
        if (!fits) throw JsonException("${port.name}: dtype or shape differs from the model's")
        val size = shape.fold(bytesOf(port.dtype).toLong()) { size, dimension -> size * dimension }
        if (data.size.toLong() != size) throw JsonException("${port.name}: ${data.size} bytes, expected $size")
    }

    private fun fits(declared: List<Int>): Boolean =
        shape.size == declared.size && shape.indices.all { fits(shape[it], declared[it]) }

    private fun fits(size: Int, declared: Int): Boolean = if (declared == -1) size > 0 else size == declared

    /** Size of the port's free dimension in this tensor, or null if it has none. */
    fun free(): Int? = shape.getOrNull(port.shape.indexOf(-1))

    fun writeTo(buffer: ByteBuffer) {
        if (buffer.capacity() != data.size) {
            throw JsonException("input ${port.name} has ${data.size} bytes, expected ${buffer.capacity()}")
        }
        for (i in data.indices) buffer.put(i, data[i])
    }

    /** Why `found` differs, or null if it does not: ids compared as a set, floats within `tolerance`, anything else exactly. */
    fun difference(found: ByteBuffer, tolerance: Float): String? {
        val expected = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
        if (found.capacity() != data.size) return "has ${found.capacity()} bytes, expected ${data.size}"
        return when (port.dtype) {
            "float32" -> floatDifference(expected, found, tolerance)
            "int32" -> idDifference(expected, found)
            else -> if (data.indices.all { found.get(it) == data[it] }) null else "differs"
        }
    }

    private fun floatDifference(expected: ByteBuffer, found: ByteBuffer, tolerance: Float): String? {
        for (i in 0 until data.size / Float.SIZE_BYTES) {
            val a = expected.getFloat(Float.SIZE_BYTES * i)
            val b = found.getFloat(Float.SIZE_BYTES * i)
            val bothMasked = a < MASKED_BELOW && b < MASKED_BELOW
            val isClose = bothMasked || abs(a - b) <= tolerance
            if (!isClose) return "[$i] is $b, expected $a"
        }
        return null
    }

    private fun idDifference(expected: ByteBuffer, found: ByteBuffer): String? {
        val wanted = idsOf(expected)
        val shared = idsOf(found).count { it in wanted }
        return if (shared < MIN_OVERLAP * wanted.size) "has $shared of ${wanted.size} ids" else null
    }

    private fun idsOf(buffer: ByteBuffer): Set<Int> =
        (0 until data.size / Int.SIZE_BYTES).mapTo(HashSet()) { buffer.getInt(Int.SIZE_BYTES * it) }
}
