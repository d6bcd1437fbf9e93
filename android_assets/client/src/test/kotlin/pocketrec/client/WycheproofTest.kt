package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer

/** All of Project Wycheproof's Ed25519 vectors. */
class WycheproofTest {
    private class Vector(val id: Int, val result: String, val flags: Set<String>, val isAccepted: Boolean)

    private val vectors: List<Vector> by lazy {
        val document = JsonFields.of(JsonReader.parse(ByteBuffer.wrap(wycheproof().readBytes())), "vectors")
        val found = document.objects("testGroups").flatMap { group ->
            val key = unhex(group.obj("publicKey").string("pk"))
            group.objects("tests").map { test(it, key) }
        }
        found.also { assertEquals(document.int("numberOfTests"), it.size) }
    }

    private fun test(row: JsonFields, key: ByteArray) = Vector(
        row.int("tcId"),
        row.string("result"),
        row.strings("flags").toSet(),
        Ed25519.verify(unhex(row.string("msg")), unhex(row.string("sig")), key),
    )

    @Test
    fun `valid signatures are accepted and invalid ones refused`() {
        for (vector in vectors.filter { it.result != "acceptable" }) {
            assertEquals(vector.result == "valid", vector.isAccepted, "vector ${vector.id}")
        }
    }

    @Test
    fun `keys of small order are refused`() {
        for (vector in vectors) if ("SmallOrderPublicKey" in vector.flags) assertFalse(vector.isAccepted)
    }

    /** The Python test compares this line with the kit's own verifier. */
    @Test
    fun `what is accepted is printed`() {
        println("wycheproof: ${vectors.size} vectors, accepted ${vectors.filter { it.isAccepted }.map { it.id }}")
    }
}
