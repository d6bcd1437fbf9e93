package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer
import java.nio.file.Files
import java.util.Random

/** Every way of breaking a bundle is refused with its code. */
class OpeningTest {
    @TempDir
    lateinit var temp: File

    private val signer = Signer()

    private fun open(folder: File, vararg keys: PublicKey) =
        RecommenderBundle.open(DirectorySource(folder), StandInRuntime(), keys.toList()).close()

    private fun flip(file: File) {
        val bytes = file.readBytes()
        val middle = bytes.size / 2
        bytes[middle] = (bytes[middle].toInt() xor 1).toByte()
        file.writeBytes(bytes)
    }

    private fun edit(folder: File, from: String, to: String) {
        val file = File(folder, "manifest.json")
        val text = file.readText()
        check(from in text) { "$from is not in the manifest" }
        file.writeText(text.replaceFirst(from, to))
    }

    /** Gives the golden file another name in the manifest. */
    private fun renamed(name: String) = { folder: File ->
        edit(folder, "\"path\":\"golden.json\"", "\"path\":\"$name\"")
    }

    /** Change a file, and the manifest with it, as a careless or hostile editor would. */
    private fun rewrite(folder: File, path: String, change: (ByteArray) -> ByteArray) {
        val file = File(folder, path)
        val old = file.readBytes()
        val new = change(old)
        file.writeBytes(new)
        edit(
            folder,
            sha256(ByteBuffer.wrap(old)) + "\",\"bytes\":${old.size}",
            sha256(ByteBuffer.wrap(new)) + "\",\"bytes\":${new.size}",
        )
    }

    private fun rewriteText(folder: File, path: String, change: (String) -> String) =
        rewrite(folder, path) { change(it.decodeToString()).toByteArray() }

    private fun swap(text: String, a: String, b: String) = text.replace(a, "\u0001").replace(b, a).replace("\u0001", b)

    private val breakages: List<Triple<String, ErrorCode, (File) -> Unit>> =
        listOf(
            Triple("manifest missing", ErrorCode.MANIFEST_MISSING) { File(it, "manifest.json").delete() },
            Triple("manifest cut off", ErrorCode.MANIFEST_INVALID) { f ->
                File(f, "manifest.json").let { it.writeText(it.readText().dropLast(1)) }
            },
            Triple("manifest not an object", ErrorCode.MANIFEST_INVALID) { File(it, "manifest.json").writeText("[]") },
            Triple("key twice", ErrorCode.MANIFEST_INVALID) { edit(it, "{\"schema\"", "{\"schema\":\"x\",\"schema\"") },
            Triple("NaN", ErrorCode.MANIFEST_INVALID) { edit(it, "\"k\":12", "\"k\":NaN") },
            Triple("schema of the future", ErrorCode.SCHEMA_UNKNOWN) { edit(it, "bundle/1", "bundle/2") },
            Triple("version 0", ErrorCode.MANIFEST_INVALID) { edit(it, "\"version\":1", "\"version\":0") },
            Triple("version beyond 32 bits", ErrorCode.MANIFEST_INVALID) {
                edit(it, "\"version\":1", "\"version\":2147483648")
            },
            Triple("version a fraction", ErrorCode.MANIFEST_INVALID) { edit(it, "\"version\":1", "\"version\":1.0") },
            Triple("unknown layout", ErrorCode.MANIFEST_INVALID) {
                edit(it, "\"layout\":\"pair\"", "\"layout\":\"trio\"")
            },
            Triple("models of another layout", ErrorCode.MANIFEST_INVALID) {
                edit(it, "\"layout\":\"pair\"", "\"layout\":\"cascade\"")
            },
            Triple("oov index", ErrorCode.MANIFEST_INVALID) { edit(it, "\"oov_index\":40", "\"oov_index\":0") },
            Triple("upwards", ErrorCode.MANIFEST_INVALID, renamed("../golden.json")),
            Triple("absolute", ErrorCode.MANIFEST_INVALID, renamed("/golden.json")),
            Triple("backslash", ErrorCode.MANIFEST_INVALID, renamed("a\\\\golden.json")),
            Triple("not normal", ErrorCode.MANIFEST_INVALID, renamed("./golden.json")),
            Triple("names that differ in case", ErrorCode.MANIFEST_INVALID, renamed("ITEMS.json")),
            Triple("manifest among the files", ErrorCode.MANIFEST_INVALID, renamed("manifest.json")),
            Triple("file that is used but not listed", ErrorCode.MANIFEST_INVALID) {
                edit(it, "\"golden\":\"golden.json\"", "\"golden\":\"g.json\"")
            },
            Triple("candidates in a pair", ErrorCode.MANIFEST_INVALID) {
                edit(
                    it,
                    "\"candidates\":null",
                    "\"candidates\":{\"file\":\"items.json\",\"dtype\":\"int8\",\"shape\":[1,1],\"scale\":1.0}",
                )
            },
            Triple("file missing", ErrorCode.FILE_MISSING) { File(it, "items.json").delete() },
            Triple("file undeclared", ErrorCode.FILE_UNDECLARED) { File(it, "models/extra.tflite").writeText("x") },
            Triple("signature undeclared", ErrorCode.FILE_UNDECLARED) {
                File(it, "manifest.sig").writeBytes(ByteArray(64))
            },
            Triple("link", ErrorCode.FILE_UNDECLARED) { f ->
                File(f, "golden.json").renameTo(File(f.parentFile, "elsewhere"))
                Files.createSymbolicLink(File(f, "golden.json").toPath(), File(f.parentFile, "elsewhere").toPath())
            },
            Triple("file shorter", ErrorCode.FILE_SIZE) { f ->
                File(f, "items.json").let { it.writeBytes(it.readBytes().dropLast(1).toByteArray()) }
            },
            Triple("file longer", ErrorCode.FILE_SIZE) { File(it, "items.json").appendText(" ") },
            Triple("bit in a model", ErrorCode.FILE_HASH) { flip(File(it, "models/ranker.tflite")) },
            Triple("bit in a vocabulary", ErrorCode.FILE_HASH) { flip(File(it, "vocabularies/items.txt")) },
            Triple("bit in items", ErrorCode.FILE_HASH) { flip(File(it, "items.json")) },
            Triple("bit in golden", ErrorCode.FILE_HASH) { flip(File(it, "golden.json")) },
            Triple("models exchanged", ErrorCode.MODEL_MISMATCH) { f ->
                val (a, b) = listOf("retriever", "ranker").map { File(f, "models/$it.tflite").readBytes() }
                rewrite(f, "models/retriever.tflite") { b + 0 }
                rewrite(f, "models/ranker.tflite") { a + 0 }
            },
            Triple("zeros for a model", ErrorCode.MODEL_INVALID) { f ->
                rewrite(f, "models/ranker.tflite") { ByteArray(100) }
            },
            Triple("model cut off", ErrorCode.MODEL_INVALID) { f ->
                rewrite(f, "models/ranker.tflite") { it.copyOf(it.size / 2) }
            },
            Triple("row missing in a vocabulary", ErrorCode.VOCABULARY_INVALID) { f ->
                rewriteText(f, "vocabularies/items.txt") { it.replace("m7\n", "") }
            },
            Triple("row twice in a vocabulary", ErrorCode.VOCABULARY_INVALID) { f ->
                rewriteText(f, "vocabularies/items.txt") { it.replace("m7\n", "m8\n") }
            },
            Triple("vocabulary without its last line end", ErrorCode.VOCABULARY_INVALID) { f ->
                rewriteText(f, "vocabularies/items.txt") { it.dropLast(1) }
            },
            Triple("vocabulary of carriage returns", ErrorCode.ITEMS_INVALID) { f ->
                rewriteText(f, "vocabularies/items.txt") { it.replace("\n", "\r\n") }
            },
            Triple("vocabulary not UTF-8", ErrorCode.VOCABULARY_INVALID) { f ->
                rewrite(f, "vocabularies/items.txt") { byteArrayOf(-1) + it.drop(1) }
            },
            Triple("vocabulary in another order", ErrorCode.ITEMS_INVALID) { f ->
                rewriteText(f, "vocabularies/items.txt") { swap(it, "m7\n", "m8\n") }
            },
            Triple("vocabulary and items in another order", ErrorCode.MODEL_MISMATCH) { f ->
                rewriteText(f, "vocabularies/items.txt") { swap(it, "m7\n", "m8\n") }
                rewriteText(f, "items.json") { swap(it, "\"m7\"", "\"m8\"") }
            },
            Triple("items malformed", ErrorCode.ITEMS_INVALID) { f ->
                rewriteText(f, "items.json") { it.replaceFirst("\"title\"", "\"name\"") }
            },
            Triple("ports of the manifest changed", ErrorCode.MODEL_MISMATCH) {
                edit(it, "\"shape\":[8]", "\"shape\":[9]")
            },
            Triple("rows of the manifest changed", ErrorCode.MODEL_MISMATCH) {
                edit(it, "\"items\":41", "\"items\":40")
            },
            Triple("rows beyond the vocabulary", ErrorCode.MODEL_MISMATCH) {
                edit(it, "\"items\":41", "\"items\":4100")
            },
            Triple("recipe changed", ErrorCode.CONTRACT_MISMATCH) {
                edit(it, "\"recipe\":\"float32\"", "\"recipe\":\"float16\"")
            },
            Triple("contract changed", ErrorCode.CONTRACT_MISMATCH) {
                edit(it, "\"contract\":\"", "\"contract\":\"${"0".repeat(64)}\",\"unknown_field\":\"")
            },
        )

    @TestFactory
    fun `a breakage is refused with its code`(): List<DynamicTest> = breakages.map { (name, code, damage) ->
        dynamicTest(name) {
            val folder = SyntheticBundle(Layout.PAIR).write(File(temp, name.replace(' ', '_')))
            open(folder)
            damage(folder)
            refused(code) { open(folder) }
        }
    }

    @Test
    fun `candidates are checked against their own header and the items`() {
        for (dtype in listOf("int8", "float32")) {
            val folder = SyntheticBundle(Layout.SPLIT, dtype = dtype).write(File(temp, dtype))
            open(folder)
            val intact = File(folder, "manifest.json").readText()
            val npy = File(folder, "candidates.npy").readBytes()
            for ((from, to) in listOf("False" to "True ", "(40, 6)" to "(6, 40)", "NUMPY" to "NUMPZ")) {
                rewrite(folder, "candidates.npy") {
                    String(it, Charsets.ISO_8859_1).replace(from, to).toByteArray(Charsets.ISO_8859_1)
                }
                refused(ErrorCode.CANDIDATES_INVALID) { open(folder) }
                File(folder, "candidates.npy").writeBytes(npy)
                File(folder, "manifest.json").writeText(intact)
            }
            edit(folder, "\"shape\":[40,6]", "\"shape\":[20,12]")
            refused(ErrorCode.CANDIDATES_INVALID) { open(folder) }
        }
    }

    @Test
    fun `the scale of the candidates must be a positive float32`() {
        for (scale in listOf("0.0", "-0.25", "1e-60", "1e60", "null")) {
            val folder = SyntheticBundle(Layout.SPLIT).write(File(temp, "s$scale"))
            edit(folder, "\"scale\":0.25", "\"scale\":$scale")
            refused(ErrorCode.MANIFEST_INVALID) { open(folder) }
        }
        val folder = SyntheticBundle(Layout.SPLIT).write(File(temp, "other"))
        edit(folder, "\"scale\":0.25", "\"scale\":0.5")
        refused(ErrorCode.CONTRACT_MISMATCH) { open(folder) }
    }

    @Test
    fun `signatures`() {
        val signed = SyntheticBundle(Layout.CASCADE, signer = signer).write(File(temp, "signed"))
        val other = Signer()
        open(signed)
        open(signed, signer.key)
        open(signed, other.key, signer.key)
        refused(ErrorCode.SIGNATURE_UNTRUSTED) { open(signed, other.key) }
        refused(ErrorCode.SIGNATURE_MISSING) {
            open(SyntheticBundle(Layout.CASCADE).write(File(temp, "plain")), signer.key)
        }
        edit(signed, "synthetic", "synthetix")
        refused(ErrorCode.SIGNATURE_INVALID) { open(signed, signer.key) }
        edit(signed, signer.key.id, other.key.id)
        refused(ErrorCode.SIGNATURE_INVALID) { open(signed, other.key) }
        File(signed, "manifest.sig").writeBytes(ByteArray(65))
        refused(ErrorCode.FILE_SIZE) { open(signed, other.key) }
        File(signed, "manifest.sig").writeBytes(ByteArray(63))
        refused(ErrorCode.SIGNATURE_INVALID) { open(signed) }
        File(signed, "manifest.sig").delete()
        refused(ErrorCode.SIGNATURE_MISSING) { open(signed) }
    }

    @Test
    fun `a runtime that fails or reports other ports is refused, and the loaded models are closed`() {
        val folder = SyntheticBundle(Layout.PAIR).write(File(temp, "pair"))
        val standIn = StandInRuntime()
        val failing =
            object : ModelRuntime {
                override fun load(file: ByteBuffer): Model {
                    check(standIn.opened < 1) { "no memory" }
                    return standIn.load(file)
                }
            }
        refused(ErrorCode.RUNTIME_FAILED) { RecommenderBundle.open(DirectorySource(folder), failing) }
        assertEquals(1, standIn.closed)
        val lying =
            object : ModelRuntime {
                override fun load(file: ByteBuffer): Model {
                    val model = standIn.load(file)
                    return object : Model by model {
                        override val inputs get() = model.inputs.map { it.copy(dtype = "int32") }
                    }
                }
            }
        refused(ErrorCode.MODEL_MISMATCH) { RecommenderBundle.open(DirectorySource(folder), lying) }
        assertEquals(standIn.opened, standIn.closed)
    }

    @Test
    fun `a model with changed bytes is read or refused`() {
        val port = Port("history", "int32", listOf(8))
        val intact = TfliteWriter.write(
            listOf(port),
            listOf(port.copy(name = "query")),
            mapOf("pocketrec.vocabularies" to "items 1 x\n"),
        )
        val random = Random(4)
        repeat(50_000) {
            val changed = if (random.nextInt(4) == 0) intact.copyOf(random.nextInt(intact.size)) else intact.copyOf()
            val changes = if (changed.isEmpty()) 0 else 1 + random.nextInt(4)
            repeat(changes) { changed[random.nextInt(changed.size)] = random.nextInt(256).toByte() }
            try {
                TfliteFile(ByteBuffer.wrap(changed)).metadata("pocketrec.vocabularies")
            } catch (error: BundleException) {
                assertEquals(ErrorCode.MODEL_INVALID, error.code)
            }
        }
    }
}
