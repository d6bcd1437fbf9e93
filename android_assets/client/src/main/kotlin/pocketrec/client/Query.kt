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
    internal var disliked = IntArray(0)
    internal var dislikedTotal = 0

    // One bit per item, and one for the unknown item: what the answer leaves out, the history and what was excluded.
    private val leftOut = LongArray(itemCount / 64 + 1)

    /** Number of items in the history. */
    public var size: Int = 0
        private set

    /** Id of the user vocabulary, for models keyed by user; -1 for an unknown user. */
    public var user: Int = -1

    /** Make the query empty. */
    public fun clear() {
        for (i in 0 until size) leftOut[ids[i] shr 6] = 0
        for (i in 0 until excludedTotal) leftOut[excluded[i] shr 6] = 0
        for (i in 0 until dislikedTotal) leftOut[disliked[i] shr 6] = 0
        size = 0
        excludedTotal = 0
        dislikedTotal = 0
        preferences.fill(0f)
        genres.fill(0f)
        genreTotal = 0
        user = -1
    }

    /**
     * Append an item to the history, newest last. An item added twice counts once: where it was added last, with its last rating.
     * A disliked item, or one with its title, is not added.
     *
     * @param item its index ([RecommenderBundle.indexOfItem]).
     * @param stars its rating; 0 for "used, not rated".
     * @throws IndexOutOfBoundsException there is no such item.
     */
    public fun add(item: Int, stars: Float = 0f) {
        checkItem(item)
        if (isLeftOut(item)) {
            if (isDisliked(item)) return
            removeFromHistory(item)
        }
        append(item, stars)
    }

    /**
     * Dislike an item: neither it nor any other item with its title is in the answer, whether or not the history has them. Where
     * the models take ratings ([RecommenderBundle.learnsFromDislikes]) what is alike stays away too. Dislikes take no place of the
     * newest items of the history: they count by their number alone, however long ago.
     *
     * @param item its index ([RecommenderBundle.indexOfItem]).
     * @throws IndexOutOfBoundsException there is no such item.
     */
    public fun dislike(item: Int) {
        checkItem(item)
        if (isLeftOut(item)) forget(item)
        for (other in owner.verified.items.sameTitle(item)) {
            if (isLeftOut(other)) removeFromHistory(other)
            if (other != item) leaveOutApart(other)
        }
        if (dislikedTotal == disliked.size) disliked = disliked.copyOf(maxOf(FEW, 2 * dislikedTotal))
        leaveOut(item)
        disliked[dislikedTotal++] = item
    }

    /**
     * Leave an item out of the answer without adding it to the history.
     *
     * @throws IndexOutOfBoundsException there is no such item.
     */
    public fun exclude(item: Int) {
        checkItem(item)
        if (!isLeftOut(item)) leaveOutApart(item)
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

    /** Number of items that the models are given: the history, and dislikes where they learn from these. */
    internal val length: Int get() = size + given

    private val given: Int get() = if (owner.learnsFromDislikes) dislikedTotal else 0

    /** Where dislikes stand: right before the newest items used, which keep their places, but in the window. */
    private val dislikesFrom: Int get() = maxOf(0, size - (owner.window - minOf(given, owner.window / 2)))

    internal fun idAt(i: Int): Int {
        val from = dislikesFrom
        return if (i < from) {
            ids[i]
        } else if (i < from + given) {
            disliked[i - from]
        } else {
            ids[i - given]
        }
    }

    internal fun starsAt(i: Int): Float {
        val from = dislikesFrom
        return if (i < from) {
            stars[i]
        } else if (i < from + given) {
            owner.dislikeRating
        } else {
            stars[i - given]
        }
    }

    /** Append an item that another query has, in whatever order. */
    internal fun addRead(item: Int, stars: Float) = if (item < itemCount) append(item, stars) else addUnknown()

    /** Append an item that no model knows: an empty place. */
    internal fun addUnknown() = append(itemCount, 0f)

    internal fun declareAs(other: Query) {
        other.preferences.copyInto(preferences)
    }

    private fun append(item: Int, stars: Float) {
        if (size == ids.size) {
            ids = ids.copyOf(2 * size)
            this.stars = this.stars.copyOf(2 * size)
        }
        leaveOut(item)
        ids[size] = item
        this.stars[size++] = stars
    }

    private fun leaveOutApart(item: Int) {
        if (excludedTotal == excluded.size) excluded = excluded.copyOf(maxOf(START, 2 * excludedTotal))
        leaveOut(item)
        excluded[excludedTotal++] = item
    }

    /** Whether an item, or one with its title, is disliked. */
    private fun isDisliked(item: Int): Boolean {
        val all = owner.verified.items.all
        for (i in 0 until dislikedTotal) if (all[disliked[i]].title == all[item].title) return true
        return false
    }

    /** Take an item out of the history and the dislikes. */
    private fun forget(item: Int) {
        removeFromHistory(item)
        var at = 0
        while (at < dislikedTotal && disliked[at] != item) at++
        if (at == dislikedTotal) return
        System.arraycopy(disliked, at + 1, disliked, at, dislikedTotal - at - 1)
        dislikedTotal--
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
        const val FEW = 16
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
 * @property why what made up the score; null where that was not asked for.
 */
public data class Recommendation(
    public val item: Item,
    public val score: Float,
    public val stars: Float?,
    public val why: Why? = null,
)
