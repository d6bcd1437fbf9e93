package pocketrec.client

import java.nio.ByteBuffer

/** Fields of a JSON object by type. Every method throws [JsonException] when the field is missing or of another type. */
internal class JsonFields(private val fields: Map<*, *>, private val where: String) {
    private fun fail(name: String, expected: String): Nothing = throw JsonException("$where.$name: expected $expected")

    private fun value(name: String): Any? = if (name in fields) fields[name] else fail(name, "a value, got none")

    /** Whether a field is null. It must be present all the same. */
    fun isNull(name: String): Boolean = value(name) == null

    fun string(name: String): String = value(name) as? String ?: fail(name, "a string")

    fun stringOrNull(name: String): String? = if (isNull(name)) null else string(name)

    /** A string that matches as a whole. */
    fun text(name: String, form: Regex): String =
        string(name).also { if (!form.matches(it)) fail(name, "a string of the form ${form.pattern}") }

    fun textOrNull(name: String, form: Regex): String? = if (isNull(name)) null else text(name, form)

    fun choice(name: String, choices: Set<String>): String =
        string(name).also { if (it !in choices) fail(name, "one of ${choices.joinToString()}") }

    /** The number as it is written. */
    fun token(name: String): String = (value(name) as? JsonNumber)?.text ?: fail(name, "a number")

    fun long(name: String, range: LongRange): Long =
        whole(token(name), range) ?: fail(name, "a whole number from ${range.first} to ${range.last}")

    fun int(name: String, range: LongRange = 0L..Int.MAX_VALUE): Int = long(name, range).toInt()

    fun float(name: String): Float = finite(value(name)) ?: fail(name, "a finite number")

    fun number(name: String, range: ClosedRange<Double>): Double =
        token(name).toDouble().also { if (it !in range) fail(name, "a number in $range") }

    fun list(name: String, most: Int = Int.MAX_VALUE): List<*> {
        val found = value(name) as? List<*> ?: fail(name, "a list")
        return if (found.size <= most) found else fail(name, "at most $most elements")
    }

    fun strings(name: String): List<String> = list(name).map { it as? String ?: fail(name, "a list of strings") }

    fun ints(name: String, range: LongRange = 0L..Int.MAX_VALUE, most: Int = Int.MAX_VALUE): List<Int> =
        list(name, most).map { element ->
            val number = (element as? JsonNumber)?.let { whole(it.text, range) }
            number?.toInt() ?: fail(name, "a list of whole numbers from ${range.first} to ${range.last}")
        }

    fun floats(name: String): List<Float> = list(name).map { finite(it) ?: fail(name, "a list of finite numbers") }

    fun numbers(name: String, range: ClosedRange<Double>): List<Double> = list(name).map { element ->
        val number = (element as? JsonNumber)?.text?.toDouble()
        number?.takeIf { it in range } ?: fail(name, "a list of numbers in $range")
    }

    fun objects(name: String, most: Int = Int.MAX_VALUE): List<JsonFields> =
        list(name, most).mapIndexed { i, row -> of(row, "$where.$name[$i]") }

    fun obj(name: String): JsonFields = of(value(name), "$where.$name")

    fun objOrNull(name: String): JsonFields? = if (isNull(name)) null else obj(name)

    /** An object, or null where the field is null or missing. */
    fun objOrMissing(name: String): JsonFields? = if (fields[name] == null) null else obj(name)

    fun names(): Set<String> = fields.keys.mapTo(LinkedHashSet()) { it as String }

    companion object {
        fun of(value: Any?, where: String): JsonFields =
            JsonFields(value as? Map<*, *> ?: throw JsonException("$where: expected an object"), where)

        fun finite(value: Any?): Float? = (value as? JsonNumber)?.text?.toFloat()?.takeIf { it.isFinite() }

        private fun whole(text: String, range: LongRange): Long? = text.toLongOrNull()?.takeIf { it in range }

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
