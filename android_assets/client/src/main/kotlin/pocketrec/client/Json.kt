package pocketrec.client

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

/** A number as it is written, so that nothing is lost before its type is known. */
internal class JsonNumber(val text: String)

internal class JsonException(message: String) : Exception(message)

/** Strict UTF-8: malformed, overlong and surrogate sequences are refused, as Python's decoder does. */
internal fun decodeUtf8(data: ByteBuffer): String {
    val decoder =
        Charsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT)
    try {
        return decoder.decode(data.duplicate()).toString()
    } catch (error: CharacterCodingException) {
        throw JsonException("not UTF-8 (${error.message})")
    }
}

/**
 * A strict JSON reader (RFC 8259): no duplicate keys, no NaN or Infinity, no unpaired surrogates, nothing after the value, at most
 * [MAX_DEPTH] levels, whole numbers of 64 bits, fractions that a double holds. Objects become `Map`, arrays `List`, numbers
 * [JsonNumber].
 *
 * Written here because Android's `org.json` accepts duplicate keys, NaN and text after the value, and is not on a desktop JVM;
 * and because a library would be the client's only dependency besides the runtime. docs/decisions has the numbers.
 */
internal class JsonReader private constructor(private val text: String) {
    private var at = 0

    private fun fail(what: String): Nothing = throw JsonException("$what at character $at")

    private fun peek(): Char = if (at < text.length) text[at] else fail("unexpected end")

    private fun skipSpace() {
        while (at < text.length && text[at].let { it == ' ' || it == '\n' || it == '\r' || it == '\t' }) at++
    }

    private fun expect(char: Char) {
        if (peek() != char) fail("expected '$char'")
        at++
    }

    private fun word(word: String, value: Any?): Any? {
        if (!text.startsWith(word, at)) fail("unexpected character")
        at += word.length
        return value
    }

    private fun value(depth: Int): Any? {
        if (depth > MAX_DEPTH) fail("more than $MAX_DEPTH levels")
        skipSpace()
        return when (peek()) {
            '{' -> objectAt(depth)
            '[' -> arrayAt(depth)
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun objectAt(depth: Int): Map<String, Any?> {
        val found = LinkedHashMap<String, Any?>()
        members('{', '}') {
            skipSpace()
            val key = string()
            skipSpace()
            expect(':')
            if (key in found) fail("duplicate key '$key'")
            found[key] = value(depth + 1)
        }
        return found
    }

    private fun arrayAt(depth: Int): List<Any?> {
        val found = ArrayList<Any?>()
        members('[', ']') { found.add(value(depth + 1)) }
        return found
    }

    private inline fun members(open: Char, close: Char, member: () -> Unit) {
        expect(open)
        skipSpace()
        if (peek() == close) {
            at++
            return
        }
        while (true) {
            member()
            skipSpace()
            if (peek() == close) break
            expect(',')
        }
        at++
    }

    private fun string(): String {
        expect('"')
        val start = at
        while (peek() != '"' && text[at] != '\\' && text[at] >= ' ') at++
        if (text[at] == '"') return text.substring(start, at++)
        val out = StringBuilder(text.substring(start, at))
        while (peek() != '"') {
            val char = text[at++]
            if (char < ' ') fail("control character in a string")
            out.append(if (char == '\\') escape() else char)
        }
        at++
        checkSurrogates(out)
        return out.toString()
    }

    private fun escape(): Char {
        val char = peek()
        at++
        return when (char) {
            '"', '\\', '/' -> char
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> hex()
            else -> fail("unknown escape")
        }
    }

    private fun hex(): Char {
        if (at + 4 > text.length) fail("unexpected end")
        var code = 0
        repeat(4) {
            val digit = HEX.indexOf(text[at++].lowercaseChar())
            if (digit < 0) fail("not a hexadecimal digit")
            code = code * 16 + digit
        }
        return code.toChar()
    }

    private fun checkSurrogates(out: CharSequence) {
        var i = 0
        while (i < out.length) {
            val char = out[i++]
            if (char.isLowSurrogate()) fail("unpaired surrogate")
            if (char.isHighSurrogate()) {
                val isPaired = i < out.length && out[i++].isLowSurrogate()
                if (!isPaired) fail("unpaired surrogate")
            }
        }
    }

    private fun number(): JsonNumber {
        val start = at
        while (at < text.length && text[at] in NUMBER_CHARS) at++
        val found = text.substring(start, at)
        if (found.length > MAX_NUMBER || !NUMBER.matches(found)) {
            at = start
            fail("unexpected character")
        }
        if (!isInRange(found)) fail("number out of range")
        return JsonNumber(found)
    }

    private fun isInRange(number: String): Boolean {
        val isWhole = number.none { it in ".eE" }
        return if (isWhole) number.toLongOrNull() != null else number.toDouble().isFinite()
    }

    companion object {
        const val MAX_DEPTH: Int = 32
        private const val MAX_NUMBER = 40
        private const val HEX = "0123456789abcdef"
        private const val NUMBER_CHARS = "+-.0123456789eE"
        private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")

        /** The value of a JSON text. @throws JsonException the text is not strict JSON. */
        fun parse(data: ByteBuffer): Any? {
            val reader = JsonReader(decodeUtf8(data))
            val found = reader.value(1)
            reader.skipSpace()
            if (reader.at != reader.text.length) reader.fail("text after the value")
            return found
        }
    }
}
