package pocketrec.client

import java.io.Closeable

// Masked items score below this (core/scoring.py: MASKED_BELOW), and so below any real score.
internal const val MASKED_BELOW = -50_000f

/** Answers queries as a layout does. Not thread-safe; allocates nothing while answering. */
internal interface Engine : Closeable {
    val models: Map<String, LoadedModel>

    /** Fill an empty answer, at most up to its capacity. */
    fun answer(query: Query, answer: Answer)

    /** Write the predicted rating of each item into `ratings`. @throws BundleException [ErrorCode.QUERY_UNSUPPORTED] */
    fun rate(query: Query, items: IntArray, ratings: FloatArray): Unit =
        refuse(ErrorCode.QUERY_UNSUPPORTED, "this layout has no model that rates given items")

    /** Items that the model which retrieves knows; ids from here on are unknown to it. */
    val knownItems: Int

    /** Write the retrieval score of each of `ids`; where a model masks, the query excludes all others. Allocates. */
    fun score(query: Query, ids: IntArray, scores: DoubleArray)

    override fun close() {
        for (model in models.values) model.close()
    }
}

/** Write the scores of a model's list, without predicted ratings, in the order of `ids`. */
private fun readScores(model: LoadedModel, k: Int, ratingWeight: Float, ids: IntArray, scores: DoubleArray) {
    val found = model.output("ids")
    val values = model.output("scores")
    val ratings = if (ratingWeight == 0f) null else model.output("rating")
    val placeOf = HashMap<Int, Int>()
    for (place in 0 until k) placeOf[found.getInt(4 * place)] = place
    for (j in ids.indices) {
        val place = 4 * placeOf.getValue(ids[j])
        val rating = if (ratings == null) 0.0 else ratingWeight.toDouble() * ratings.getFloat(place)
        scores[j] = values.getFloat(place) - rating
    }
}

internal fun engineFor(bundle: VerifiedBundle, runtime: ModelRuntime): Engine {
    val loaded = LinkedHashMap<String, LoadedModel>()
    try {
        for (entry in bundle.manifest.models.values) {
            loaded[entry.graph] = LoadedModel(runtime, entry, bundle.files.getValue(entry.file), bundle.manifest.k)
        }
        return when (bundle.manifest.layout) {
            Layout.CASCADE -> CascadeEngine(loaded, bundle.manifest)
            Layout.PAIR -> PairEngine(loaded, bundle.manifest)
            Layout.SPLIT -> SplitEngine(loaded, bundle)
        }
    } catch (error: BundleException) {
        loaded.values.forEach { it.close() }
        throw error
    }
}

private fun requireOutputs(manifest: Manifest, graph: String, vararg ports: Port) {
    val outputs = manifest.models.getValue(graph).outputs
    if (!outputs.containsAll(ports.toList())) {
        refuse(ErrorCode.MODEL_MISMATCH, "$graph: outputs are $outputs, expected ${ports.toList()}")
    }
}

private class CascadeEngine(override val models: Map<String, LoadedModel>, private val manifest: Manifest) : Engine {
    private val recommender = models.getValue("recommender")
    private val weight = if (manifest.ratingWeight.isNaN()) 0f else manifest.ratingWeight
    override val knownItems = recommender.unknownItem

    init {
        val k = listOf(manifest.k)
        requireOutputs(
            manifest,
            "recommender",
            Port("ids", "int32", k),
            Port("rating", "float32", k),
            Port("scores", "float32", k),
        )
    }

    override fun answer(query: Query, answer: Answer) {
        recommender.ask(query)
        val ids = recommender.output("ids")
        val scores = recommender.output("scores")
        val rating = recommender.output("rating")
        var place = 0
        while (place < manifest.k && answer.size < answer.capacity) {
            val score = scores.getFloat(4 * place)
            if (score > MASKED_BELOW) answer.add(ids.getInt(4 * place), score, rating.getFloat(4 * place))
            place++
        }
    }

    override fun score(query: Query, ids: IntArray, scores: DoubleArray) {
        recommender.ask(query)
        readScores(recommender, manifest.k, weight, ids, scores)
    }
}

private class PairEngine(override val models: Map<String, LoadedModel>, private val manifest: Manifest) : Engine {
    private val retriever = models.getValue("retriever")
    private val ranker = models.getValue("ranker")
    private val best = TopK(manifest.k)
    private val weight = if (manifest.ratingWeight.isNaN()) 0f else manifest.ratingWeight
    override val knownItems = retriever.unknownItem

    init {
        val k = listOf(manifest.k)
        requireOutputs(manifest, "retriever", Port("ids", "int32", k), Port("scores", "float32", k))
        requireOutputs(manifest, "ranker", Port("rating", "float32", listOf(-1)))
    }

    override fun answer(query: Query, answer: Answer) {
        retriever.ask(query)
        val ids = retriever.output("ids")
        val scores = retriever.output("scores")
        ranker.fill(query)
        // Masked items are rated too, so that the ranker always takes k items and is never resized.
        for (place in 0 until manifest.k) ranker.fillItem(place, ids.getInt(4 * place))
        ranker.run()
        val rating = ranker.output("rating")
        best.clear()
        for (place in 0 until manifest.k) {
            val score = scores.getFloat(4 * place)
            if (score > MASKED_BELOW) best.offer(place, score + weight * rating.getFloat(4 * place))
        }
        best.sort()
        for (i in 0 until minOf(best.size, answer.capacity)) {
            val place = best.id(i)
            answer.add(ids.getInt(4 * place), best.score(i), rating.getFloat(4 * place))
        }
    }

    override fun score(query: Query, ids: IntArray, scores: DoubleArray) {
        retriever.ask(query)
        readScores(retriever, manifest.k, 0f, ids, scores)
    }

    override fun rate(query: Query, items: IntArray, ratings: FloatArray) {
        ranker.fill(query)
        var from = 0
        while (from < items.size) {
            val count = minOf(manifest.k, items.size - from)
            for (place in 0 until manifest.k) ranker.fillItem(place, items[from + minOf(place, count - 1)])
            ranker.run()
            val rating = ranker.output("rating")
            for (i in 0 until count) ratings[from + i] = rating.getFloat(4 * i)
            from += count
        }
    }
}

private class SplitEngine(override val models: Map<String, LoadedModel>, bundle: VerifiedBundle) : Engine {
    private val encoder = models.getValue("query_encoder")
    private val entry = checkNotNull(bundle.manifest.candidates)
    private val candidates = Candidates(bundle.files.getValue(entry.file), entry)
    private val best = TopK(minOf(bundle.manifest.k, candidates.n))
    private val vector = FloatArray(candidates.d)
    private val scores = FloatArray(candidates.blockRows)
    private val genres = GenreMarks(bundle.items.all, bundle.vocabulary("genres"))

    init {
        requireOutputs(bundle.manifest, "query_encoder", Port("query", "float32", listOf(1, candidates.d)))
    }

    override val knownItems = encoder.unknownItem

    private fun encode(query: Query) {
        encoder.ask(query)
        val output = encoder.output("query")
        for (j in vector.indices) vector[j] = output.getFloat(4 * j)
    }

    override fun score(query: Query, ids: IntArray, scores: DoubleArray) {
        encode(query)
        for (j in ids.indices) scores[j] = candidates.score(ids[j], vector).toDouble()
    }

    override fun answer(query: Query, answer: Answer) {
        encode(query)
        best.clear()
        var from = 0
        while (from < candidates.n) {
            val count = candidates.score(from, vector, scores)
            for (row in 0 until count) {
                val id = from + row
                val passes = query.genreTotal == 0 || genres.hasAny(id, query.genres)
                if (passes && !query.isLeftOut(id)) best.offer(id, scores[row])
            }
            from += count
        }
        best.sort()
        for (i in 0 until minOf(best.size, answer.capacity)) answer.add(best.id(i), best.score(i), Float.NaN)
    }
}

/** The genres of each item, as ids of the genre vocabulary. */
private class GenreMarks(items: List<Item>, vocabulary: Vocabulary?) {
    private val starts = IntArray(items.size + 1)
    private val ids: IntArray

    init {
        val found = ArrayList<Int>()
        for ((id, item) in items.withIndex()) {
            if (vocabulary != null) item.genres.mapTo(found) { vocabulary.indexOf(it) }
            starts[id + 1] = found.size
        }
        ids = found.toIntArray()
    }

    /** Whether an item has any of the genres that are not 0 in `wanted`. */
    fun hasAny(item: Int, wanted: FloatArray): Boolean {
        for (i in starts[item] until starts[item + 1]) {
            val isKnown = ids[i] >= 0
            if (isKnown && wanted[ids[i]] != 0f) return true
        }
        return false
    }
}
