package pocketrec.client

import java.math.BigDecimal
import java.math.MathContext
import java.nio.ByteBuffer
import kotlin.math.abs

/** The hash of everything that must be of one release: vocabularies, items, candidates, models and their ports. */
internal object Contract {
    // A double needs no more.
    private const val MAX_DIGITS = 17
    private val PLAIN_EXPONENTS = -4..15

    fun sha256Of(manifest: Manifest, hashes: (path: String) -> String, items: Items): String {
        val text = StringBuilder("pocketrec.contract/1\n")
        for (row in manifest.vocabularies.values.sortedBy { it.name }) {
            text.append("vocabulary ${row.name} ${hashes(row.file)} ${row.size} ${row.size}\n")
        }
        val ids = StringBuilder()
        for (item in items.all) ids.append(item.id).append('\n')
        text.append("items ${sha256(utf8(ids))}\n")
        manifest.candidates?.let {
            val scale = it.scale?.let(::shortest) ?: "-"
            text.append("candidates ${hashes(it.file)} ${it.dtype} ${it.n}x${it.d} $scale\n")
        }
        for (model in manifest.models.values.sortedBy { it.graph }) {
            text.append("model ${model.graph} ${model.recipe} ${hashes(model.file)}\n")
            for (port in model.inputs) text.append("input ${line(port)}\n")
            for (port in model.outputs) text.append("output ${line(port)}\n")
            for ((name, rows) in model.rows.toSortedMap()) text.append("rows $name $rows\n")
        }
        return sha256(utf8(text))
    }

    /**
     * The shortest decimal that reads back as this positive number, as Python's `repr` writes it, so that a number has one text
     * however the manifest writes it. `Double.toString` is not always the shortest on Android.
     */
    fun shortest(number: Double): String {
        val exact = BigDecimal(number)
        val rounded = (1..MAX_DIGITS).map { exact.round(MathContext(it)) }.first { it.toDouble() == number }
        val decimal = rounded.stripTrailingZeros()
        val exponent = decimal.precision() - decimal.scale() - 1
        if (exponent in PLAIN_EXPONENTS) return decimal.setScale(maxOf(1, decimal.scale())).toPlainString()
        val digits = decimal.unscaledValue().toString()
        val mantissa = if (digits.length == 1) digits else "${digits[0]}.${digits.substring(1)}"
        val sign = if (exponent < 0) '-' else '+'
        return "${mantissa}e$sign${abs(exponent).toString().padStart(2, '0')}"
    }

    private fun line(port: Port) = "${port.name} ${port.dtype} ${port.shape.joinToString("x")}"

    private fun utf8(text: CharSequence): ByteBuffer = ByteBuffer.wrap(text.toString().toByteArray(Charsets.UTF_8))
}
