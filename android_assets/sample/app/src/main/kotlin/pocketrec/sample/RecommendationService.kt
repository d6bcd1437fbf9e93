package pocketrec.sample

import pocketrec.client.Item
import pocketrec.client.Rated
import pocketrec.client.Recommendation
import pocketrec.client.RecommenderBundle
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicInteger

/**
 * All films.
 *
 * @property mostStars the most that one can be given.
 * @property hasRatings whether stars mean anything: the bundle was trained on ratings.
 */
class Catalogue(val films: List<Item>, val mostStars: Int, val hasRatings: Boolean)

/**
 * Opens a bundle once and queries it, away from the main thread.
 *
 * @param worker runs one task after another: [open] and all queries.
 * @param main runs the callbacks.
 */
class RecommendationService(private val worker: Executor, private val main: Executor, open: () -> RecommenderBundle) {
    private val bundle by lazy(open)
    private val latest = AtomicInteger()

    fun catalogue(then: (Result<Catalogue>) -> Unit) = worker.execute {
        val found = runCatching {
            Catalogue(List(bundle.itemCount, bundle::item), bundle.highestRating.toInt(), bundle.hasRatings)
        }
        main.execute { then(found) }
    }

    /** Recommend films. Only the latest query calls back: one that a newer query has followed is dropped. */
    fun recommend(taste: Taste, then: (Result<List<Recommendation>>) -> Unit) {
        val number = latest.incrementAndGet()
        worker.execute {
            if (number == latest.get()) {
                val found = runCatching { recommended(taste) }
                main.execute { if (number == latest.get()) then(found) }
            }
        }
    }

    private fun recommended(taste: Taste): List<Recommendation> {
        val history = taste.watched.map { (id, stars) -> Rated(id, stars) }
        return bundle.recommend(history, dislikes = taste.disliked.toList(), top = minOf(TOP, bundle.most))
    }

    private companion object {
        const val TOP = 20
    }
}
