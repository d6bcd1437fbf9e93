package pocketrec.client

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.Callable
import java.util.concurrent.Executors

/** What [ModelRuntime] and [Model] promise, of runtimes that execute models for real. */
@OnEachKitRuntime
class KitRuntimeTest(private val runtime: KitRuntime) {
    /** Counts what the runs of models allocate. */
    private class Metered(private val runtime: ModelRuntime) : ModelRuntime {
        var bytes = 0L
        var runs = 0

        override fun load(file: ByteBuffer): Model {
            val model = runtime.load(file)
            return object : Model by model {
                override fun run() {
                    val before = allocatedBytes()
                    model.run()
                    bytes += allocatedBytes() - before
                    runs++
                }
            }
        }
    }

    private fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).also {
        it.put(bytes)
        it.clear()
    }

    private fun kitModels(): List<ByteBuffer> = kitBundles().flatMap { folder ->
        folder.walk().filter { it.extension == "tflite" }.map { direct(it.readBytes()) }
    }

    private fun ranker(): Model = kitModels().first { file -> TfliteFile(file).inputs.any { -1 in it.shape } }
        .let { runtime.load(it) }

    private fun ratings(model: Model, ids: List<Int>): FloatArray {
        model.resize(ids.size)
        for (i in ids.indices) model.input("items").putInt(4 * i, ids[i])
        model.run()
        return FloatArray(ids.size) { model.output("rating").getFloat(4 * it) }
    }

    @Test
    fun `ports are those of the file, and buffers are direct, in native order and as long as their tensors`() {
        for (file in kitModels()) {
            val parsed = TfliteFile(file)
            runtime.load(file).use { model ->
                assertEquals(parsed.inputs.sortedBy { it.name }, model.inputs.sortedBy { it.name })
                assertEquals(parsed.outputs.sortedBy { it.name }, model.outputs.sortedBy { it.name })
                if (model.inputs.any { -1 in it.shape }) model.resize(3)
                val buffers = model.inputs.map { it to model.input(it.name) } +
                    model.outputs.map { it to model.output(it.name) }
                for ((port, buffer) in buffers) {
                    assertTrue(buffer.isDirect)
                    assertEquals(ByteOrder.nativeOrder(), buffer.order())
                    assertEquals(port.bytes(3), buffer.capacity())
                }
            }
        }
    }

    @Test
    fun `a model takes more items and fewer, and rates each as before`() {
        ranker().use { model ->
            val all = ratings(model, List(500) { it })
            assertTrue(all.toSet().size > 100)
            for (some in listOf(listOf(7), listOf(3, 499, 20), List(500) { it })) {
                assertArrayEquals(some.map { all[it] }.toFloatArray(), ratings(model, some), 1e-5f)
            }
        }
    }

    @Test
    fun `positions and limits of buffers mean nothing, and inputs stay as they are`() {
        ranker().use { model ->
            val expected = ratings(model, listOf(1, 2, 3))
            val items = model.input("items")
            items.position(4)
            items.limit(8)
            model.output("rating").position(12)
            model.run()
            items.clear()
            assertEquals(listOf(1, 2, 3), List(3) { items.getInt(4 * it) })
            val rating = model.output("rating")
            rating.clear()
            assertArrayEquals(expected, FloatArray(3) { rating.getFloat(4 * it) }, 0f)
        }
    }

    @Test
    fun `what is no model is refused by an exception`() {
        val whole = kitModels().first()
        for (size in listOf(0, 4, 100)) {
            val cut = ByteArray(size).also { whole.duplicate().get(it) }
            assertThrows(Exception::class.java) { runtime.load(direct(cut)) }
        }
        assertThrows(Exception::class.java) { runtime.load(direct(ByteArray(1000) { it.toByte() })) }
    }

    @Test
    fun `bundles are opened, asked and closed in several threads at once`() {
        for (folder in kitBundles()) {
            val ask = Callable {
                RecommenderBundle.open(DirectorySource(folder), runtime, kitKeys(folder)).use { bundle ->
                    bundle.recommend(List(5) { Rated(bundle.item(31 * it).id, 4f) })
                }
            }
            val pool = Executors.newFixedThreadPool(4)
            val found = pool.invokeAll(List(12) { ask }).map { it.get() }
            pool.shutdown()
            assertEquals(setOf(ask.call()), found.toSet())
        }
    }

    @Test
    fun `a call allocates nothing but what the runtime does`() {
        for (folder in kitBundles()) {
            val metered = Metered(runtime)
            RecommenderBundle.open(DirectorySource(folder), metered, kitKeys(folder)).use { bundle ->
                val query = bundle.newQuery()
                val answer = Answer(10)
                val ask = {
                    query.clear()
                    for (item in 0 until 20) query.add(7 * item, 4f)
                    query.dislike(3)
                    bundle.recommendInto(query, answer)
                }
                assertEquals(0, bytesOfCalls({ metered.bytes }, ask), folder.name)
                assertEquals(10, answer.size)
                println("$runtime, ${folder.name}: ${metered.bytes / metered.runs} bytes in each run of a model")
            }
        }
    }
}
