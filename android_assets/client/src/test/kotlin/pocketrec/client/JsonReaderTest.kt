package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import java.util.Random

class JsonReaderTest {
    private fun parse(text: String) = JsonReader.parse(ByteBuffer.wrap(text.toByteArray()))

    @Test
    fun `values of every kind`() {
        val found = parse(
            " {\"a\":[1,-2.5e+3,true,false,null,\"x\\n\\u00e9\\ud83c\\udfac\"],\"\":{}}\r\n\t",
        ) as Map<*, *>
        val list = found["a"] as List<*>
        assertEquals(listOf("1", "-2.5e+3"), list.take(2).map { (it as JsonNumber).text })
        assertEquals(listOf(true, false, null, "x\né🎬"), list.drop(2))
        assertEquals(emptyMap<String, Any>(), found[""])
    }

    @Test
    fun `what is not strict JSON is refused`() {
        val texts =
            listOf(
                "", " ", "{", "[1,]", "{\"a\":1,}", "[1 2]", "{\"a\" 1}", "{a:1}", "'a'", "NaN", "Infinity",
                "-Infinity", "01", "1.", ".5", "+1", "1e",
                "0x1", "--1", "\"\t\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a", "\"\\ud800\"",
                "\"\\udc00\"", "\"\\ud800x\"", "[1]]", "1 2",
                "tru", "True", "{\"a\":1,\"a\":2}", "\ufeff{}", "[1]//",
                "1".repeat(41), "9223372036854775808", "-9223372036854775809", "1e999", "[-1e309]",
                "[".repeat(33) + "]".repeat(33),
            )
        for (text in texts) assertThrows(JsonException::class.java, { parse(text) }, text)
    }

    @Test
    fun `levels up to the limit are accepted`() {
        parse("[".repeat(JsonReader.MAX_DEPTH) + "]".repeat(JsonReader.MAX_DEPTH))
    }

    @Test
    fun `numbers up to the limits are accepted`() {
        for (text in listOf("9223372036854775807", "-9223372036854775808", "-0", "1.7976931348623157e308", "1e-999")) {
            assertEquals(text, (parse(text) as JsonNumber).text)
        }
    }

    @Test
    fun `bytes that are not UTF-8 are refused`() {
        val bad =
            listOf(
                byteArrayOf(0x22, -1, 0x22),
                byteArrayOf(0x22, -0x40, -0x80, 0x22),
                byteArrayOf(0x22, -0x13, -0x60, -0x80, 0x22),
                byteArrayOf(0x22, -0x3d, 0x22),
            )
        for (bytes in bad) assertThrows(JsonException::class.java) { JsonReader.parse(ByteBuffer.wrap(bytes)) }
    }

    @Test
    fun `changed bytes give a value or a JsonException, nothing else`() {
        val text = "{\"a\":[1,-2.5e+3,true,null,\"x\\n\\u00e9\"],\"b\":{\"c\":\"é\"}}".toByteArray()
        val random = Random(2)
        repeat(20_000) {
            val changed = text.copyOf(1 + random.nextInt(text.size))
            repeat(1 + random.nextInt(3)) { changed[random.nextInt(changed.size)] = random.nextInt(256).toByte() }
            try {
                JsonReader.parse(ByteBuffer.wrap(changed))
            } catch (_: JsonException) {
            }
        }
    }
}
