package pocketrec.client

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The vectors of a split bundle, one row an item: int8 or float32 `[n, d]`.
 *
 * @param data the .npy file (NumPy format 1.0, C order, little endian).
 */
internal class Candidates(data: ByteBuffer, entry: CandidatesEntry) {
    val n = entry.n
    val d = entry.d
    private val isInt8 = entry.dtype == "int8"
    private val scale = if (isInt8) entry.scale.toFloat() else 1f
    private val rows = body(data, entry).order(ByteOrder.LITTLE_ENDIAN)
    private val floats = rows.asFloatBuffer()
    private val block = maxOf(1, BLOCK_VALUES / d)
    private val someBytes = ByteArray(if (isInt8) block * d else 0)
    private val someFloats = FloatArray(if (isInt8) 0 else block * d)

    /** Scores of rows `from` until at most `from + block`, into `scores`; returns how many. Not thread-safe. */
    fun score(from: Int, query: FloatArray, scores: FloatArray): Int {
        val count = minOf(block, n - from)
        if (isInt8) {
            rows.position(from * d)
            rows.get(someBytes, 0, count * d)
            for (row in 0 until count) scores[row] = scale * dotBytes(query, row * d)
        } else {
            floats.position(from * d)
            floats.get(someFloats, 0, count * d)
            for (row in 0 until count) scores[row] = dotFloats(query, row * d)
        }
        return count
    }

    /** Rows that one call of [score] looks at. */
    val blockRows: Int get() = block

    // Four sums, so that additions do not wait for each other.
    private fun dotBytes(query: FloatArray, at: Int): Float {
        var a = 0f
        var b = 0f
        var c = 0f
        var e = 0f
        var j = 0
        while (j + 3 < d) {
            a += query[j] * someBytes[at + j]
            b += query[j + 1] * someBytes[at + j + 1]
            c += query[j + 2] * someBytes[at + j + 2]
            e += query[j + 3] * someBytes[at + j + 3]
            j += 4
        }
        while (j < d) a += query[j] * someBytes[at + j++]
        return (a + b) + (c + e)
    }

    private fun dotFloats(query: FloatArray, at: Int): Float {
        var a = 0f
        var b = 0f
        var c = 0f
        var e = 0f
        var j = 0
        while (j + 3 < d) {
            a += query[j] * someFloats[at + j]
            b += query[j + 1] * someFloats[at + j + 1]
            c += query[j + 2] * someFloats[at + j + 2]
            e += query[j + 3] * someFloats[at + j + 3]
            j += 4
        }
        while (j < d) a += query[j] * someFloats[at + j++]
        return (a + b) + (c + e)
    }

    companion object {
        private const val BLOCK_VALUES = 1 shl 14
        private val MAGIC =
            byteArrayOf(
                0x93.toByte(),
                'N'.code.toByte(),
                'U'.code.toByte(),
                'M'.code.toByte(),
                'P'.code.toByte(),
                'Y'.code.toByte(),
                1,
                0,
            )

        /** The rows of a .npy file, checked against what the manifest declares. */
        fun body(data: ByteBuffer, entry: CandidatesEntry): ByteBuffer {
            val file = data.duplicate().order(ByteOrder.LITTLE_ENDIAN)
            if (file.limit() < 10 ||
                MAGIC.indices.any { file.get(it) != MAGIC[it] }
            ) {
                fail("no NumPy file of format 1.0")
            }
            val start = 10 + (file.getShort(8).toInt() and 0xffff)
            val descr = if (entry.dtype == "int8") "|i1" else "<f4"
            val bytes = entry.n.toLong() * entry.d * (if (entry.dtype == "int8") 1 else 4)
            if (file.limit().toLong() != start + bytes) fail("${file.limit()} bytes, expected ${start + bytes}")
            file.limit(start)
            file.position(10)
            val expected = "{'descr': '$descr', 'fortran_order': False, 'shape': (${entry.n}, ${entry.d}), }"
            val header = Charsets.ISO_8859_1.decode(file).toString().trim()
            if (header != expected) fail("header $header, expected $expected")
            file.limit(data.limit())
            file.position(start)
            return file.slice()
        }

        private fun fail(what: String): Nothing = refuse(ErrorCode.CANDIDATES_INVALID, what)
    }
}
