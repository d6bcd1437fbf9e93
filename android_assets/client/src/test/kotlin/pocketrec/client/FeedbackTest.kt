package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource
import java.io.File

/** Weights of a history that takes ratings, as a manifest has them. */
val WEIGHTS = mapOf(
    "recency" to 0.7,
    "disliked_at" to 2.0,
    "best" to 5.0,
    "per_unit" to 0.125,
    "dislike" to 0.2,
    "lone_dislike" to 0.9,
    "few" to 6.0,
    "popularity_half" to 8.0,
)

/** Dislikes, and what made up a score; the models are stand-ins. */
class FeedbackTest {
    @TempDir
    lateinit var temp: File

    private fun bundle(made: SyntheticBundle, watch: ((StandInModel) -> Unit)? = null) =
        RecommenderBundle.open(DirectorySource(made.write(File(temp, "bundle"))), StandInRuntime(watch))

    private fun idsOf(found: List<Recommendation>) = found.mapTo(HashSet()) { it.item.id }

    @Test
    fun `a dislike stands before the history, rated lowest, or below 0 without ratings`() {
        var given: Pair<List<Int>, List<Float>>? = null
        val watch = { model: StandInModel -> given = model.ints("history") to model.floats("stars") }
        for ((range, rating) in listOf(listOf(1, 5) to 1f, listOf(1, 1) to -1f, listOf(0, 5) to -1f)) {
            val made = SyntheticBundle(Layout.CASCADE, historyWeights = WEIGHTS, ratingRange = range)
            bundle(made, watch).use { bundle ->
                assertTrue(bundle.learnsFromDislikes)
                assertEquals(range[0] < range[1], bundle.hasRatings)
                bundle.recommend(listOf(Rated("m1", 1f), Rated("m2")), dislikes = listOf("m9", "Title m7"))
                val expected = listOf(40, 40, 40, 40, 9, 7, 1, 2) to listOf(0f, 0f, 0f, 0f, rating, rating, 1f, 0f)
                assertEquals(expected, given)
            }
        }
    }

    @Test
    fun `what was used keeps its places, and at most half of the window is taken`() {
        var history = emptyList<Int>()
        val made = SyntheticBundle(Layout.CASCADE, historyWeights = WEIGHTS)
        bundle(made, { history = it.ints("history") }).use { bundle ->
            val used = List(10) { Rated("m$it") }
            bundle.recommend(used, dislikes = listOf("m20", "m21"))
            assertEquals(listOf(20, 21, 4, 5, 6, 7, 8, 9), history)
            bundle.recommend(used, dislikes = List(6) { "m${20 + it}" })
            assertEquals(listOf(22, 23, 24, 25, 6, 7, 8, 9), history)
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `a disliked item and all with its title stay away, whatever the history says`(layout: Layout) {
        val titles = List(40) { if (it < 3) "Twins" else "Title $it" }
        for (weights in listOf(null, WEIGHTS)) {
            bundle(SyntheticBundle(layout, titles = titles, k = 40, historyWeights = weights)).use { bundle ->
                val all = (0 until 40).mapTo(HashSet()) { "m$it" }
                for (name in listOf("Twins", "m1")) {
                    val found = bundle.recommend(listOf(Rated("m2", 5f)), top = 40, dislikes = listOf(name))
                    assertEquals(all - setOf("m0", "m1", "m2"), idsOf(found))
                }
                val query = bundle.newQuery()
                query.dislike(1)
                query.add(2, 5f)
                query.add(1, 5f)
                assertEquals(0, query.size)
                query.clear()
                query.add(1)
                query.add(5)
                query.dislike(5)
                query.dislike(5)
                assertEquals(1, query.size)
                query.clear()
                val answer = Answer(40)
                bundle.recommendInto(query, answer)
                assertEquals(40, answer.size)
                assertThrows(IndexOutOfBoundsException::class.java) { query.dislike(40) }
            }
        }
    }

    @Test
    fun `models that take no ratings are not given dislikes`() {
        var history = emptyList<Int>()
        bundle(SyntheticBundle(Layout.CASCADE), { history = it.ints("history") }).use { bundle ->
            assertFalse(bundle.learnsFromDislikes)
            bundle.recommend(listOf(Rated("m1", 5f), Rated("m2")), dislikes = listOf("m9", "m1"))
            assertEquals(List(7) { 40 } + 2, history)
        }
    }

    @Test
    fun `an unknown dislike is refused, or left out where that is asked for`() {
        bundle(SyntheticBundle(Layout.PAIR, historyWeights = WEIGHTS)).use { bundle ->
            refused(ErrorCode.ITEM_UNKNOWN) { bundle.recommend(emptyList(), dislikes = listOf("nothing like it")) }
            assertEquals(
                bundle.recommend(listOf(Rated("m1")), dislikes = listOf("m2")),
                bundle.recommend(listOf(Rated("m1")), dislikes = listOf("x", "m2"), skipUnknown = true),
            )
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `all parts of a score add up to it`(layout: Layout) {
        bundle(SyntheticBundle(layout, historyWeights = WEIGHTS)).use { bundle ->
            val found = bundle.recommend(
                listOf(Rated("m1", 5f), Rated("m2", 1f), Rated("m3")),
                listOf("age:18"),
                top = 6,
                dislikes = listOf("m9"),
                why = true,
            )
            assertEquals(6, found.size)
            for (one in found) {
                val why = one.why!!
                assertTrue(why.isExact)
                val parts = listOf(why.others, why.preferences, why.popularity, why.rating, why.remainder)
                val sum = why.items.sumOf { it.contribution.toDouble() } + parts.sumOf { it!!.toDouble() }
                assertEquals(one.score.toDouble(), sum, 1e-4)
                assertTrue(why.items.all { it.contribution > 0 && it.isDisliked == (it.item.id in setOf("m2", "m9")) })
            }
        }
    }

    @Test
    fun `without weights it is what the score loses without the item`() {
        bundle(SyntheticBundle(Layout.SPLIT, ids = List(9) { "m$it" }, k = 9)).use { bundle ->
            val history = listOf(Rated("m1"), Rated("m4"))
            val found = bundle.recommend(history, top = 9, why = true)
            // The stand-in takes an unknown item for the number of items.
            for (one in found) {
                val row = SyntheticBundle(Layout.SPLIT).row(one.item.id.drop(1).toInt())
                val score = { who: Int -> 0.25 * row.indices.sumOf { row[it] * ((who + 5 * it) % 7 - 3) } }
                val whole = 3 * (6 * 9 + 1 + 4)
                val lost = mapOf("m1" to score(whole) - score(whole + 24), "m4" to score(whole) - score(whole + 15))
                val named = lost.filterValues { it > 0 }
                val why = one.why!!
                assertEquals(named.keys, why.items.mapTo(HashSet()) { it.item.id })
                for (reason in why.items) assertEquals(named.getValue(reason.item.id), reason.contribution.toDouble())
                assertFalse(why.isExact)
                assertNull(why.popularity)
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `reasons leave no trace, and none are given where none were asked for`(layout: Layout) {
        bundle(SyntheticBundle(layout, historyWeights = WEIGHTS)).use { bundle ->
            val ask = { bundle.recommend(listOf(Rated("m1", 5f)), dislikes = listOf("m9")) }
            val before = ask()
            assertTrue(before.all { it.why == null })
            val explained = bundle.recommend(listOf(Rated("m1", 5f)), dislikes = listOf("m9"), why = true)
            assertEquals(before, explained.map { it.copy(why = null) })
            assertEquals(before, ask())
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `a call with dislikes allocates nothing`(layout: Layout) {
        val titles = List(40) { if (it < 3) "Twins" else "Title $it" }
        bundle(SyntheticBundle(layout, titles = titles, historyWeights = WEIGHTS)).use { bundle ->
            val query = bundle.newQuery()
            val answer = Answer(10)
            val ask = {
                query.clear()
                for (item in 10 until 30) query.add(item, 4f)
                for (item in 0 until 12) query.dislike(item)
                bundle.recommendInto(query, answer)
            }
            assertEquals(0, bytesOfCalls(call = ask))
        }
    }
}
