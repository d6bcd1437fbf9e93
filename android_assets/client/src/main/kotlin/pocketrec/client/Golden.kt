package pocketrec.client

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import kotlin.math.abs

/**
 * What a replay of golden vectors and queries found.
 *
 * @property failures a line each, empty when all is as it was when the bundle was made.
 */
public class GoldenReport(public val vectors: Int, public val queries: Int, public val failures: List<String>)

/** golden.json: tensors of each model, and questions in tokens with their answers. */
internal class Golden(private val verified: VerifiedBundle) {
    private val failures = ArrayList<String>()

    fun replay(bundle: RecommenderBundle, runtime: ModelRuntime): GoldenReport = JsonFields.read(
        verified.files.getValue(verified.manifest.golden),
        ErrorCode.GOLDEN_INVALID,
        "golden.json",
    ) { value ->
        val fields = JsonFields.of(value, "golden")
        if (fields.string("schema") != SCHEMA) throw JsonException("schema: expected $SCHEMA")
        val vectors = fields.objects("vectors")
        val queries = fields.objects("queries")
        val covered = vectors.mapTo(HashSet()) { it.string("model") }
        val models = verified.manifest.models.values
        if (covered !=
            models.mapTo(HashSet()) { it.file }
        ) {
            throw JsonException("vectors: not of the bundle's models")
        }
        for (entry in models) replayModel(entry, runtime, vectors.filter { it.string("model") == entry.file })
        queries.forEachIndexed { number, row ->
            compareQuery(bundle, row)?.let { failures.add("query $number: $it") }
        }
        GoldenReport(vectors.size, queries.size, failures)
    }

    private fun replayModel(entry: ModelEntry, runtime: ModelRuntime, vectors: List<JsonFields>) {
        LoadedModel(runtime, entry, verified.files.getValue(entry.file), 1).use { model ->
            vectors.forEachIndexed { number, vector ->
                val reason = compareVector(entry, model, vector)
                if (reason != null) failures.add("vector $number of ${entry.file}: $reason")
            }
        }
    }

    private fun compareVector(entry: ModelEntry, model: LoadedModel, vector: JsonFields): String? {
        val inputs = tensors(vector.obj("inputs"), entry.inputs)
        val free = entry.inputs.firstNotNullOfOrNull { port -> inputs.getValue(port.name).free(port) }
        if (free != null) model.resize(free)
        for ((name, tensor) in inputs) {
            val buffer = model.input(name)
            if (buffer.capacity() !=
                tensor.data.size
            ) {
                throw JsonException("input $name has ${tensor.data.size} bytes, expected ${buffer.capacity()}")
            }
            for (i in tensor.data.indices) buffer.put(i, tensor.data[i])
        }
        model.run()
        val tolerance = vector.float("tolerance")
        for ((name, expected) in tensors(vector.obj("outputs"), entry.outputs)) {
            expected.difference(model.output(name), tolerance)?.let { return "$name $it" }
        }
        return null
    }

    private fun tensors(fields: JsonFields, ports: List<Port>): Map<String, GoldenTensor> {
        if (fields.names() !=
            ports.mapTo(HashSet()) { it.name }
        ) {
            throw JsonException("tensors ${fields.names()}: not those of the model")
        }
        return ports.associate { it.name to GoldenTensor(fields.obj(it.name), it) }
    }

    private fun compareQuery(bundle: RecommenderBundle, row: JsonFields): String? {
        val history = row.list("history").map { rated(it) }
        val found = bundle.recommend(
            history,
            row.strings("preferences"),
            row.strings("genres"),
            row.int("top"),
            row.stringOrNull("user"),
        )
        val items = row.strings("items")
        val stars = if (row.isNull("stars")) null else row.floats("stars")
        val scores = row.floats("scores")
        if (found.size != items.size) return "${found.size} items instead of ${items.size}"
        val common = found.mapNotNull { one -> items.indexOf(one.item.id).takeIf { it >= 0 }?.let { it to one } }
        if (common.size < LEAST_OVERLAP * items.size) return "shares ${common.size} of ${items.size} items"
        val tolerance = row.float("tolerance")
        for ((at, one) in common) {
            if (abs(one.score - scores[at]) >
                tolerance
            ) {
                return "item ${one.item.id} scores ${one.score} instead of ${scores[at]}"
            }
            if ((one.stars == null) != (stars == null)) return "stars ${one.stars} instead of $stars"
            if (stars != null &&
                abs(one.stars!! - stars[at]) > tolerance
            ) {
                return "item ${one.item.id} has ${one.stars} stars instead of ${stars[at]}"
            }
        }
        return null
    }

    private fun rated(entry: Any?): Rated {
        val pair = entry as? List<*>
        val id = pair?.getOrNull(0) as? String
        if (id == null || pair.size != 2) throw JsonException("history: expected [id, stars]")
        return Rated(
            id,
            pair[1]?.let {
                JsonFields.finite(it)
                    ?: throw JsonException("history: expected a number of stars")
            },
        )
    }

    private companion object {
        const val SCHEMA = "pocketrec.golden/1"
    }
}

// Ids may change places among scores closer than the tolerance; this share of them must still be the same set (golden.py).
private const val LEAST_OVERLAP = 0.9

private class GoldenTensor(fields: JsonFields, private val port: Port) {
    private val shape = fields.ints("shape")
    val data: ByteArray =
        try {
            Base64.getDecoder().decode(fields.string("base64"))
        } catch (error: IllegalArgumentException) {
            throw JsonException("${port.name}: not base64 (${error.message})")
        }

    init {
        val fits =
            shape.size == port.shape.size &&
                shape.indices.all { port.shape[it] == shape[it] || (port.shape[it] == -1 && shape[it] > 0) }
        if (fields.string("dtype") != port.dtype ||
            !fits
        ) {
            throw JsonException("${port.name}: not the model's type or shape")
        }
        if (data.size.toLong() !=
            shape.fold(bytesOf(port.dtype).toLong()) { size, dim -> size * dim }
        ) {
            throw JsonException("${port.name}: ${data.size} bytes")
        }
    }

    /** What this tensor has in the port's free dimension, or null where none is free. */
    fun free(port: Port): Int? = port.shape.indexOf(-1).let { if (it < 0) null else shape[it] }

    /** Why `got` is not this; null when it is: ids as a set, floats within `tolerance`, anything else exactly. */
    fun difference(got: ByteBuffer, tolerance: Float): String? {
        val wanted = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
        if (got.capacity() != data.size) return "has ${got.capacity()} bytes instead of ${data.size}"
        val n = data.size / bytesOf(port.dtype)
        return when (port.dtype) {
            "float32" -> (0 until n).firstNotNullOfOrNull {
                far(it, wanted.getFloat(4 * it), got.getFloat(4 * it), tolerance)
            }
            "int32" -> {
                val ids = (0 until n).mapTo(HashSet()) { wanted.getInt(4 * it) }
                val shared = (0 until n).mapTo(HashSet()) { got.getInt(4 * it) }.count { it in ids }
                if (shared < LEAST_OVERLAP * ids.size) "shares $shared of ${ids.size} ids" else null
            }
            else -> if (data.indices.all { got.get(it) == data[it] }) null else "differs"
        }
    }

    private fun far(at: Int, wanted: Float, got: Float, tolerance: Float): String? {
        val bothMasked = wanted < MASKED_BELOW && got < MASKED_BELOW
        return if (bothMasked || abs(wanted - got) <= tolerance) null else "[$at] is $got instead of $wanted"
    }
}
