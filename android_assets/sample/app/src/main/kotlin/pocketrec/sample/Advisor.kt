package pocketrec.sample

import pocketrec.client.Item
import pocketrec.client.Rated
import pocketrec.client.Recommendation
import pocketrec.client.RecommenderBundle
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicInteger

/** Everything there is to pick from. */
class Catalogue(val films: List<Item>, val mostStars: Int)

/**
 * Opens a bundle once and asks it, away from the main thread.
 *
 * @param worker runs one task after the other; opening and asking happen there, and [open] is called there.
 * @param main where answers are delivered.
 */
class Advisor(private val worker: Executor, private val main: Executor, open: () -> RecommenderBundle) {
    private val bundle by lazy(open)
    private val asked = AtomicInteger()

    fun catalogue(then: (Result<Catalogue>) -> Unit) = worker.execute {
        val found = runCatching { Catalogue(List(bundle.itemCount, bundle::item), bundle.mostStars.toInt()) }
        main.execute { then(found) }
    }

    /** Answers the latest question only: one that another has followed meanwhile is dropped. */
    fun recommend(picks: Picks, then: (Result<List<Recommendation>>) -> Unit) {
        val number = asked.incrementAndGet()
        worker.execute {
            if (number == asked.get()) {
                val found = runCatching { bundle.recommend(historyOf(picks), top = minOf(TOP, bundle.most)) }
                main.execute { if (number == asked.get()) then(found) }
            }
        }
    }

    private fun historyOf(picks: Picks) = picks.stars.map { (id, stars) -> Rated(id, stars) }

    private companion object {
        const val TOP = 20
    }
}
