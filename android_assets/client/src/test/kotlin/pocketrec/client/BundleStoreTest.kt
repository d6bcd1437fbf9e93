package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

class BundleStoreTest {
    @TempDir
    lateinit var temp: File

    private val signer = Signer()
    private val runtime = StandInRuntime()
    private val store by lazy { BundleStore(File(temp, "store"), listOf(signer.key)) }

    private fun written(
        version: Int,
        layout: Layout = Layout.SPLIT,
        by: Signer? = signer,
        change: SyntheticBundle.() -> Unit = {},
    ): File =
        SyntheticBundle(layout, version, by).apply(change).write(File(temp, "made-$version-${temp.list()!!.size}"))

    private fun install(folder: File, allowDowngrade: Boolean = false) =
        store.install(DirectorySource(folder), runtime, allowDowngrade)

    private fun openVersion(of: BundleStore = store) = of.open(runtime).use { it.version }

    /** The catalogue of the base with more items, as an update that holds only what changed. */
    private fun catalogue(
        version: Int,
        base: Int,
        items: Int,
        change: SyntheticBundle.() -> Unit = {},
    ): SyntheticBundle {
        val same = listOf("models/query_encoder.tflite", "vocabularies/genres.txt", "vocabularies/preferences.txt")
        val made = SyntheticBundle(Layout.SPLIT, version, signer, ids = List(items) { "m$it" }, known = 40)
        made.update = mapOf("base_version" to base, "from_base" to same)
        return made.apply(change)
    }

    private fun placesOf(folder: File = File(temp, "store")) =
        File(folder, "bundles").list().orEmpty().map { it.substringBefore('-') }.sorted()

    @Test
    fun `an empty store says so`() {
        refused(ErrorCode.STORE_EMPTY) { store.open(runtime) }
        refused(ErrorCode.STORE_EMPTY) { store.rollback() }
    }

    @Test
    fun `newer versions are installed, the one before is kept, older ones are removed`() {
        for (version in 1..3) assertEquals(version, install(written(version)))
        assertEquals(3, openVersion())
        assertEquals(listOf("v2", "v3"), placesOf())
        assertEquals(runtime.opened, runtime.closed)
    }

    @Test
    fun `a version that is not newer is refused unless asked for`() {
        install(written(3))
        for (version in listOf(3, 2)) refused(ErrorCode.UPDATE_NOT_NEWER) { install(written(version)) }
        assertEquals(3, openVersion())
        assertEquals(2, install(written(2), allowDowngrade = true))
        assertEquals(2, openVersion())
    }

    @Test
    fun `another name, an unsigned bundle, another key and a broken file are refused, and change nothing`() {
        install(written(1))
        refused(ErrorCode.UPDATE_INCOMPATIBLE) { install(written(2) { name = "another" }) }
        refused(ErrorCode.SIGNATURE_MISSING) { install(written(2, by = null)) }
        refused(ErrorCode.SIGNATURE_UNTRUSTED) { install(written(2, by = Signer())) }
        val broken = written(2)
        File(broken, "candidates.npy").let { it.writeBytes(it.readBytes().apply { this[size - 1]++ }) }
        refused(ErrorCode.FILE_HASH) { install(broken) }
        assertEquals(1, openVersion())
        assertEquals(listOf("v1"), placesOf())
    }

    @Test
    fun `an update that answers differently on this device is refused`() {
        install(written(1, Layout.PAIR))
        val other = StandInRuntime { model ->
            val isRanker = model.inputs.any { it.name == "items" }
            if (isRanker) model.input("stars").putFloat(28, 9f)
        }
        val update = DirectorySource(written(2, Layout.PAIR))
        refused(ErrorCode.UPDATE_UNFAITHFUL) { store.install(update, other) }
        assertEquals(1, openVersion())
    }

    @Test
    fun `a catalogue is updated alone`() {
        install(written(1))
        val update = catalogue(2, base = 1, items = 45).write(File(temp, "update"))
        assertEquals(false, File(update, "models").exists())
        assertEquals(2, install(update))
        store.open(runtime).use { bundle ->
            assertEquals(45, bundle.itemCount)
            assertEquals(44, bundle.indexOfItem("m44"))
        }
        assertEquals(3, install(catalogue(3, base = 2, items = 47).write(File(temp, "update3"))))
    }

    @Test
    fun `a catalogue for another base is refused`() {
        refused(ErrorCode.UPDATE_INCOMPATIBLE) {
            install(catalogue(2, base = 1, items = 45).write(File(temp, "early")))
        }
        install(written(2))
        refused(ErrorCode.UPDATE_INCOMPATIBLE) { install(catalogue(3, base = 1, items = 45).write(File(temp, "base"))) }
        refused(ErrorCode.UPDATE_INCOMPATIBLE) {
            val other = catalogue(3, base = 2, items = 45) { ids = ids.take(38) + List(7) { "n$it" } }
            install(other.write(File(temp, "encoder")))
        }
        assertEquals(2, openVersion())
    }

    @Test
    fun `a catalogue whose ids would change their meaning is refused`() {
        fun made(version: Int, ids: List<String>) =
            SyntheticBundle(Layout.SPLIT, version, signer, ids = ids, known = 30)
        val ids = List(40) { "m$it" }
        install(made(2, ids).write(File(temp, "base")))
        val update = mapOf("base_version" to 2, "from_base" to listOf("models/query_encoder.tflite"))
        // Unknown to the encoder, so that nothing but the lineage of the vocabulary tells.
        for (changed in listOf(ids.take(35) + "other" + ids.drop(36), ids.dropLast(1))) {
            val folder = made(3, changed).apply { this.update = update }.write(File(temp, "lineage"))
            refused(ErrorCode.UPDATE_INCOMPATIBLE) { install(folder) }
        }
        assertEquals(3, install(made(3, ids + "new").apply { this.update = update }.write(File(temp, "longer"))))
    }

    @Test
    fun `a full bundle may bring other vocabularies`() {
        install(written(2))
        install(SyntheticBundle(Layout.CASCADE, 3, signer, ids = List(20) { "x$it" }).write(File(temp, "full")))
        assertEquals(3, openVersion())
    }

    @Test
    fun `a catalogue whose encoder or dimension differ is refused`() {
        install(written(1))
        // Brings an encoder of its own, for a longer window.
        val own =
            SyntheticBundle(Layout.SPLIT, 2, signer, known = 40, window = 9).apply {
                update = mapOf("base_version" to 1, "from_base" to listOf("vocabularies/genres.txt"))
            }
        refused(ErrorCode.UPDATE_INCOMPATIBLE) { install(own.write(File(temp, "encoder"))) }
        install(written(2, Layout.PAIR))
        refused(ErrorCode.UPDATE_INCOMPATIBLE) { install(catalogue(3, base = 2, items = 45).write(File(temp, "pair"))) }
        assertEquals(2, openVersion())
    }

    @Test
    fun `a current bundle that does not verify gives way to the one before`() {
        install(written(1))
        install(written(2))
        assertNull(store.lastFailure)
        val place = File(temp, "store/bundles").listFiles()!!.single { it.name.startsWith("v2") }
        File(place, "items.json").appendText(" ")
        assertEquals(1, openVersion())
        assertEquals(ErrorCode.FILE_SIZE, store.lastFailure?.code)
        assertEquals(2, install(written(2)))
        assertEquals(2, openVersion())
        assertNull(store.lastFailure)
    }

    @Test
    fun `if both are broken the error names the reason`() {
        install(written(1))
        install(written(2))
        File(temp, "store/bundles").listFiles()!!.forEach { File(it, "items.json").delete() }
        val error = refused(ErrorCode.STORE_EMPTY) { store.open(runtime) }
        assertEquals(ErrorCode.FILE_MISSING, (error.cause as BundleException).code)
    }

    @Test
    fun `a whole bundle repairs a store in which nothing opens`() {
        install(written(1))
        File(temp, "store/bundles").listFiles()!!.forEach { File(it, "items.json").delete() }
        refused(ErrorCode.FILE_MISSING) { store.open(runtime) }
        refused(ErrorCode.FILE_MISSING) { install(catalogue(2, base = 1, items = 45).write(File(temp, "update"))) }
        assertEquals(1, install(written(1)))
        assertEquals(1, openVersion())
    }

    @Test
    fun `a manifest exchanged after it was peeked at is not installed`() {
        install(written(2))
        val newer = DirectorySource(written(3))
        val older = DirectorySource(written(1))
        var looks = 0
        val exchanging =
            object : BundleSource {
                override fun list() = older.list()

                override fun map(path: String, maxBytes: Long): ByteBuffer {
                    val isFirstLook = looks++ == 0
                    return (if (isFirstLook) newer else older).map(path, maxBytes)
                }
            }
        refused(ErrorCode.UPDATE_NOT_NEWER) { store.install(exchanging, runtime) }
        assertEquals(2, openVersion())
    }

    @Test
    fun `rolling back`() {
        install(written(1))
        install(written(2))
        assertEquals(1, store.rollback())
        assertEquals(1, openVersion())
        refused(ErrorCode.STORE_EMPTY) { store.rollback() }
    }

    @Test
    fun `the built-in bundle opens until something newer is installed, and again when the app brings a newer one`() {
        val builtIn = DirectorySource(written(2, by = null))
        val withOwn = BundleStore(File(temp, "store"), listOf(signer.key), builtIn)
        assertEquals(2, openVersion(withOwn))
        refused(ErrorCode.UPDATE_NOT_NEWER) { withOwn.install(DirectorySource(written(1)), runtime) }
        assertEquals(
            3,
            withOwn.install(DirectorySource(catalogue(3, base = 2, items = 45).write(File(temp, "update"))), runtime),
        )
        assertEquals(3, openVersion(withOwn))
        val newer = BundleStore(File(temp, "store"), listOf(signer.key), DirectorySource(written(4, by = null)))
        assertEquals(4, openVersion(newer))
    }

    @Test
    fun `an unreadable pointer does not lose what is installed`() {
        install(written(1))
        install(written(2))
        for (text in listOf("", "nonsense", "../../x\n-\n", "v2\n-\n")) {
            File(temp, "store/CURRENT").writeText(text)
            assertEquals(2, openVersion())
        }
    }

    @Test
    fun `a zip is installed like a directory`() {
        val zip = File(temp, "bundle.zip")
        zip(written(1), zip)
        assertEquals(1, ZipSource(zip).use { store.install(it, runtime) })
        assertEquals(1, openVersion())
        zip(written(2), zip, extra = "../evil" to ByteArray(1))
        refused(ErrorCode.FILE_UNDECLARED) { ZipSource(zip).use { store.install(it, runtime) } }
        zip(written(2), zip, skip = "items.json", extra = "items.json" to ByteArray(50_000_000))
        refused(ErrorCode.FILE_SIZE) { ZipSource(zip).use { store.install(it, runtime) } }
        zip(written(2), zip, extra = "folder/" to ByteArray(0))
        refused(ErrorCode.FILE_UNDECLARED) { ZipSource(zip) }
        zip.writeText("no zip")
        refused(ErrorCode.IO) { ZipSource(zip) }
        assertEquals(1, openVersion())
    }

    private fun zip(folder: File, out: File, skip: String = "", extra: Pair<String, ByteArray>? = null) =
        ZipOutputStream(out.outputStream()).use { zip ->
            val files =
                folder.walk().filter { it.isFile }.associate { it.relativeTo(folder).path to it.readBytes() } - skip
            for ((path, data) in files + listOfNotNull(extra)) {
                zip.putNextEntry(ZipEntry(path))
                zip.write(data)
                zip.closeEntry()
            }
        }

    @Test
    fun `killed at any step, either the old or the new bundle opens`() {
        install(written(1))
        val update = catalogue(2, base = 1, items = 45).write(File(temp, "update"))
        val steps = stepsOf(update)
        val main = listOf("begin", "verified", "switched")
        assertEquals(main, steps.filter { it in main })
        for ((number, step) in steps.withIndex()) {
            val copy = File(temp, "killed-$number")
            File(temp, "store").copyRecursively(copy)
            assertEquals(137, Killed.run(copy, update, signer.pem, step), step)
            val after = BundleStore(copy, listOf(signer.key))
            val isSwitched = steps.indexOf("switched") <= number
            assertEquals(if (isSwitched) 2 else 1, openVersion(after), step)
            assertNull(after.lastFailure)
            assertEquals(3, after.install(DirectorySource(written(3)), runtime))
            assertEquals(if (isSwitched) listOf("v2", "v3") else listOf("v1", "v3"), placesOf(copy), step)
        }
    }

    /** Steps of an installation, recorded on a copy of the store. */
    private fun stepsOf(update: File): List<String> {
        val copy = File(temp, "copy")
        File(temp, "store").copyRecursively(copy)
        val steps = ArrayList<String>()
        val store = BundleStore(copy, listOf(signer.key))
        store.atStep = { steps.add(it) }
        store.install(DirectorySource(update), runtime)
        assertNotNull(steps.find { it.startsWith("file ") })
        return steps
    }
}
