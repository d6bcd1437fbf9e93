package pocketrec.sample

/** Ids of watched films in the order in which they were ticked, each with its stars, or null for "watched, not rated". */
data class WatchedFilms(val stars: Map<String, Float?> = emptyMap()) {

    /** With a film ticked or not. A film that stays ticked keeps its stars. */
    fun ticked(id: String, isWatched: Boolean): WatchedFilms = when {
        !isWatched -> WatchedFilms(stars - id)
        id in stars -> this
        else -> WatchedFilms(stars + (id to null))
    }

    /** With stars for a film, which ticks it; 0 removes its stars. The film keeps its place. */
    fun rated(id: String, given: Float): WatchedFilms = WatchedFilms(stars + (id to given.takeIf { it > 0f }))

    /** Two arrays for a saved instance state: ids, and stars with 0 for none. */
    fun saved(): Pair<Array<String>, FloatArray> =
        stars.keys.toTypedArray() to stars.values.map { it ?: 0f }.toFloatArray()

    companion object {
        fun restored(ids: Array<String>, stars: FloatArray): WatchedFilms =
            WatchedFilms(ids.indices.associate { ids[it] to stars[it].takeIf { given -> given > 0f } })
    }
}
