package pocketrec.sample

/** What somebody has watched: item ids in the order they were picked, with stars, or null for "watched, not rated". */
data class Picks(val stars: Map<String, Float?> = emptyMap()) {

    /** With [id] among the watched, or no longer. Stars that were given stay as long as it is. */
    fun ticked(id: String, watched: Boolean): Picks = when {
        !watched -> Picks(stars - id)
        id in stars -> this
        else -> Picks(stars + (id to null))
    }

    /** With [given] stars for [id], which makes it watched; 0 takes the stars back. A new rating keeps the film's place. */
    fun rated(id: String, given: Float): Picks = Picks(stars + (id to given.takeIf { it > 0f }))

    /** Two arrays that a saved instance state can hold: ids, and stars with 0 for none. */
    fun saved(): Pair<Array<String>, FloatArray> =
        stars.keys.toTypedArray() to stars.values.map { it ?: 0f }.toFloatArray()

    companion object {
        fun restored(ids: Array<String>, stars: FloatArray): Picks =
            Picks(ids.indices.associate { ids[it] to stars[it].takeIf { given -> given > 0f } })
    }
}
