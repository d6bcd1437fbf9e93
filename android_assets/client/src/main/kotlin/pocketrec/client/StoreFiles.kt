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

/** Folders of the current bundle and of the one before it. */
internal class Pointer(val current: String, val previous: String?)

/**
 * The directory of a store: `bundles/` with one folder per bundle, `incoming/` while one is written, and the file CURRENT, which
 * names the current bundle. CURRENT is replaced by a rename, after everything it names is on disk.
 */
internal class StoreFiles(private val folder: File) {
    private val bundles = File(folder, "bundles")
    private val incoming = File(folder, "incoming")
    private val current = File(folder, "CURRENT")

    fun source(place: String): BundleSource = DirectorySource(File(bundles, place))

    /** All folders, highest version first: what is tried if CURRENT cannot be read. */
    fun places(): List<String> =
        bundles.list().orEmpty().filter { PLACE.matches(it) }.sortedByDescending { versionOf(it) }

    private fun versionOf(place: String) = place.substring(1).substringBefore('-').toLong()

    fun pointer(): Pointer? {
        if (!current.isFile || current.length() > MAX_POINTER) return null
        val match = POINTER.matchEntire(current.readText()) ?: return null
        val (place, previous) = match.destructured
        return Pointer(place, previous.takeIf { it != NONE })
    }

    /** Write a bundle into a folder of its own and sync it to disk; returns the folder's name. */
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

    /** Remove what an interrupted installation left, and bundles that are neither the current one nor the one before. */
    fun clean() {
        incoming.deleteRecursively()
        val pointer = pointer() ?: return
        val kept = setOf(pointer.current, pointer.previous)
        for (place in places()) if (place !in kept) File(bundles, place).deleteRecursively()
    }

    fun <T> locked(action: () -> T): T = synchronized(LOCK) {
        if (!folder.isDirectory && !folder.mkdirs()) throw IOException("$folder cannot be created")
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
            // Some file systems cannot open or sync a directory; the rename is atomic without it.
        }
    }

    private companion object {
        val LOCK = Any()
        const val NONE = "-"
        const val PLACE_PATTERN = "v[0-9]{1,10}-[0-9a-f-]{36}"
        val PLACE = Regex(PLACE_PATTERN)
        val POINTER = Regex("($PLACE_PATTERN)\n($NONE|$PLACE_PATTERN)\n")
        const val MAX_POINTER = 1024L
    }
}
