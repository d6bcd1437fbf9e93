package pocketrec.client

import java.io.Closeable
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.util.zip.ZipFile

/** Reads the files of a bundle. Paths are relative, separated by `/`. */
public interface BundleSource {
    /**
     * Paths of all files, or null if this source cannot list them.
     *
     * @throws IOException the source cannot be read.
     * @throws BundleException [ErrorCode.FILE_UNDECLARED] there is a link or device.
     */
    public fun list(): List<String>?

    /**
     * The whole file, read-only, from position 0: mapped if possible, otherwise in direct memory.
     *
     * @throws FileNotFoundException there is no such file.
     * @throws IOException the file cannot be read.
     * @throws BundleException [ErrorCode.FILE_SIZE] the file is larger than `maxBytes`; nothing is read.
     */
    public fun map(path: String, maxBytes: Long): ByteBuffer
}

/** A bundle in a directory. Links are refused. */
public class DirectorySource(private val folder: File) : BundleSource {
    override fun list(): List<String> {
        if (!folder.isDirectory) throw FileNotFoundException("$folder: no such directory")
        return ArrayList<String>().also { collect(folder, "", it) }
    }

    private fun collect(from: File, prefix: String, found: MutableList<String>) {
        for (file in from.listFiles() ?: throw IOException("$from cannot be listed")) {
            val name = prefix + file.name
            val path = file.toPath()
            when {
                Files.isSymbolicLink(path) -> refuse(ErrorCode.FILE_UNDECLARED, "$name: a link, not a file")
                Files.isDirectory(path) -> collect(file, "$name/", found)
                Files.isRegularFile(path) -> found.add(name)
                else -> refuse(ErrorCode.FILE_UNDECLARED, "$name: a device, not a file")
            }
        }
    }

    override fun map(path: String, maxBytes: Long): ByteBuffer {
        val file = File(folder, path)
        if (Files.isSymbolicLink(file.toPath())) refuse(ErrorCode.FILE_UNDECLARED, "$path: a link, not a file")
        if (!file.isFile) throw FileNotFoundException("$path: no such file")
        return RandomAccessFile(file, "r").use { mapChannel(it.channel, 0, it.length(), path, maxBytes) }
    }
}

/**
 * A bundle in one zip file, as `pocketrec bundle --zip` writes it. Files are unpacked into memory when they are read; to open a
 * downloaded zip more than once, install it into a [BundleStore].
 *
 * Refused: more than [MAX_ENTRIES] entries, duplicate names, and entries that unpack to more bytes than they declare.
 */
public class ZipSource(file: File) :
    BundleSource,
    Closeable {
    private val zip =
        try {
            ZipFile(file)
        } catch (error: IOException) {
            refuse(ErrorCode.IO, "$file: ${error.message}", error)
        }
    private val names = readNames()

    private fun readNames(): List<String> {
        val found = LinkedHashSet<String>()
        for (entry in zip.entries()) {
            val isBad = found.size == MAX_ENTRIES || !found.add(entry.name) || entry.isDirectory
            if (isBad) {
                zip.close()
                refuse(ErrorCode.FILE_UNDECLARED, "${entry.name}: a directory, a duplicate name, or one entry too many")
            }
        }
        return found.toList()
    }

    override fun list(): List<String> = names

    override fun map(path: String, maxBytes: Long): ByteBuffer {
        val entry = zip.getEntry(path) ?: throw FileNotFoundException("$path: not in the zip")
        if (entry.size !in 0..minOf(maxBytes, MAX_FILE_BYTES)) refuse(ErrorCode.FILE_SIZE, "$path: ${entry.size} bytes")
        return zip.getInputStream(entry).use { readDirect(it, entry.size.toInt(), path) }
    }

    override fun close(): Unit = zip.close()

    private companion object {
        const val MAX_ENTRIES = Manifest.MAX_FILES + 2 // and the manifest and its signature
    }
}

/** The files of an update, and those that it takes from its base. */
internal class OverlaySource(
    private val update: BundleSource,
    private val base: BundleSource,
    private val fromBase: Set<String>,
) : BundleSource {
    override fun list(): List<String>? = update.list()?.plus(fromBase)

    override fun map(path: String, maxBytes: Long): ByteBuffer =
        (if (path in fromBase) base else update).map(path, maxBytes)
}

internal const val MAX_FILE_BYTES: Long = Int.MAX_VALUE.toLong()

internal fun mapChannel(channel: FileChannel, offset: Long, length: Long, path: String, maxBytes: Long): ByteBuffer {
    val limit = minOf(maxBytes, MAX_FILE_BYTES)
    if (length > limit) refuse(ErrorCode.FILE_SIZE, "$path: $length bytes, more than $limit")
    return channel.map(FileChannel.MapMode.READ_ONLY, offset, length)
}

/** Exactly `size` bytes of a stream, in direct memory. */
internal fun readDirect(stream: InputStream, size: Int, path: String): ByteBuffer {
    val block = ByteArray(minOf(maxOf(size, 1), 1 shl 16))
    val out = ByteBuffer.allocateDirect(size)
    while (true) {
        val n = stream.read(block)
        if (n < 0) break
        if (n > out.remaining()) refuse(ErrorCode.FILE_SIZE, "$path: more bytes than it declares")
        out.put(block, 0, n)
    }
    if (out.hasRemaining()) refuse(ErrorCode.FILE_SIZE, "$path: fewer bytes than it declares")
    out.flip()
    return out.asReadOnlyBuffer()
}
