package pocketrec.client

import java.io.Closeable

/**
 * An opened bundle: a catalogue, and models that recommend from it.
 *
 * Thread-safe: calls from several threads are answered one after the other. [recommendInto] allocates nothing beyond what the
 * runtime does; [recommend] is the same in words, and allocates what it returns.
 *
 * @property name what it recommends.
 * @property version rises with every release.
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

    /** The longest answer there is. */
    public val most: Int = minOf(manifest.k, itemCount)

    /** Least and most stars. */
    public val leastStars: Float = manifest.ratingRange[0]
    public val mostStars: Float = manifest.ratingRange[1]

    /** Newest items of a history that count; 0 for models keyed by user. */
    public val window: Int = manifest.window

    /** A vocabulary by name: `items`, `preferences`, `genres`, `users`; null where the models know none. */
    public fun vocabulary(name: String): Vocabulary? = verified.vocabulary(name)

    /** The item with an index. */
    public fun item(index: Int): Item = verified.items.all[index]

    /**
     * The index of the item with this id, else of the first with this title; -1 where there is neither. Compared as exact code
     * points: no case folding, no normalisation, no trimming. Allocates nothing.
     */
    public fun indexOfItem(idOrTitle: String): Int = verified.items.indexOf(idOrTitle)

    /** An empty question to this bundle. */
    public fun newQuery(): Query = Query(
        this,
        itemCount,
        vocabulary("preferences")?.size ?: 0,
        vocabulary("genres")?.size ?: 0,
    )

    /**
     * Fill `answer`, best first; items of the history are left out. Fewer than its capacity are found where everything else was
     * seen or is of other genres.
     *
     * @throws BundleException [ErrorCode.TOP_INVALID] for a capacity that is not 1 to [most], [ErrorCode.QUERY_UNSUPPORTED],
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
     * Predicted stars of items that the app chooses; only where [layout] is [Layout.PAIR].
     *
     * @param items int32[n], indices of items.
     * @param stars float32[n], filled.
     * @throws BundleException [ErrorCode.QUERY_UNSUPPORTED], [ErrorCode.RUNTIME_FAILED], [ErrorCode.CLOSED]
     */
    public fun rateInto(query: Query, items: IntArray, stars: FloatArray) {
        require(items.size == stars.size) { "${items.size} items, ${stars.size} stars" }
        items.forEach { if (it !in 0 until itemCount) throw IndexOutOfBoundsException("item $it of $itemCount") }
        checkOwner(query)
        synchronized(lock) {
            checkOpen()
            engine.rate(query, items, stars)
        }
    }

    /**
     * The best items for somebody.
     *
     * @param history what they watched, oldest first, by id or title; it may be empty, as may everything else.
     * @param preferences declared tokens of the vocabulary, such as `genre:Sci-Fi`.
     * @param genres what the answer is narrowed to; empty for everything.
     * @param top how many; 1 to [most].
     * @param user their id, for models keyed by user.
     * @param skipUnknown leave unknown items of the history out instead of refusing them.
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
    ): List<Recommendation> {
        val query = newQuery()
        for (entry in history) addTo(query, entry, skipUnknown)
        for (token in preferences) query.prefer(line("preferences", token, ErrorCode.PREFERENCE_UNKNOWN))
        for (token in genres) query.narrow(line("genres", token, ErrorCode.GENRE_UNKNOWN))
        if (user != null) {
            if (vocabulary("users") == null) refuse(ErrorCode.QUERY_UNSUPPORTED, "these models know no users")
            query.user = line("users", user, ErrorCode.USER_UNKNOWN)
        }
        if (top !in 1..most) refuse(ErrorCode.TOP_INVALID, "$top, expected 1 to $most")
        val answer = Answer(top)
        recommendInto(query, answer)
        return List(answer.size) {
            Recommendation(item(answer.ids[it]), answer.scores[it], answer.stars[it].takeUnless(Float::isNaN))
        }
    }

    private fun addTo(query: Query, entry: Rated, skipUnknown: Boolean) {
        val stars = entry.stars
        if (stars != null && !(stars >= leastStars && stars <= mostStars)) {
            refuse(ErrorCode.STARS_INVALID, "'${entry.item}': $stars, expected $leastStars to $mostStars")
        }
        val index = indexOfItem(entry.item)
        if (index >= 0) query.add(index, stars ?: 0f)
        if (index < 0 &&
            !skipUnknown
        ) {
            refuse(ErrorCode.ITEM_UNKNOWN, "'${entry.item}' is neither an id nor a title of the catalogue")
        }
    }

    private fun line(vocabulary: String, token: String, code: ErrorCode): Int {
        val found = vocabulary(vocabulary)?.indexOf(token) ?: -1
        return if (found >= 0) found else refuse(code, "'$token' is not in the vocabulary of $vocabulary")
    }

    /**
     * Replay the questions with known answers that the bundle carries, on this device.
     *
     * @throws BundleException [ErrorCode.GOLDEN_INVALID], [ErrorCode.RUNTIME_FAILED], [ErrorCode.CLOSED]
     */
    public fun replayGolden(): GoldenReport {
        synchronized(lock) { checkOpen() }
        return Golden(verified).replay(this, runtime)
    }

    private fun checkOwner(query: Query) {
        if (query.owner !== this) refuse(ErrorCode.QUERY_UNSUPPORTED, "a query of another bundle")
    }

    private fun checkOpen() {
        if (isClosed) refuse(ErrorCode.CLOSED, "the bundle was closed")
    }

    /** Release the models. Waits for a call that is running; later ones are refused. */
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
         * @param trustedKeys keys, any of which may have signed. With none the signature is not checked, which is right only for a
         * bundle in the app's own assets: the APK's signature covers those.
         * @throws BundleException the first thing that is not as promised; see [ErrorCode].
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
