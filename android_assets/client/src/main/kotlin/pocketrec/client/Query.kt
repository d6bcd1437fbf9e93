package pocketrec.client

/**
 * An entry of a history.
 *
 * @property item an item's id, or its title.
 * @property stars what the user gave it; null for "watched, not rated".
 */
public data class Rated(public val item: String, public val stars: Float? = null)

/**
 * A question, made once and used again: after its arrays have grown, filling it allocates nothing. Not thread-safe; one a thread.
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
    internal val preferences = FloatArray(preferenceCount)
    internal val genres = FloatArray(genreCount)
    internal var genreTotal = 0
    private val seen = LongArray((itemCount + 63) / 64)

    /** Items of the history so far. */
    public var size: Int = 0
        private set

    /** Line of the user vocabulary, for models keyed by user; -1 for somebody who is in none. */
    public var user: Int = -1

    /** Forget everything. */
    public fun clear() {
        for (i in 0 until size) seen[ids[i] shr 6] = 0
        size = 0
        preferences.fill(0f)
        genres.fill(0f)
        genreTotal = 0
        user = -1
    }

    /**
     * Add an item to the history, newest last. An item added twice counts once, at its first place with its last stars.
     *
     * @param item its index ([RecommenderBundle.indexOfItem]).
     * @param stars 0 for "watched, not rated".
     * @throws IndexOutOfBoundsException there is no such item.
     */
    public fun add(item: Int, stars: Float = 0f) {
        if (item !in 0 until itemCount) throw IndexOutOfBoundsException("item $item of $itemCount")
        if (isSeen(item)) {
            var at = 0
            while (ids[at] != item) at++
            this.stars[at] = stars
            return
        }
        if (size == ids.size) {
            ids = ids.copyOf(2 * size)
            this.stars = this.stars.copyOf(2 * size)
        }
        seen[item shr 6] = seen[item shr 6] or (1L shl item)
        ids[size] = item
        this.stars[size++] = stars
    }

    /** Declare a preference, by its line in the vocabulary of preferences. */
    public fun prefer(preference: Int) {
        preferences[preference] = 1f
    }

    /** Narrow the answer to a genre, by its line in the vocabulary of genres; several widen it to items with any of them. */
    public fun narrow(genre: Int) {
        if (genres[genre] == 0f) genreTotal++
        genres[genre] = 1f
    }

    internal fun isSeen(item: Int): Boolean = seen[item shr 6] and (1L shl item) != 0L

    private companion object {
        const val START = 256
    }
}

/**
 * An answer, made once and used again: best first, [size] items of it are valid.
 *
 * @property capacity the most items it takes.
 * @property ids int32, indices of items ([RecommenderBundle.item]).
 * @property scores float32, by which they are ordered.
 * @property stars float32, predicted stars; NaN where the models predict none.
 */
public class Answer(public val capacity: Int) {
    public val ids: IntArray = IntArray(capacity)
    public val scores: FloatArray = FloatArray(capacity)
    public val stars: FloatArray = FloatArray(capacity)

    /** How many items there are. */
    public var size: Int = 0
        internal set

    internal fun add(id: Int, score: Float, star: Float) {
        ids[size] = id
        scores[size] = score
        stars[size++] = star
    }
}

/**
 * An item of an answer.
 *
 * @property score what the answer is ordered by.
 * @property stars predicted; null where the models predict none.
 */
public data class Recommendation(public val item: Item, public val score: Float, public val stars: Float?)
