package pocketrec.client

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The item vectors of a split bundle, one row per item: int8 or float32 `[n, d]`. Not thread-safe.
 *
 * @param data the .npy file (NumPy format 1.0, C order, little endian).
 */
internal class Candidates(data: ByteBuffer, entry: CandidatesEntry) {
    val n = entry.n
    val d = entry.d

    /** The most rows that one call of [score] reads. */
    val blockRows = maxOf(1, BLOCK_VALUES / d)
    private val isInt8 = entry.dtype == "int8"
    private val scale = entry.scale?.toFloat() ?: 1f
    private val rows = body(data, entry).order(ByteOrder.LITTLE_ENDIAN)
    private val floatRows = rows.asFloatBuffer()
    private val bytes = ByteArray(if (isInt8) blockRows * d else 0)
    private val floats = FloatArray(if (isInt8) 0 else blockRows * d)

    /** Write the scores of up to [blockRows] rows, beginning at row `from`, into `scores`; returns how many. */
    fun score(from: Int, query: FloatArray, scores: FloatArray): Int {
        val count = minOf(blockRows, n - from)
        if (isInt8) {
            rows.position(from * d)
            rows.get(bytes, 0, count * d)
            for (row in 0 until count) scores[row] = scale * dot(query, row * d) { bytes[it].toFloat() }
        } else {
            floatRows.position(from * d)
            floatRows.get(floats, 0, count * d)
            for (row in 0 until count) scores[row] = dot(query, row * d) { floats[it] }
        }
        return count
    }

    /** The score of one row. */
    fun score(row: Int, query: FloatArray): Float {
        if (isInt8) {
            rows.position(row * d)
            rows.get(bytes, 0, d)
            return scale * dot(query, 0) { bytes[it].toFloat() }
        }
        floatRows.position(row * d)
        floatRows.get(floats, 0, d)
        return dot(query, 0) { floats[it] }
    }

    companion object {
        private const val BLOCK_VALUES = 1 shl 14
        private const val HEADER = 10 // bytes before the header's text: magic, version, its length
        private val MAGIC = "\u0093NUMPY\u0001\u0000".toByteArray(Charsets.ISO_8859_1)

        /** The rows of a .npy file, checked against what the manifest declares. */
        fun body(data: ByteBuffer, entry: CandidatesEntry): ByteBuffer {
            val file = data.duplicate().order(ByteOrder.LITTLE_ENDIAN)
            val isNumPy = file.limit() >= HEADER && MAGIC.indices.all { file.get(it) == MAGIC[it] }
            if (!isNumPy) fail("not a NumPy file of format 1.0")
            val start = HEADER + (file.getShort(MAGIC.size).toInt() and 0xffff)
            val expected = start + entry.n.toLong() * entry.d * bytesOf(entry.dtype)
            if (file.limit().toLong() != expected) fail("${file.limit()} bytes, expected $expected")
            checkHeader(file, start, entry)
            file.limit(data.limit())
            file.position(start)
            return file.slice()
        }

        private fun checkHeader(file: ByteBuffer, end: Int, entry: CandidatesEntry) {
            file.limit(end)
            file.position(HEADER)
            val header = Charsets.ISO_8859_1.decode(file).toString().trim()
            val descr = if (entry.dtype == "int8") "|i1" else "<f4"
            val expected = "{'descr': '$descr', 'fortran_order': False, 'shape': (${entry.n}, ${entry.d}), }"
            if (header != expected) fail("header $header, expected $expected")
        }

        private fun fail(what: String): Nothing = refuse(ErrorCode.CANDIDATES_INVALID, what)
    }
}

/**
 * Dot product of `query` and the row whose values begin at `at`. Four sums, so that additions do not wait for each other; inline, so
 * that either dtype has a loop of its own without a call per value.
 */
private inline fun dot(query: FloatArray, at: Int, value: (Int) -> Float): Float {
    val d = query.size
    var a = 0f
    var b = 0f
    var c = 0f
    var e = 0f
    var j = 0
    while (j + 3 < d) {
        a += query[j] * value(at + j)
        b += query[j + 1] * value(at + j + 1)
        c += query[j + 2] * value(at + j + 2)
        e += query[j + 3] * value(at + j + 3)
        j += 4
    }
    while (j < d) a += query[j] * value(at + j++)
    return (a + b) + (c + e)
}
