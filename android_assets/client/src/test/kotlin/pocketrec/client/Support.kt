package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import java.io.File
import java.nio.ByteBuffer

/** Assert that an action is refused with a code; returns the exception. */
fun refused(code: ErrorCode, action: () -> Unit): BundleException {
    val error = assertThrows(BundleException::class.java) { action() }
    assertEquals(code, error.code, error.message)
    return error
}

private fun property(name: String): String = System.getProperty(name).orEmpty().ifEmpty {
    error("$name is not set; run `make android-test`")
}

/** Bundles that the kit wrote, from the system property `pocketrec.bundle` (several, joined by ':'). */
fun kitBundles(): List<File> = property("pocketrec.bundle").split(':').map { File(it) }

/** An update of the catalogue of the kit's split bundle (system property `pocketrec.update`). */
fun kitUpdate(): File = File(property("pocketrec.update"))

/** What the kit answers, with reasons, by the name of the bundle (system property `pocketrec.reasons`, a JSON file). */
internal fun kitReasons(folder: File): JsonFields {
    val text = File(property("pocketrec.reasons")).readBytes()
    return JsonFields.of(JsonReader.parse(ByteBuffer.wrap(text)), "reasons").obj(folder.name)
}

/** The key that signed a kit's bundle (system property `pocketrec.key`, a PEM file); none for an unsigned bundle. */
fun kitKeys(folder: File): List<PublicKey> {
    val isSigned = File(folder, "manifest.sig").exists()
    return if (isSigned) listOf(PublicKey.fromPem(File(property("pocketrec.key")).readText())) else emptyList()
}

/** Project Wycheproof's ed25519_test.json (system property `pocketrec.wycheproof`). */
fun wycheproof(): File = File(property("pocketrec.wycheproof"))

fun unhex(text: String): ByteArray =
    ByteArray(text.length / 2) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() }

/** LiteRT, from the shared library named by the system property `pocketrec.litert`. */
val liteRt: LiteRtRuntime by lazy { LiteRtRuntime(property("pocketrec.litert")) }
