package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource
import java.io.File
import java.util.concurrent.Callable
import java.util.concurrent.Executors

/** What the client does around the models; the models are stand-ins. */
class RecommendTest {
    @TempDir
    lateinit var temp: File

    private fun bundle(made: SyntheticBundle, watch: ((StandInModel) -> Unit)? = null) =
        RecommenderBundle.open(DirectorySource(made.write(File(temp, "bundle"))), StandInRuntime(watch))

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `answers are in order, without what was seen`(layout: Layout) {
        bundle(SyntheticBundle(layout)).use { bundle ->
            val found = bundle.recommend(listOf(Rated("m3", 5f), Rated("Title m4")), top = 12)
            assertEquals(12, found.size)
            assertTrue(found.none { it.item.id in setOf("m3", "m4") })
            assertEquals(found.sortedByDescending { it.score }, found)
            assertTrue(found.all { (it.stars == null) == (layout == Layout.SPLIT) })
            assertEquals(found.take(3), bundle.recommend(listOf(Rated("m3", 5f), Rated("Title m4")), top = 3))
        }
    }

    @Test
    fun `a cascade and a pair give the same answers`() {
        val (cascade, pair) = listOf(Layout.CASCADE, Layout.PAIR).map { layout ->
            bundle(SyntheticBundle(layout)).use {
                it.recommend(
                    listOf(Rated("m3", 5f), Rated("m9", 1f)),
                    listOf("age:18"),
                    listOf("Drama", "Comedy"),
                    top = 12,
                )
            }
        }
        assertEquals(cascade, pair)
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `an answer is narrowed to genres, and ends where there are no more`(layout: Layout) {
        bundle(SyntheticBundle(layout)).use { bundle ->
            val drama = bundle.recommend(emptyList(), genres = listOf("Drama"), top = 12)
            assertEquals(12, drama.size)
            assertTrue(drama.all { it.item.genres == listOf("Drama") })
            val most = (0 until 40).filter { it % 3 == 1 && it > 7 }.map { Rated("m$it") }
            val left = bundle.recommend(most, genres = listOf("Drama"), top = 12)
            assertEquals(setOf("m1", "m4", "m7"), left.mapTo(HashSet()) { it.item.id })
            assertEquals(emptyList<Recommendation>(), bundle.recommend(List(40) { Rated("m$it") }))
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `a query leaves no trace in the next one`(layout: Layout) {
        bundle(SyntheticBundle(layout)).use { bundle ->
            val before = bundle.recommend(listOf(Rated("m1")))
            bundle.recommend(List(30) { Rated("m$it", 2f) }, listOf("age:18"), listOf("Sci-Fi"))
            assertEquals(before, bundle.recommend(listOf(Rated("m1"))))
            val query = bundle.newQuery()
            for (i in 0 until 30) query.add(i, 3f)
            query.narrow(1)
            query.clear()
            query.add(1)
            val answer = Answer(10)
            bundle.recommendInto(query, answer)
            assertEquals(before.map { it.item.id }, answer.ids.map { bundle.item(it).id })
        }
    }

    @Test
    fun `rows of a split bundle are scored as NumPy would`() {
        for (dtype in listOf("int8", "float32")) {
            val made = SyntheticBundle(Layout.SPLIT, dtype = dtype)
            bundle(made).use { bundle ->
                val found = bundle.recommend(listOf(Rated("m2"), Rated("m5")), top = 12)
                // The stand-in's query vector, from the same inputs.
                val who = 3 * (6 * 40 + 2 + 5)
                val query = List(made.d) { j -> ((who + 5 * j) % 7 - 3).toFloat() }
                val scores = (0 until 40).filter { it != 2 && it != 5 }.associateWith { item ->
                    0.25f * made.row(item).zip(query) { a, b -> a * b }.sum()
                }
                val expected = scores.entries.sortedWith(compareBy({ -it.value }, { it.key })).take(12)
                assertEquals(expected.map { "m${it.key}" }, found.map { it.item.id })
                assertEquals(expected.map { it.value }, found.map { it.score })
            }
        }
    }

    @Test
    fun `items that came after the encoder are unknown to it, and can be recommended`() {
        var history = emptyList<Int>()
        val made = SyntheticBundle(Layout.SPLIT, ids = List(50) { "m$it" }, known = 40, k = 50)
        bundle(made) { history = it.ints("history") }.use { bundle ->
            val found = bundle.recommend(listOf(Rated("m45"), Rated("m39"), Rated("m40")), top = 47)
            assertEquals(listOf(40, 40, 40, 40, 40, 40, 39, 40), history)
            val expected = (0 until 50).map { "m$it" }.toSet() - setOf("m45", "m39", "m40")
            assertEquals(expected, found.mapTo(HashSet()) { it.item.id })
        }
    }

    @Test
    fun `ratings of chosen items, more than fit in one call`() {
        bundle(SyntheticBundle(Layout.PAIR)).use { bundle ->
            val query = bundle.newQuery().apply { add(3, 4f) }
            val all = FloatArray(40)
            bundle.rateInto(query, IntArray(40) { it }, all)
            for (item in listOf(0, 11, 12, 39)) {
                val one = FloatArray(1)
                bundle.rateInto(query, intArrayOf(item), one)
                assertEquals(all[item], one[0])
            }
            bundle.rateInto(query, IntArray(0), FloatArray(0))
            val found = bundle.recommend(listOf(Rated("m3", 4f)))
            assertTrue(found.all { it.stars == all[bundle.indexOfItem(it.item.id)] })
        }
        bundle(SyntheticBundle(Layout.SPLIT)).use { bundle ->
            refused(ErrorCode.QUERY_UNSUPPORTED) { bundle.rateInto(bundle.newQuery(), IntArray(1), FloatArray(1)) }
        }
    }

    @Test
    fun `bad queries are refused with their code`() {
        bundle(SyntheticBundle(Layout.PAIR)).use { bundle ->
            refused(ErrorCode.ITEM_UNKNOWN) { bundle.recommend(listOf(Rated("nothing like it"))) }
            refused(ErrorCode.ITEM_UNKNOWN) { bundle.recommend(listOf(Rated(""))) }
            for (stars in listOf(0f, 0.99f, 5.01f, Float.NaN, Float.POSITIVE_INFINITY)) {
                refused(ErrorCode.STARS_INVALID) { bundle.recommend(listOf(Rated("m1", stars))) }
            }
            refused(ErrorCode.PREFERENCE_UNKNOWN) { bundle.recommend(emptyList(), listOf("sci-fi")) }
            refused(ErrorCode.GENRE_UNKNOWN) { bundle.recommend(emptyList(), genres = listOf("drama")) }
            refused(ErrorCode.QUERY_UNSUPPORTED) { bundle.recommend(emptyList(), user = "7") }
            for (top in listOf(0, -1, 13)) refused(ErrorCode.TOP_INVALID) { bundle.recommend(emptyList(), top = top) }
            assertEquals(
                bundle.recommend(listOf(Rated("m1"))),
                bundle.recommend(listOf(Rated("x"), Rated("m1"), Rated("")), skipUnknown = true),
            )
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `a title leaves out all items that have it, an id only its own`(layout: Layout) {
        val titles = List(40) { if (it < 3) "Twins" else "Title $it" }
        var history = emptyList<Int>()
        val made = SyntheticBundle(layout, titles = titles, k = 40)
        val watch = { model: StandInModel -> if (model.reads("history")) history = model.ints("history") }
        bundle(made, watch).use { bundle ->
            val idsWithout = { item: String ->
                bundle.recommend(listOf(Rated(item)), top = 40).mapTo(HashSet()) { it.item.id }
            }
            val all = (0 until 40).mapTo(HashSet()) { "m$it" }
            assertEquals(all - setOf("m0", "m1", "m2"), idsWithout("Twins"))
            assertEquals(List(7) { 40 } + 0, history)
            assertEquals(all - "m1", idsWithout("m1"))
            assertEquals(List(7) { 40 } + 1, history)
        }
    }

    @Test
    fun `an item added again moves to the end of the history with its last rating`() {
        var given: Pair<List<Int>, List<Float>>? = null
        val watch = { model: StandInModel -> given = model.ints("history") to model.floats("stars") }
        bundle(SyntheticBundle(Layout.CASCADE), watch).use { bundle ->
            bundle.recommend(listOf(Rated("m1", 5f), Rated("m2", 4f), Rated("m3", 3f), Rated("m1", 1f), Rated("m3")))
            assertEquals(listOf(40, 40, 40, 40, 40, 2, 1, 3) to listOf(0f, 0f, 0f, 0f, 0f, 4f, 1f, 0f), given)
        }
    }

    @Test
    fun `an excluded item is left out, may be added later, and is forgotten by clear`() {
        bundle(SyntheticBundle(Layout.CASCADE, k = 40)).use { bundle ->
            val query = bundle.newQuery()
            val idsOf = {
                val answer = Answer(40)
                bundle.recommendInto(query, answer)
                answer.ids.take(answer.size).toSet()
            }
            for (item in listOf(7, 8, 7)) query.exclude(item)
            query.add(7, 5f)
            query.exclude(7)
            assertEquals(1, query.size)
            assertEquals((0 until 40).toSet() - setOf(7, 8), idsOf())
            query.clear()
            assertEquals((0 until 40).toSet(), idsOf())
            for (item in listOf(-1, 40)) {
                assertThrows(IndexOutOfBoundsException::class.java) { query.exclude(item) }
                assertThrows(IndexOutOfBoundsException::class.java) { query.add(item) }
            }
        }
    }

    @Test
    fun `a closed bundle, and a query of another one, are refused`() {
        val standIn = StandInRuntime()
        val folder = SyntheticBundle(Layout.PAIR).write(File(temp, "bundle"))
        val (one, other) = List(2) { RecommenderBundle.open(DirectorySource(folder), standIn) }
        refused(ErrorCode.QUERY_UNSUPPORTED) { one.recommendInto(other.newQuery(), Answer(1)) }
        refused(ErrorCode.TOP_INVALID) { one.recommendInto(one.newQuery(), Answer(13)) }
        one.close()
        one.close()
        refused(ErrorCode.CLOSED) { one.recommend(emptyList()) }
        refused(ErrorCode.CLOSED) { one.replayGolden() }
        other.close()
        assertEquals(standIn.opened, standIn.closed)
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `several threads get the answers that one gets`(layout: Layout) {
        bundle(SyntheticBundle(layout)).use { bundle ->
            val ask = { i: Int ->
                val history = List(1 + i % 7) { Rated("m${(i * 5 + it) % 40}", 1f + it % 5) }
                bundle.recommend(history, genres = listOf("Drama").take((i + 1) % 2))
            }
            val alone = List(200) { ask(it) }
            assertNotEquals(1, alone.toSet().size)
            val pool = Executors.newFixedThreadPool(4)
            val together = pool.invokeAll(List(200) { i -> Callable { ask(i) } }).map { it.get() }
            pool.shutdown()
            assertEquals(alone, together)
        }
    }

    @ParameterizedTest
    @EnumSource(Layout::class)
    fun `a call allocates nothing`(layout: Layout) {
        bundle(SyntheticBundle(layout)).use { bundle ->
            val query = bundle.newQuery()
            val answer = Answer(10)
            val history = Array(20) { "m$it" }
            val ask = {
                query.clear()
                for (item in history) query.add(bundle.indexOfItem(item), 4f)
                query.prefer(1)
                query.narrow(0)
                bundle.recommendInto(query, answer)
            }
            assertEquals(0, bytesOfCalls(call = ask))
            assertEquals(7, answer.size)
        }
    }
}
