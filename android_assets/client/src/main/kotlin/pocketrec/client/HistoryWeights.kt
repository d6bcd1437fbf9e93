package pocketrec.client

import kotlin.math.pow
import kotlin.math.sqrt

private val SHARE = 0.0..1e30
private val POSITIVE = 1e-30..1e30
private val EXPONENT = 0.0..100.0

/**
 * How the query model weighs a history, as core/records/history_weights.py has it: the item at place k, the newest at 1, weighs
 * k ^ -recency; a dislike counts against what is alike, by the mean of these weights.
 */
internal class HistoryWeights(fields: JsonFields) {
    private val recency = fields.number("recency", EXPONENT)
    private val dislikedAt = fields.number("disliked_at", FINITE)
    private val best = fields.number("best", FINITE)
    private val perUnit = fields.number("per_unit", SHARE)
    private val dislike = fields.number("dislike", SHARE)
    private val loneDislike = fields.number("lone_dislike", SHARE)
    private val few = fields.number("few", POSITIVE)
    private val popularityHalf = fields.number("popularity_half", POSITIVE)

    fun isDislike(stars: Float): Boolean = stars != 0f && stars <= dislikedAt

    /** The weight of the item at `place`, the newest at 1. */
    fun place(place: Int): Double = place.toDouble().pow(-recency)

    /** What the ratings of a history mean for its items, whose weights by place are `place`, 0 for unknown ones. */
    fun counts(place: DoubleArray, stars: FloatArray): DoubleArray {
        val total = place.sum()
        val mean = total / maxOf(1, place.count { it > 0 })
        val share = few / (few + total)
        val against = dislike + loneDislike * share * share
        return DoubleArray(place.size) { k ->
            when {
                place[k] == 0.0 -> 0.0
                isDislike(stars[k]) -> -against * mean
                stars[k] == 0f -> place[k]
                else -> place[k] * (1 - perUnit * (best - stars[k]))
            }
        }
    }

    /** Weight of popularity beside a history whose weights by place sum to `total`; 1 for an empty one. */
    fun popularity(total: Double): Double = 1 / (1 + (total / popularityHalf).pow(2))

    companion object {
        /** What the query of such a history is multiplied by. */
        fun norm(total: Double): Double = 1 / sqrt(total + 1)
    }
}
