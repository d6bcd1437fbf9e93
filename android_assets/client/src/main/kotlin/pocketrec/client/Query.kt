package pocketrec.client

/**
 * An entry of a history.
 *
 * @property item the item's id, or its title.
 * @property stars the user's rating of it; null for "used, not rated".
 */
public data class Rated(public val item: String, public val stars: Float? = null)

/**
 * A reusable query: once its arrays have grown, filling it allocates nothing. Not thread-safe; use one per thread.
 *
 * Made by [RecommenderBundle.newQuery]; ids are indices of that bundle's vocabularies.
 */
public class Query internal constructor(
    internal val owner: RecommenderBundle,
    private val itemCount: Int,
    preferenceCount: Int,
    genreCount: Int,
) {
    internal var ids = IntArray(START)
    internal var stars = FloatArray(START)
    internal var excluded = IntArray(0)
    internal var excludedTotal = 0
    internal val preferences = FloatArray(preferenceCount)
    internal val genres = FloatArray(genreCount)
    internal var genreTotal = 0

    // One bit per item: what the answer leaves out, the history and what was excluded.
    private val leftOut = LongArray((itemCount + 63) / 64)

    /** Number of items in the history. */
    public var size: Int = 0
        private set

    /** Id of the user vocabulary, for models keyed by user; -1 for an unknown user. */
    public var user: Int = -1

    /** Make the query empty. */
    public fun clear() {
        for (i in 0 until size) leftOut[ids[i] shr 6] = 0
        for (i in 0 until excludedTotal) leftOut[excluded[i] shr 6] = 0
        size = 0
        excludedTotal = 0
        preferences.fill(0f)
        genres.fill(0f)
        genreTotal = 0
        user = -1
    }

    /**
     * Append an item to the history, newest last. An item added twice counts once: where it was added last, with its last rating.
     *
     * @param item its index ([RecommenderBundle.indexOfItem]).
     * @param stars its rating; 0 for "used, not rated".
     * @throws IndexOutOfBoundsException there is no such item.
     */
    public fun add(item: Int, stars: Float = 0f) {
        checkItem(item)
        if (isLeftOut(item)) removeFromHistory(item)
        if (size == ids.size) {
            ids = ids.copyOf(2 * size)
            this.stars = this.stars.copyOf(2 * size)
        }
        leaveOut(item)
        ids[size] = item
        this.stars[size++] = stars
    }

    /**
     * Leave an item out of the answer without adding it to the history.
     *
     * @throws IndexOutOfBoundsException there is no such item.
     */
    public fun exclude(item: Int) {
        checkItem(item)
        if (isLeftOut(item)) return
        if (excludedTotal == excluded.size) excluded = excluded.copyOf(maxOf(START, 2 * excludedTotal))
        leaveOut(item)
        excluded[excludedTotal++] = item
    }

    /** Declare a preference, by its id in the vocabulary of preferences. */
    public fun prefer(preference: Int) {
        preferences[preference] = 1f
    }

    /** Restrict the answer to a genre, by its id in the vocabulary of genres. With several, an item needs any of them. */
    public fun narrow(genre: Int) {
        if (genres[genre] == 0f) genreTotal++
        genres[genre] = 1f
    }

    internal fun isLeftOut(item: Int): Boolean = leftOut[item shr 6] and (1L shl item) != 0L

    private fun leaveOut(item: Int) {
        leftOut[item shr 6] = leftOut[item shr 6] or (1L shl item)
    }

    private fun checkItem(item: Int) {
        if (item !in 0 until itemCount) throw IndexOutOfBoundsException("item $item of $itemCount")
    }

    private fun removeFromHistory(item: Int) {
        var at = 0
        while (at < size && ids[at] != item) at++
        if (at == size) return
        System.arraycopy(ids, at + 1, ids, at, size - at - 1)
        System.arraycopy(stars, at + 1, stars, at, size - at - 1)
        size--
    }

    private companion object {
        const val START = 256
    }
}

/**
 * A reusable answer: the first [size] places are valid, best first.
 *
 * @property capacity the most items it holds.
 * @property ids int32[capacity], indices of items ([RecommenderBundle.item]).
 * @property scores float32[capacity], in descending order.
 * @property stars float32[capacity], predicted ratings; NaN where the models predict none.
 */
public class Answer(public val capacity: Int) {
    public val ids: IntArray = IntArray(capacity)
    public val scores: FloatArray = FloatArray(capacity)
    public val stars: FloatArray = FloatArray(capacity)

    /** Number of valid places. */
    public var size: Int = 0
        internal set

    internal fun add(id: Int, score: Float, rating: Float) {
        ids[size] = id
        scores[size] = score
        stars[size++] = rating
    }
}

/**
 * An item of an answer.
 *
 * @property score what the answer is sorted by.
 * @property stars the predicted rating; null where the models predict none.
 */
public data class Recommendation(public val item: Item, public val score: Float, public val stars: Float?)
