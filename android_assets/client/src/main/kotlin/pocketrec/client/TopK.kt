package pocketrec.client

/**
 * Keeps the `k` best of the items offered: higher scores first, equal scores by lower id, never NaN. A heap whose root is the worst
 * item kept. Allocates nothing after construction. Not thread-safe.
 */
internal class TopK(private val k: Int) {
    private val ids = IntArray(k)
    private val scores = FloatArray(k)

    var size = 0
        private set

    fun clear() {
        size = 0
    }

    fun offer(id: Int, score: Float) {
        if (score.isNaN()) return
        if (size < k) {
            rise(size++, id, score)
        } else if (k > 0 && isWorse(ids[0], scores[0], id, score)) {
            sink(id, score)
        }
    }

    /** Sort the items kept, best first; [id] and [score] return them until [clear]. */
    fun sort() {
        val all = size
        while (size > 1) {
            val worstId = ids[0]
            val worst = scores[0]
            size--
            sink(ids[size], scores[size])
            ids[size] = worstId
            scores[size] = worst
        }
        size = all
    }

    fun id(place: Int): Int = ids[place]

    fun score(place: Int): Float = scores[place]

    private fun isWorse(idA: Int, scoreA: Float, idB: Int, scoreB: Float) =
        scoreA < scoreB || (scoreA == scoreB && idA > idB)

    private fun rise(from: Int, id: Int, score: Float) {
        var at = from
        while (at > 0) {
            val parent = (at - 1) / 2
            if (!isWorse(id, score, ids[parent], scores[parent])) break
            ids[at] = ids[parent]
            scores[at] = scores[parent]
            at = parent
        }
        ids[at] = id
        scores[at] = score
    }

    private fun sink(id: Int, score: Float) {
        var at = 0
        while (2 * at + 1 < size) {
            var child = 2 * at + 1
            if (child + 1 < size && isWorse(ids[child + 1], scores[child + 1], ids[child], scores[child])) child++
            if (!isWorse(ids[child], scores[child], id, score)) break
            ids[at] = ids[child]
            scores[at] = scores[child]
            at = child
        }
        ids[at] = id
        scores[at] = score
    }
}
