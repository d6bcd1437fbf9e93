package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer
import java.util.concurrent.Callable
import java.util.concurrent.Executors

/** Bundles that the kit wrote, executed for real. */
@OnEachKitRuntime
class KitBundleTest(private val runtime: KitRuntime) {
    private fun open(folder: File) = RecommenderBundle.open(DirectorySource(folder), runtime, kitKeys(folder))

    private fun eachBundle(test: (File) -> Unit): List<DynamicTest> = kitBundles().map {
        dynamicTest(it.name) { test(it) }
    }

    @TestFactory
    fun `golden vectors and queries`(): List<DynamicTest> = eachBundle { folder ->
        open(folder).use { bundle ->
            val report = bundle.replayGolden()
            assertEquals(emptyList<String>(), report.failures)
            assertTrue(report.vectors > 0 && report.queries > 0)
            println("$runtime, ${folder.name}: ${report.vectors} golden vectors, ${report.queries} golden queries")
        }
    }

    @TestFactory
    fun `a changed golden answer is noticed`(): List<DynamicTest> = eachBundle { folder ->
        open(folder).use { bundle ->
            val original = bundle.verified.files.getValue(bundle.verified.manifest.golden)
            val text = decodeUtf8(original).replace(Regex("\"scores\": \\[[0-9.-]+"), "\"scores\": [77.0")
            val golden = bundle.verified.manifest.golden to ByteBuffer.wrap(text.toByteArray())
            val files = bundle.verified.files + golden
            val changed = VerifiedBundle(bundle.verified.manifest, bundle.verified.manifestBytes, null, files)
            RecommenderBundle.load(changed, runtime).use { assertTrue(it.replayGolden().failures.isNotEmpty()) }
        }
    }

    @TestFactory
    fun `reasons are the kit's`(): List<DynamicTest> = kitBundles().filter { it.name != "tutorial" }.map { folder ->
        dynamicTest(folder.name) {
            val asked = kitReasons(folder)
            open(folder).use { bundle ->
                val found = bundle.recommend(
                    asked.list("history").map { Rated((it as List<*>)[0] as String, JsonFields.finite(it[1])) },
                    asked.strings("prefer"),
                    dislikes = asked.strings("dislike"),
                    top = asked.int("top"),
                    why = true,
                )
                val expected = asked.objects("items")
                assertEquals(expected.map { it.string("id") }, found.map { it.item.id })
                for ((theirs, ours) in expected.zip(found)) assertSame(theirs, ours.why!!)
            }
        }
    }

    private fun assertSame(theirs: JsonFields, ours: Why) {
        val why = theirs.obj("why")
        val items = why.objects("items")
        assertEquals(items.map { it.string("id") }, ours.items.map { it.item.id })
        for ((expected, reason) in items.zip(ours.items)) {
            assertEquals(expected.float("contribution"), reason.contribution, TOLERANCE)
        }
        assertEquals(why.float("others"), ours.others!!, TOLERANCE)
        assertEquals(why.float("preferences"), ours.preferences!!, TOLERANCE)
        assertEquals(why.float("popularity"), ours.popularity!!, TOLERANCE)
        assertEquals(why.float("rating"), ours.rating!!, TOLERANCE)
        assertEquals(why.float("remainder"), ours.remainder!!, TOLERANCE)
    }

    @TestFactory
    fun `several threads get the answers that one gets`(): List<DynamicTest> = eachBundle { folder ->
        open(folder).use { bundle ->
            val ask = { i: Int ->
                bundle.recommend(List(5) { Rated(bundle.item((i * 31 + it * 7) % bundle.itemCount).id, 4f) })
            }
            val alone = List(40) { ask(it) }
            val pool = Executors.newFixedThreadPool(4)
            val together = pool.invokeAll(List(40) { i -> Callable { ask(i) } }).map { it.get() }
            pool.shutdown()
            assertEquals(alone, together)
        }
    }

    @TestFactory
    fun `the same bundle as one zip`(): List<DynamicTest> = eachBundle { folder ->
        val ask = { bundle: RecommenderBundle -> bundle.recommend(listOf(Rated(bundle.item(3).id, 4f))) }
        ZipSource(File("$folder.zip")).use { zip ->
            val unpacked = RecommenderBundle.open(zip, runtime, kitKeys(folder)).use(ask)
            assertEquals(open(folder).use(ask), unpacked)
        }
    }

    @Test
    fun `an update is installed and answers`(@TempDir temp: File) {
        val folder = kitBundles().first()
        val store = BundleStore(File(temp, "store"), kitKeys(folder))
        store.install(DirectorySource(folder), runtime)
        store.open(runtime).use { assertEquals(10, it.recommend(listOf(Rated(it.item(0).title, 5f))).size) }
    }

    @Test
    fun `an update of the catalogue that the kit wrote adds items`(@TempDir temp: File) {
        val folder = kitBundles().single { it.name == "split" }
        val store = BundleStore(File(temp, "store"), kitKeys(folder))
        refused(ErrorCode.UPDATE_INCOMPATIBLE) { store.install(DirectorySource(kitUpdate()), runtime) }
        store.install(DirectorySource(folder), runtime)
        assertEquals(2, store.install(DirectorySource(kitUpdate()), runtime))
        refused(ErrorCode.UPDATE_NOT_NEWER) { store.install(DirectorySource(kitUpdate()), runtime) }
        store.open(runtime).use { bundle ->
            val new = bundle.indexOfItem("N1")
            assertEquals(open(folder).use { it.itemCount }, new)
            assertEquals(emptyList<String>(), bundle.replayGolden().failures)
            val westerns = { history: List<Rated> ->
                bundle.recommend(history, genres = listOf("Western"), top = bundle.most).map { it.item.id }
            }
            assertTrue("N1" in westerns(emptyList()))
            assertFalse("N1" in westerns(listOf(Rated("N1", 5f))))
        }
        store.rollback()
        store.open(runtime).use { assertEquals(-1, it.indexOfItem("N1")) }
    }

    private companion object {
        const val TOLERANCE = 1e-4f
    }
}
