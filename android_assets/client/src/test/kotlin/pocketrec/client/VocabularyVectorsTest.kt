package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer

/** Kotlin resolves names and histories as Python does: tests/android_assets/client/client_vectors.py wrote the expectations. */
class VocabularyVectorsTest {
    @TempDir
    lateinit var temp: File

    private val vectors =
        JsonFields.of(
            JsonReader.parse(ByteBuffer.wrap(javaClass.getResource("/vocabulary_vectors.json")!!.readBytes())),
            "vectors",
        )
    private val items = vectors.objects("items")
    private lateinit var bundle: RecommenderBundle

    @BeforeEach
    fun open() {
        val made =
            SyntheticBundle(
                Layout.CASCADE,
                ids = items.map { it.string("id") },
                titles = items.map { it.string("title") },
                window = vectors.int("window"),
                historyWeights = WEIGHTS,
            )
        bundle = RecommenderBundle.open(DirectorySource(made.write(File(temp, "bundle"))), StandInRuntime())
    }

    @Test
    fun `ids of the item vocabulary`() {
        val rows = vectors.objects("ids")
        assertTrue(rows.size > items.size)
        val vocabulary = bundle.vocabulary("items")!!
        for (row in rows) {
            val token = row.string("token")
            assertEquals(row.int("id", -1L..1000), vocabulary.indexOf(token), token)
        }
    }

    @Test
    fun `titles`() {
        val ids = bundle.vocabulary("items")!!
        val rows = vectors.objects("titles").filter { ids.indexOf(it.string("title")) < 0 }
        assertTrue(rows.size > items.size)
        for (row in rows) {
            val title = row.string("title")
            assertEquals(row.int("id", -1L..1000), bundle.indexOfItem(title), title)
        }
    }

    @Test
    fun `an id goes before a title`() {
        val twice = items.map { it.string("title") }.filter { bundle.vocabulary("items")!!.indexOf(it) >= 0 }
        assertEquals(listOf(""), twice)
        assertEquals(items.indexOfFirst { it.string("id") == "" }, bundle.indexOfItem(""))
    }

    @Test
    fun `histories as inputs`() {
        for (row in vectors.objects("histories")) {
            var given: Triple<List<Int>, List<Float>, List<Int>>? = null
            val history = row.list("history").map { entry ->
                (entry as List<*>).let { Rated(it[0] as String, JsonFields.finite(it[1])) }
            }
            val watching = StandInRuntime { given = Triple(it.ints("history"), it.floats("stars"), it.marks("seen")) }
            RecommenderBundle.load(bundle.verified, watching).use {
                it.recommend(history, listOf("genre:Sci-Fi"), dislikes = row.strings("dislike"))
            }
            val inputs = row.obj("inputs")
            assertEquals(Triple(inputs.ints("history"), inputs.floats("stars"), inputs.ints("seen")), given)
        }
    }
}
