package pocketrec.client

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.nio.file.StandardOpenOption
import java.util.UUID

/** Folders of the bundle that opens and of the one before it. */
internal class Pointer(val current: String, val previous: String?)

/**
 * A store's directory: `bundles/` with a folder for each, `incoming/` while one is written, and CURRENT, which names the one that
 * opens. CURRENT is replaced by a rename, after everything it names is on the disk.
 */
internal class StoreFiles(private val folder: File) {
    private val bundles = File(folder, "bundles")
    private val incoming = File(folder, "incoming")
    private val current = File(folder, "CURRENT")

    fun source(place: String): BundleSource = DirectorySource(File(bundles, place))

    /** Folders there are, highest version first: what is tried where CURRENT cannot be read. */
    fun places(): List<String> = bundles.list().orEmpty().filter {
        PLACE.matches(it)
    }.sortedByDescending { versionOf(it) }

    private fun versionOf(place: String) = place.substring(1).substringBefore('-').toLong()

    fun pointer(): Pointer? {
        if (!current.isFile || current.length() > MAX_POINTER) return null
        val lines = current.readText().split('\n')
        val isWhole =
            lines.size == 3 && lines[2].isEmpty() && PLACE.matches(lines[0]) &&
                (lines[1] == NONE || PLACE.matches(lines[1]))
        return if (isWhole) Pointer(lines[0], lines[1].takeIf { it != NONE }) else null
    }

    /** Write a bundle into a folder of its own, and see it onto the disk. */
    fun write(bundle: VerifiedBundle, atStep: (String) -> Unit): String {
        for ((path, data) in bundle.files) {
            writeFile(File(incoming, path), data)
            atStep("file $path")
        }
        bundle.signature?.let { writeFile(File(incoming, Manifest.SIGNATURE), it) }
        writeFile(File(incoming, Manifest.FILE), bundle.manifestBytes)
        incoming.walkBottomUp().filter { it.isDirectory }.forEach { syncFolder(it) }
        atStep("written")
        val place = "v${bundle.manifest.version}-${UUID.randomUUID()}"
        bundles.mkdirs()
        move(incoming, File(bundles, place))
        syncFolder(bundles)
        atStep("moved")
        return place
    }

    fun point(to: Pointer, atStep: (String) -> Unit) {
        val next = File(folder, "CURRENT.next")
        writeFile(next, ByteBuffer.wrap("${to.current}\n${to.previous ?: NONE}\n".toByteArray()))
        atStep("pointer written")
        move(next, current)
        syncFolder(folder)
        atStep("switched")
    }

    /** Remove whatever an installation left that was killed, and bundles that are neither the current one nor the one before. */
    fun clean() {
        incoming.deleteRecursively()
        val pointer = pointer() ?: return
        for (place in places()) {
            if (place != pointer.current &&
                place != pointer.previous
            ) {
                File(bundles, place).deleteRecursively()
            }
        }
    }

    fun <T> locked(action: () -> T): T = synchronized(LOCK) {
        if (!folder.isDirectory && !folder.mkdirs()) throw IOException("$folder cannot be made")
        RandomAccessFile(File(folder, "LOCK"), "rw").use { file -> file.channel.lock().use { action() } }
    }

    private fun writeFile(file: File, data: ByteBuffer) {
        file.parentFile?.mkdirs()
        FileOutputStream(file).use { stream ->
            val rest = data.duplicate()
            while (rest.hasRemaining()) stream.channel.write(rest)
            stream.fd.sync()
        }
    }

    private fun move(from: File, to: File) {
        Files.move(from.toPath(), to.toPath(), StandardCopyOption.ATOMIC_MOVE)
    }

    private fun syncFolder(folder: File) {
        try {
            FileChannel.open(folder.toPath(), StandardOpenOption.READ).use { it.force(true) }
        } catch (_: IOException) {
            // Some file systems refuse to open or sync a directory; the rename is atomic without it.
        }
    }

    private companion object {
        val LOCK = Any()
        val PLACE = Regex("v[0-9]{1,10}-[0-9a-f-]{36}")
        const val NONE = "-"
        const val MAX_POINTER = 1024L
    }
}
