package pocketrec.client

import com.sun.management.ThreadMXBean
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.params.ParameterizedClass
import org.junit.jupiter.params.provider.MethodSource
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.util.function.LongSupplier

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

/** A runtime that executes the kit's models for real. */
class KitRuntime(private val name: String, private val runtime: ModelRuntime) : ModelRuntime by runtime {
    override fun toString() = name
}

/** Where Android's own library lies (system property `pocketrec.android`); null where it was not installed. */
val androidLibrary: File? = System.getProperty("pocketrec.android").orEmpty().ifEmpty { null }?.let { File(it) }

private val allKitRuntimes by lazy {
    val liteRt = KitRuntime("LiteRT", JnaRuntime(property("pocketrec.litert")))
    val tfLite = androidLibrary?.let {
        loadAndroidLibrary(it, property("pocketrec.tflite"))
        KitRuntime("TfLiteRuntime", TfLiteRuntime())
    }
    listOfNotNull(liteRt, tfLite)
}

/**
 * LiteRT through its C API, from the shared library named by the system property `pocketrec.litert`; and, where it was installed,
 * what apps use: [TfLiteRuntime], on Android's own library.
 */
fun kitRuntimes(): List<KitRuntime> = allKitRuntimes

/** A class of tests that runs once on each of [kitRuntimes], its only constructor argument. */
@ParameterizedClass(name = "{0}")
@MethodSource("pocketrec.client.SupportKt#kitRuntimes")
annotation class OnEachKitRuntime

private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

/** Bytes that this thread has allocated so far. */
fun allocatedBytes(): Long = threads.getThreadAllocatedBytes(Thread.currentThread().id)

/**
 * Bytes that a thousand calls allocate. What a call allocates shows in every round; what the JVM does once (compiling, linking), not.
 *
 * @param apart what of [allocatedBytes] is not to be counted.
 */
fun bytesOfCalls(apart: LongSupplier = LongSupplier { 0 }, call: () -> Unit): Long = List(5) {
    val before = allocatedBytes() - apart.asLong
    repeat(1000) { call() }
    allocatedBytes() - apart.asLong - before
}.min()
