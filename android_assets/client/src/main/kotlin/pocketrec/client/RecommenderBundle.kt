package pocketrec.client

import java.io.Closeable

/**
 * An open bundle: a catalogue, and models that recommend from it.
 *
 * Thread-safe: calls from several threads are answered one after the other. [recommendInto] allocates nothing beyond what the
 * runtime does; [recommend] takes and returns names, and allocates what it returns.
 *
 * @property name what it recommends. An update must have the same name.
 * @property version increases with every release.
 * @property layout how its models work together.
 */
public class RecommenderBundle private constructor(
    internal val verified: VerifiedBundle,
    private val runtime: ModelRuntime,
    private val engine: Engine,
) : Closeable {
    private val lock = Any()
    private var isClosed = false
    private val manifest get() = verified.manifest

    public val name: String = manifest.name
    public val version: Int = manifest.version
    public val layout: Layout = manifest.layout

    /** Number of items in the catalogue. */
    public val itemCount: Int = verified.items.all.size

    /** The most items that one query returns. */
    public val most: Int = minOf(manifest.k, itemCount)

    /** Lowest rating that a history may hold. */
    public val lowestRating: Float = manifest.ratingRange[0]

    /** Highest rating that a history may hold. */
    public val highestRating: Float = manifest.ratingRange[1]

    /** Whether the models learnt from ratings. Where not, every entry of a history is rated alike, and an app asks for none. */
    public val hasRatings: Boolean = lowestRating < highestRating

    @Deprecated("Renamed", ReplaceWith("lowestRating"))
    public val leastStars: Float get() = lowestRating

    @Deprecated("Renamed", ReplaceWith("highestRating"))
    public val mostStars: Float get() = highestRating

    /** Number of the newest items of a history that the models read; 0 for models keyed by user. */
    public val window: Int = manifest.window

    /**
     * Whether the models take ratings and count a dislike against what is alike. Where they do not, a disliked item is left out of
     * the answer, and changes nothing else.
     */
    public val learnsFromDislikes: Boolean = manifest.historyWeights != null

    /** What a dislike is rated, as core/queries/dislikes.py has it. */
    internal val dislikeRating = if (hasRatings && lowestRating != 0f) lowestRating else -1f

    /** The vocabulary `items`, `preferences`, `genres` or `users`; null if the bundle has none. */
    public fun vocabulary(name: String): Vocabulary? = verified.vocabulary(name)

    /** The item with an index. */
    public fun item(index: Int): Item = verified.items.all[index]

    /**
     * The index of the item with this id, else of the first item with this title; -1 for neither. Compared as exact code points: no
     * case folding, no normalisation, no trimming. Allocates nothing.
     */
    public fun indexOfItem(idOrTitle: String): Int = verified.items.indexOf(idOrTitle)

    /** An empty query to this bundle. */
    public fun newQuery(): Query = Query(
        this,
        itemCount,
        vocabulary("preferences")?.size ?: 0,
        vocabulary("genres")?.size ?: 0,
    )

    /**
     * Fill `answer`, best first. Items of the history are left out. The answer is shorter than its capacity if too few items are
     * left, or have the genres asked for.
     *
     * @throws BundleException [ErrorCode.TOP_INVALID] for a capacity outside 1 to [most], [ErrorCode.QUERY_UNSUPPORTED],
     * [ErrorCode.RUNTIME_FAILED], [ErrorCode.CLOSED]
     */
    public fun recommendInto(query: Query, answer: Answer) {
        if (answer.capacity !in 1..most) refuse(ErrorCode.TOP_INVALID, "${answer.capacity}, expected 1 to $most")
        checkOwner(query)
        synchronized(lock) {
            checkOpen()
            answer.size = 0
            engine.answer(query, answer)
        }
    }

    /**
     * Say what made up the scores of an answer: one [Why] for each of its items, in its order. Asks the models about every item of
     * the history, which takes as long as that many answers, and allocates.
     *
     * @param answer what [recommendInto] wrote for this query.
     * @throws BundleException [ErrorCode.QUERY_UNSUPPORTED] for models keyed by user, which read no history,
     * [ErrorCode.RUNTIME_FAILED], [ErrorCode.CLOSED]
     */
    public fun explain(query: Query, answer: Answer): List<Why> {
        checkOwner(query)
        if (window == 0) refuse(ErrorCode.QUERY_UNSUPPORTED, "the models read no history")
        synchronized(lock) {
            checkOpen()
            val ratingWeight = if (manifest.ratingWeight.isNaN()) 0.0 else manifest.ratingWeight.toDouble()
            return Explainer(this, engine, manifest.historyWeights, ratingWeight).explain(query, answer)
        }
    }

    /**
     * Predict the ratings of items that the app chooses. Only for [Layout.PAIR].
     *
     * @param items int32[n], indices of items.
     * @param stars float32[n], the predicted ratings, written.
     * @throws BundleException [ErrorCode.QUERY_UNSUPPORTED], [ErrorCode.RUNTIME_FAILED], [ErrorCode.CLOSED]
     */
    public fun rateInto(query: Query, items: IntArray, stars: FloatArray) {
        require(items.size == stars.size) { "${items.size} items, ${stars.size} ratings" }
        items.forEach { if (it !in 0 until itemCount) throw IndexOutOfBoundsException("item $it of $itemCount") }
        checkOwner(query)
        synchronized(lock) {
            checkOpen()
            engine.rate(query, items, stars)
        }
    }

    /**
     * Recommend items to a user.
     *
     * @param history the items they used, oldest first, by id or title; may be empty. All items with the title of an entry are left
     * out of the answer; the first of them goes into the history.
     * @param preferences tokens of the vocabulary of preferences, such as `genre:Sci-Fi`.
     * @param genres tokens of the vocabulary of genres that the answer is restricted to; empty for all.
     * @param top number of items, 1 to [most].
     * @param user the user's token, for models keyed by user.
     * @param skipUnknown ignore unknown items of the history, and unknown dislikes, instead of refusing them.
     * @param dislikes items that are disliked, by id or title; see [Query.dislike].
     * @param why whether to say what made up each score; see [explain].
     * @throws BundleException [ErrorCode.ITEM_UNKNOWN], [ErrorCode.STARS_INVALID], [ErrorCode.PREFERENCE_UNKNOWN],
     * [ErrorCode.GENRE_UNKNOWN], [ErrorCode.USER_UNKNOWN], and those of [recommendInto]
     */
    @JvmOverloads
    public fun recommend(
        history: List<Rated>,
        preferences: List<String> = emptyList(),
        genres: List<String> = emptyList(),
        top: Int = 10,
        user: String? = null,
        skipUnknown: Boolean = false,
        dislikes: List<String> = emptyList(),
        why: Boolean = false,
    ): List<Recommendation> {
        val query = newQuery()
        for (entry in history) addTo(query, entry, skipUnknown)
        for (name in dislikes) knownItem(name, skipUnknown)?.let { query.dislike(it) }
        for (token in preferences) query.prefer(idOf("preferences", token, ErrorCode.PREFERENCE_UNKNOWN))
        for (token in genres) query.narrow(idOf("genres", token, ErrorCode.GENRE_UNKNOWN))
        if (user != null) {
            if (vocabulary("users") == null) refuse(ErrorCode.QUERY_UNSUPPORTED, "the models take no user")
            query.user = idOf("users", user, ErrorCode.USER_UNKNOWN)
        }
        if (top !in 1..most) refuse(ErrorCode.TOP_INVALID, "$top, expected 1 to $most")
        val answer = Answer(top)
        recommendInto(query, answer)
        val reasons = if (why) explain(query, answer) else null
        return List(answer.size) {
            val rating = answer.stars[it].takeUnless(Float::isNaN)
            Recommendation(item(answer.ids[it]), answer.scores[it], rating, reasons?.get(it))
        }
    }

    private fun addTo(query: Query, entry: Rated, skipUnknown: Boolean) {
        val rating = entry.stars
        if (rating != null && rating !in lowestRating..highestRating) {
            refuse(ErrorCode.STARS_INVALID, "'${entry.item}': $rating, expected $lowestRating to $highestRating")
        }
        val index = knownItem(entry.item, skipUnknown) ?: return
        query.add(index, rating ?: 0f)
        for (other in verified.items.othersNamed(entry.item)) query.exclude(other)
    }

    private fun knownItem(name: String, skipUnknown: Boolean): Int? {
        val index = indexOfItem(name)
        if (index >= 0) return index
        if (skipUnknown) return null
        refuse(ErrorCode.ITEM_UNKNOWN, "'$name' is neither an id nor a title of the catalogue")
    }

    private fun idOf(vocabulary: String, token: String, code: ErrorCode): Int {
        val found = vocabulary(vocabulary)?.indexOf(token) ?: -1
        return if (found >= 0) found else refuse(code, "'$token' is not in the vocabulary of $vocabulary")
    }

    /**
     * Replay the queries with known answers that the bundle carries, on this device.
     *
     * @throws BundleException [ErrorCode.GOLDEN_INVALID], [ErrorCode.RUNTIME_FAILED], [ErrorCode.CLOSED]
     */
    public fun replayGolden(): GoldenReport {
        synchronized(lock) { checkOpen() }
        return Golden(verified).replay(this, runtime)
    }

    private fun checkOwner(query: Query) {
        if (query.owner !== this) refuse(ErrorCode.QUERY_UNSUPPORTED, "the query was made by another bundle")
    }

    private fun checkOpen() {
        if (isClosed) refuse(ErrorCode.CLOSED, "the bundle was closed")
    }

    /** Release the models. Waits for a running call; later calls are refused. */
    override fun close() {
        synchronized(lock) {
            if (!isClosed) engine.close()
            isClosed = true
        }
    }

    public companion object {
        /**
         * Open a bundle: check names, sizes, hashes, signature, vocabularies, ports and contract, then load its models.
         *
         * @param trustedKeys keys, any of which must have signed. If empty, the signature is not checked: only for a bundle in the
         * app's own assets, which the signature of the APK covers.
         * @throws BundleException the first thing that is wrong; see [ErrorCode].
         */
        @JvmStatic
        @JvmOverloads
        public fun open(
            source: BundleSource,
            runtime: ModelRuntime,
            trustedKeys: List<PublicKey> = emptyList(),
        ): RecommenderBundle = load(VerifiedBundle.open(source, trustedKeys), runtime)

        internal fun load(verified: VerifiedBundle, runtime: ModelRuntime): RecommenderBundle =
            RecommenderBundle(verified, runtime, engineFor(verified, runtime))
    }
}
