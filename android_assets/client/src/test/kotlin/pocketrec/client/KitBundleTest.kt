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

/** Bundles that the kit wrote, executed by a real LiteRT. */
class KitBundleTest {
    private fun open(folder: File) = RecommenderBundle.open(DirectorySource(folder), liteRt, kitKeys(folder))

    private fun eachBundle(test: (File) -> Unit): List<DynamicTest> = kitBundles().map {
        dynamicTest(it.name) { test(it) }
    }

    @TestFactory
    fun `golden vectors and queries`(): List<DynamicTest> = eachBundle { folder ->
        open(folder).use { bundle ->
            val report = bundle.replayGolden()
            assertEquals(emptyList<String>(), report.failures)
            assertTrue(report.vectors > 0 && report.queries > 0)
            println("${folder.name}: ${report.vectors} golden vectors, ${report.queries} golden queries")
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
            RecommenderBundle.load(changed, liteRt).use { assertTrue(it.replayGolden().failures.isNotEmpty()) }
        }
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
            val unpacked = RecommenderBundle.open(zip, liteRt, kitKeys(folder)).use(ask)
            assertEquals(open(folder).use(ask), unpacked)
        }
    }

    @Test
    fun `an update is installed and answers`(@TempDir temp: File) {
        val folder = kitBundles().first()
        val store = BundleStore(File(temp, "store"), kitKeys(folder))
        store.install(DirectorySource(folder), liteRt)
        store.open(liteRt).use { assertEquals(10, it.recommend(listOf(Rated(it.item(0).title, 5f))).size) }
    }

    @Test
    fun `an update of the catalogue that the kit wrote adds items`(@TempDir temp: File) {
        val folder = kitBundles().single { it.name == "split" }
        val store = BundleStore(File(temp, "store"), kitKeys(folder))
        refused(ErrorCode.UPDATE_INCOMPATIBLE) { store.install(DirectorySource(kitUpdate()), liteRt) }
        store.install(DirectorySource(folder), liteRt)
        assertEquals(2, store.install(DirectorySource(kitUpdate()), liteRt))
        refused(ErrorCode.UPDATE_NOT_NEWER) { store.install(DirectorySource(kitUpdate()), liteRt) }
        store.open(liteRt).use { bundle ->
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
        store.open(liteRt).use { assertEquals(-1, it.indexOfItem("N1")) }
    }
}
