package pocketrec.client

import kotlin.math.abs

/**
 * Result of a replay of golden vectors and queries.
 *
 * @property vectors number of golden vectors.
 * @property queries number of golden queries.
 * @property failures one line per failure; empty if this device answers as the bundle expects.
 */
public class GoldenReport(public val vectors: Int, public val queries: Int, public val failures: List<String>)

/** golden.json: inputs and outputs of each model, and whole queries with their answers. */
internal class Golden(private val verified: VerifiedBundle) {
    private val failures = ArrayList<String>()

    fun replay(bundle: RecommenderBundle, runtime: ModelRuntime): GoldenReport {
        val data = verified.files.getValue(verified.manifest.golden)
        return JsonFields.read(data, ErrorCode.GOLDEN_INVALID, "golden.json") { value ->
            val fields = JsonFields.of(value, "golden")
            if (fields.string("schema") != SCHEMA) throw JsonException("schema: expected $SCHEMA")
            val vectors = fields.objects("vectors")
            val queries = fields.objects("queries")
            replayModels(vectors.groupBy { it.string("model") }, runtime)
            queries.forEachIndexed { number, row ->
                compareQuery(bundle, row)?.let { failures.add("query $number: $it") }
            }
            GoldenReport(vectors.size, queries.size, failures)
        }
    }

    private fun replayModels(vectors: Map<String, List<JsonFields>>, runtime: ModelRuntime) {
        val models = verified.manifest.models.values.associateBy { it.file }
        if (vectors.keys != models.keys) throw JsonException("vectors: expected some for each model of the bundle")
        for ((file, model) in models) replayModel(model, runtime, vectors.getValue(file))
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
        val free = entry.inputs.firstNotNullOfOrNull { port -> inputs.getValue(port.name).free() }
        if (free != null) model.resize(free)
        for ((name, tensor) in inputs) tensor.writeTo(model.input(name))
        model.run()
        val tolerance = vector.float("tolerance")
        val outputs = tensors(vector.obj("outputs"), entry.outputs)
        return outputs.firstNotNullOfOrNull { (name, expected) ->
            expected.difference(model.output(name), tolerance)?.let { "$name $it" }
        }
    }

    private fun tensors(fields: JsonFields, ports: List<Port>): Map<String, GoldenTensor> {
        val names = ports.mapTo(HashSet()) { it.name }
        if (fields.names() != names) throw JsonException("tensors ${fields.names()}, expected $names")
        return ports.associate { it.name to GoldenTensor(fields.obj(it.name), it) }
    }

    private fun compareQuery(bundle: RecommenderBundle, row: JsonFields): String? {
        val found = bundle.recommend(
            row.list("history").map { rated(it) },
            row.strings("preferences"),
            row.strings("genres"),
            row.int("top"),
            row.stringOrNull("user"),
        )
        return GoldenAnswer(row).difference(found)
    }

    private fun rated(entry: Any?): Rated {
        val pair = entry as? List<*>
        val id = pair?.getOrNull(0) as? String
        if (id == null || pair.size != 2) throw JsonException("history: expected [id, rating]")
        val rating = pair[1] ?: return Rated(id)
        return Rated(id, JsonFields.finite(rating) ?: throw JsonException("history: expected a number or null"))
    }

    private companion object {
        const val SCHEMA = "pocketrec.golden/1"
    }
}

/** The expected answer of a golden query. */
private class GoldenAnswer(row: JsonFields) {
    private val items = row.strings("items")
    private val scores = row.floats("scores")
    private val ratings = if (row.isNull("stars")) null else row.floats("stars")
    private val tolerance = row.float("tolerance")

    init {
        val isWhole = scores.size == items.size && (ratings == null || ratings.size == items.size)
        if (!isWhole) throw JsonException("query: expected one score and one rating per item")
    }

    /** Why `found` is not this answer, or null if it is. */
    fun difference(found: List<Recommendation>): String? {
        if (found.size != items.size) return "${found.size} items, expected ${items.size}"
        val common = found.filter { it.item.id in items }
        if (common.size < MIN_OVERLAP * items.size) return "has ${common.size} of ${items.size} items"
        return common.firstNotNullOfOrNull { difference(it, items.indexOf(it.item.id)) }
    }

    private fun difference(found: Recommendation, at: Int): String? {
        val rating = ratings?.get(at)
        return when {
            isFar(found.score, scores[at]) -> "item ${found.item.id} scores ${found.score}, expected ${scores[at]}"
            found.stars == null && rating == null -> null
            found.stars == null || rating == null || isFar(found.stars, rating) ->
                "item ${found.item.id} is rated ${found.stars}, expected $rating"
            else -> null
        }
    }

    // NaN is far from everything.
    private fun isFar(a: Float, b: Float) = !(abs(a - b) <= tolerance)
}

// Items whose scores differ by less than the tolerance may swap places; this share of them must be the same set (golden.py).
internal const val MIN_OVERLAP = 0.9
