package pocketrec.client

/**
 * An item of the history, and what it adds to a score.
 *
 * @property isDisliked whether the history says that it was disliked.
 */
public data class Reason(public val item: Item, public val isDisliked: Boolean, public val contribution: Float)

/**
 * What made up a score.
 *
 * Where the weights of a history are known ([isExact]), all parts add up to it. Elsewhere a contribution is what the score loses
 * when the item's place in the history is empty, and the other parts are null.
 *
 * @property items up to three items of the history that added most, each something, the most first.
 * @property others what the rest of the history adds.
 * @property preferences what declared preferences add.
 * @property popularity what popularity adds.
 * @property rating what the predicted rating adds.
 * @property remainder the score without these parts: rounding of a quantized model.
 */
public data class Why(
    public val items: List<Reason>,
    public val others: Float? = null,
    public val preferences: Float? = null,
    public val popularity: Float? = null,
    public val rating: Float? = null,
    public val remainder: Float? = null,
) {
    /** Whether the parts add up to the score. */
    public val isExact: Boolean get() = others != null
}

/** Asks a bundle's models about parts of a query; as core/queries/reasons.py does. */
internal class Explainer(
    private val bundle: RecommenderBundle,
    private val engine: Engine,
    private val weights: HistoryWeights?,
    private val starsWeight: Double,
) {
    /** One for each item of an answer to the query. */
    fun explain(query: Query, answer: Answer): List<Why> {
        val ids = answer.ids.copyOf(answer.size)
        if (ids.isEmpty()) return emptyList()
        val scores = DoubleArray(ids.size) { answer.scores[it].toDouble() }
        val ratings = DoubleArray(ids.size) { if (answer.stars[it].isNaN()) 0.0 else starsWeight * answer.stars[it] }
        val history = Read(query)
        val probe = Probe(ids)
        return if (weights == null) {
            leftOut(query, history, probe, DoubleArray(ids.size) { scores[it] - ratings[it] })
        } else {
            addedUp(query, history, probe, Parts(scores, ratings), weights)
        }
    }

    /** The items of a query that its models read, oldest first; `known` marks those that they know. */
    private inner class Read(query: Query) {
        private val first = maxOf(0, query.length - bundle.window)
        val ids = IntArray(query.length - first) { query.idAt(first + it) }
        val stars = FloatArray(ids.size) { query.starsAt(first + it) }
        val known = BooleanArray(ids.size) { ids[it] < engine.knownItems }
    }

    private class Parts(val scores: DoubleArray, val ratings: DoubleArray)

    /** Asks for the retrieval scores of some items; every other item is excluded. */
    private inner class Probe(private val ids: IntArray) {
        private val query = bundle.newQuery()
        private val wanted = ids.toHashSet()

        fun scores(fill: (Query) -> Unit): DoubleArray {
            query.clear()
            fill(query)
            if (bundle.layout != Layout.SPLIT) {
                for (item in 0 until bundle.itemCount) if (item !in wanted) query.exclude(item)
            }
            return DoubleArray(ids.size).also { engine.score(query, ids, it) }
        }
    }

    private fun leftOut(query: Query, history: Read, probe: Probe, retrieved: DoubleArray): List<Why> {
        val lost = history.ids.indices.map { k ->
            if (!history.known[k]) return@map DoubleArray(retrieved.size)
            val without = probe.scores { asked ->
                for (i in history.ids.indices) {
                    if (i == k) asked.addUnknown() else asked.addRead(history.ids[i], history.stars[i])
                }
                asked.declareAs(query)
            }
            DoubleArray(retrieved.size) { retrieved[it] - without[it] }
        }
        return retrieved.indices.map { j -> Why(reasons(history, DoubleArray(lost.size) { lost[it][j] })) }
    }

    private fun addedUp(query: Query, history: Read, probe: Probe, parts: Parts, weights: HistoryWeights): List<Why> {
        val nothing = probe.scores { }
        val declared = probe.scores { it.declareAs(query) }
        // An item alone has the newest place, which weighs 1.
        val rows = history.ids.indices.map { k ->
            if (!history.known[k]) return@map DoubleArray(nothing.size)
            val alone = probe.scores { it.addRead(history.ids[k], 0f) }
            DoubleArray(nothing.size) { alone[it] / HistoryWeights.norm(1.0) - weights.popularity(1.0) * nothing[it] }
        }
        val n = history.ids.size
        val place = DoubleArray(n) { if (history.known[it]) weights.place(n - it) else 0.0 }
        val counts = weights.counts(place, history.stars)
        val total = place.sum()
        val norm = HistoryWeights.norm(total)
        return nothing.indices.map { j ->
            val added = DoubleArray(n) { norm * counts[it] * rows[it][j] }
            val preferences = norm * (declared[j] - nothing[j])
            val popularity = norm * weights.popularity(total) * nothing[j]
            val named = reasons(history, added)
            Why(
                named,
                (added.sum() - named.sumOf { it.contribution.toDouble() }).toFloat(),
                preferences.toFloat(),
                popularity.toFloat(),
                parts.ratings[j].toFloat(),
                (parts.scores[j] - parts.ratings[j] - added.sum() - preferences - popularity).toFloat(),
            )
        }
    }

    private fun reasons(history: Read, added: DoubleArray): List<Reason> =
        added.indices.filter { added[it] > 0 }.sortedByDescending { added[it] }.take(NAMED).map {
            val isDisliked = weights != null && weights.isDislike(history.stars[it])
            Reason(bundle.item(history.ids[it]), isDisliked, added[it].toFloat())
        }

    private companion object {
        const val NAMED = 3
    }
}
