package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import java.nio.ByteBuffer

/** The manifests that the kit accepts and refuses (android_assets/format/manifest_cases.json); the client decides alike. */
class ManifestCasesTest {
    private val corpus =
        JsonFields.of(
            JsonReader.parse(ByteBuffer.wrap(javaClass.getResource("/manifest_cases.json")!!.readBytes())),
            "corpus",
        )
    private val manifests = corpus.obj("manifests").let { all ->
        all.names().associateWith { name -> all.strings(name).joinToString("") { "$it\n" } }
    }

    private fun parse(text: String) = Manifest.parse(ByteBuffer.wrap(text.toByteArray()))

    private fun changed(case: JsonFields): String {
        val text = manifests.getValue(case.string("manifest"))
        val parts = text.split(case.string("old"))
        assertEquals(2, parts.size, "${case.string("old")} occurs ${parts.size - 1} times")
        return parts.joinToString(case.string("new"))
    }

    @Test
    fun `the manifests are sound as they are`() {
        assertTrue(manifests.isNotEmpty())
        for (text in manifests.values) parse(text)
    }

    @TestFactory
    fun `a change is accepted or refused with its code`(): List<DynamicTest> = corpus.objects("cases").map { case ->
        dynamicTest("${case.string("manifest")}: ${case.string("name")}") {
            val code = case.stringOrNull("code")
            val text = changed(case)
            if (code == null) parse(text) else refused(ErrorCode.valueOf(code)) { parse(text) }
        }
    }

    @TestFactory
    fun `a scale has one text in the contract`(): List<DynamicTest> = corpus.objects("scales").map { row ->
        dynamicTest(row.string("written")) {
            val text = manifests.getValue("split").replace("\"scale\": 0.25", "\"scale\": ${row.string("written")}")
            assertEquals(row.string("contract"), Contract.shortest(parse(text).candidates!!.scale!!))
        }
    }
}
