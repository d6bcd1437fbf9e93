package pocketrec.client

import java.nio.ByteBuffer

/** Fields of a JSON object by type. Every method throws [JsonException] when the field is missing or of another type. */
internal class JsonFields(private val fields: Map<*, *>, private val where: String) {
    private fun fail(name: String, expected: String): Nothing = throw JsonException("$where.$name: expected $expected")

    fun isNull(name: String): Boolean = fields[name] == null

    fun string(name: String): String = fields[name] as? String ?: fail(name, "a string")

    fun stringOrNull(name: String): String? = if (isNull(name)) null else string(name)

    /** The number as it is written. */
    fun token(name: String): String = (fields[name] as? JsonNumber)?.text ?: fail(name, "a number")

    fun long(name: String, range: LongRange): Long {
        val value = token(name).toLongOrNull() ?: fail(name, "a whole number")
        return if (value in range) value else fail(name, "a whole number from ${range.first} to ${range.last}")
    }

    fun int(name: String, range: LongRange = 0L..Int.MAX_VALUE): Int = long(name, range).toInt()

    fun float(name: String): Float = finite(fields[name]) ?: fail(name, "a finite number")

    fun list(name: String): List<*> = fields[name] as? List<*> ?: fail(name, "a list")

    fun strings(name: String): List<String> = list(name).map { it as? String ?: fail(name, "a list of strings") }

    fun ints(name: String): List<Int> = list(name).map {
        (it as? JsonNumber)?.text?.toIntOrNull()
            ?: fail(name, "a list of whole numbers")
    }

    fun floats(name: String): List<Float> = list(name).map { finite(it) ?: fail(name, "a list of finite numbers") }

    fun objects(name: String): List<JsonFields> = list(name).mapIndexed { i, row -> of(row, "$where.$name[$i]") }

    fun obj(name: String): JsonFields = of(fields[name], "$where.$name")

    fun objOrNull(name: String): JsonFields? = if (isNull(name)) null else obj(name)

    fun names(): Set<String> = fields.keys.mapTo(LinkedHashSet()) { it as String }

    companion object {
        fun of(value: Any?, where: String): JsonFields =
            JsonFields(value as? Map<*, *> ?: throw JsonException("$where: expected an object"), where)

        fun finite(value: Any?): Float? = (value as? JsonNumber)?.text?.toFloat()?.takeIf { it.isFinite() }

        /** Read JSON and make something of it; whatever is wrong with it is refused with `code`. */
        inline fun <T> read(data: ByteBuffer, code: ErrorCode, what: String, make: (Any?) -> T): T {
            try {
                return make(JsonReader.parse(data))
            } catch (error: JsonException) {
                refuse(code, "$what: ${error.message}", error)
            }
        }
    }
}
