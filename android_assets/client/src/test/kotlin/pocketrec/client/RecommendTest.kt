package pocketrec.client

import com.sun.management.ThreadMXBean
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource
import java.io.File
import java.lang.management.ManagementFactory
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
            assertEquals(
                setOf("m1", "m4", "m7"),
                bundle.recommend(most, genres = listOf("Drama"), top = 12).mapTo(HashSet()) {
                    it.item.id
                },
            )
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
                var query = emptyList<Float>()
                val found = bundle.recommend(listOf(Rated("m2"), Rated("m5")), top = 12)
                // The stand-in's query vector, from the same inputs.
                val who = 3 * (6 * 40 + 2 + 5)
                query = List(made.d) { j -> ((who + 5 * j) % 7 - 3).toFloat() }
                val scores = (0 until 40).filter { it != 2 && it != 5 }.associateWith { item ->
                    0.25f *
                        made.row(item).zip(query) { a, b -> a * b }.sum()
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
            assertEquals(
                (0 until 50).map {
                    "m$it"
                }.toSet() - setOf("m45", "m39", "m40"),
                found.mapTo(HashSet()) { it.item.id },
            )
        }
    }

    @Test
    fun `stars of chosen items, more than fit one call`() {
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
    fun `what cannot be understood is refused with its code`() {
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
                bundle.recommend(
                    List(1 + i % 7) { Rated("m${(i * 5 + it) % 40}", 1f + it % 5) },
                    genres = if (i %
                        2 ==
                        0
                    ) {
                        listOf("Drama")
                    } else {
                        emptyList()
                    },
                )
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
            val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
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
            val me = Thread.currentThread().id
            // What a call allocates shows in every round; what the JVM does once (compiling, linking), not.
            val rounds =
                List(5) {
                    val before = threads.getThreadAllocatedBytes(me)
                    repeat(CALLS) { ask() }
                    threads.getThreadAllocatedBytes(me) - before
                }
            assertEquals(0, rounds.min(), "$rounds")
            assertEquals(7, answer.size)
        }
    }

    private companion object {
        const val CALLS = 1000
    }
}
