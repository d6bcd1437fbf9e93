package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer

/** [LiteRtRuntime] on bundles that the kit wrote. Below the declarations of LiteRT's Kotlin API its C library executes them. */
class LiteRtRuntimeTest {
    @field:TempDir
    lateinit var temp: File

    private val reference = kitRuntimes().first()

    private fun open(folder: File, runtime: ModelRuntime) =
        RecommenderBundle.open(DirectorySource(folder), runtime, kitKeys(folder))

    private fun layoutOf(folder: File) = open(folder, reference).use { it.layout }

    private fun eachBundle(isPair: Boolean, test: (File) -> Unit): List<DynamicTest> = kitBundles()
        .filter { (layoutOf(it) == Layout.PAIR) == isPair }
        .map { dynamicTest(it.name) { test(it) } }
        .also { assertTrue(it.isNotEmpty()) }

    private fun asked(folder: File, runtime: ModelRuntime) = open(folder, runtime).use { bundle ->
        bundle.recommend(List(5) { Rated(bundle.item(7 * it).id, 4f) }, dislikes = listOf(bundle.item(50).id))
    }

    @TestFactory
    fun `golden vectors and queries`(): List<DynamicTest> = eachBundle(isPair = false) { folder ->
        open(folder, LiteRtRuntime(temp)).use { bundle ->
            val report = bundle.replayGolden()
            assertEquals(emptyList<String>(), report.failures)
            assertTrue(report.vectors > 0 && report.queries > 0)
            println("LiteRtRuntime, ${folder.name}: ${report.vectors} golden vectors, ${report.queries} golden queries")
        }
        assertEquals(asked(folder, reference), asked(folder, LiteRtRuntime(temp)))
    }

    @TestFactory
    fun `a model with a free dimension is refused`(): List<DynamicTest> = eachBundle(isPair = true) { folder ->
        refused(ErrorCode.RUNTIME_FAILED) { open(folder, LiteRtRuntime(temp)).close() }
    }

    @Test
    fun `no file is left behind, not by a model that is refused either`() {
        val folder = kitBundles().first { layoutOf(it) == Layout.CASCADE }
        open(folder, LiteRtRuntime(temp)).use { assertEquals(emptyList<String>(), temp.list()!!.toList()) }
        val model = folder.walk().first { it.extension == "tflite" }.readBytes()
        val cut = ByteBuffer.allocateDirect(model.size / 2).put(model, 0, model.size / 2)
        cut.clear()
        assertThrows(Exception::class.java) { LiteRtRuntime(temp).load(cut) }
        assertEquals(emptyList<String>(), temp.list()!!.toList())
    }
}
