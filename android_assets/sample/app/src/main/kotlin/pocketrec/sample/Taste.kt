package pocketrec.sample

/**
 * What somebody said about films.
 *
 * @property watched ids in the order in which they were ticked, each with its stars, or null for "watched, not rated".
 * @property disliked ids of films that they do not want to see, oldest first. No film is in both.
 */
data class Taste(val watched: Map<String, Float?> = emptyMap(), val disliked: Set<String> = emptySet()) {

    /** With a film ticked or not. A film that stays ticked keeps its stars. */
    fun ticked(id: String, isWatched: Boolean): Taste = when {
        !isWatched -> copy(watched = watched - id)
        id in watched -> this
        else -> Taste(watched + (id to null), disliked - id)
    }

    /** With stars for a film, which ticks it; 0 removes its stars. The film keeps its place. */
    fun rated(id: String, given: Float): Taste = Taste(watched + (id to given.takeIf { it > 0f }), disliked - id)

    /** With a film disliked, which unticks it, or no longer disliked. */
    fun disliked(id: String, isDisliked: Boolean): Taste =
        if (isDisliked) Taste(watched - id, disliked + id) else copy(disliked = disliked - id)

    /** Three arrays for a saved instance state: ids, stars with 0 for none, and ids of disliked films. */
    fun saved(): Triple<Array<String>, FloatArray, Array<String>> = Triple(
        watched.keys.toTypedArray(),
        watched.values.map { it ?: 0f }.toFloatArray(),
        disliked.toTypedArray(),
    )

    companion object {
        fun restored(ids: Array<String>, stars: FloatArray, disliked: Array<String>): Taste =
            Taste(ids.indices.associate { ids[it] to stars[it].takeIf { given -> given > 0f } }, disliked.toSet())
    }
}
