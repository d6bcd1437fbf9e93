package pocketrec.client

import java.nio.ByteBuffer

/**
 * Tokens and their ids: the id of a token is its line, counted from 0. Tokens are compared as exact code points: no case folding,
 * no Unicode normalisation, no trimming.
 *
 * @property size number of tokens; as an id it stands for every unknown token.
 */
public class Vocabulary internal constructor(internal val tokens: List<String>, internal val file: ByteBuffer) {
    private val ids = HashMap<String, Int>(tokens.size * 4 / 3 + 1)

    init {
        for ((id, token) in tokens.withIndex()) {
            if (ids.put(token, id) != null) refuse(ErrorCode.VOCABULARY_INVALID, "duplicate token '$token'")
        }
    }

    public val size: Int get() = tokens.size

    /** The token with an id. */
    public fun token(id: Int): String = tokens[id]

    /** The id of a token, or -1. Allocates nothing. */
    public fun indexOf(token: String): Int = ids[token] ?: -1

    /** Hexadecimal SHA-256 of the first `n` lines, newlines included. */
    internal fun prefixSha256(n: Int): String {
        val part = file.duplicate()
        var lines = 0
        var end = 0
        while (lines < n) if (part.get(end++) == NEWLINE) lines++
        part.limit(end)
        return sha256(part)
    }

    internal companion object {
        private const val NEWLINE = '\n'.code.toByte()

        /**
         * Read a vocabulary file: UTF-8, one token per line, every line ended by "\n" alone.
         *
         * @throws BundleException [ErrorCode.VOCABULARY_INVALID]
         */
        fun parse(data: ByteBuffer, name: String, size: Int): Vocabulary {
            val text =
                try {
                    decodeUtf8(data)
                } catch (error: JsonException) {
                    refuse(ErrorCode.VOCABULARY_INVALID, "$name: ${error.message}", error)
                }
            val tokens = ArrayList<String>(minOf(size, text.length))
            var start = 0
            while (start < text.length) {
                val end = text.indexOf('\n', start)
                if (end < 0) refuse(ErrorCode.VOCABULARY_INVALID, "$name: missing trailing newline")
                tokens.add(text.substring(start, end))
                start = end + 1
            }
            if (tokens.size != size) {
                refuse(ErrorCode.VOCABULARY_INVALID, "$name: ${tokens.size} tokens, the manifest says $size")
            }
            return Vocabulary(tokens, data)
        }
    }
}
