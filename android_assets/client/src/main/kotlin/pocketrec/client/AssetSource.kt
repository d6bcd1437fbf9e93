package pocketrec.client

import android.content.res.AssetManager
import java.io.ByteArrayOutputStream
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer

/**
 * A bundle in the assets of an APK. Files stored uncompressed (`androidResources { noCompress += "tflite" }`) are mapped; others
 * are read into memory.
 *
 * @param folder the bundle's directory inside `assets/`, without leading or trailing slash; "" for `assets/` itself.
 */
public class AssetSource(private val assets: AssetManager, private val folder: String) : BundleSource {
    /** Null: listing assets is slow, and only whoever signs the APK can add to them. */
    override fun list(): List<String>? = null

    override fun map(path: String, maxBytes: Long): ByteBuffer {
        val name = if (folder.isEmpty()) path else "$folder/$path"
        val descriptor =
            try {
                assets.openFd(name)
            } catch (_: FileNotFoundException) {
                return assets.open(name, AssetManager.ACCESS_STREAMING).use { readAll(it, path, maxBytes) }
            } catch (error: IOException) {
                throw IOException("$name: ${error.message}", error)
            }
        try {
            FileInputStream(descriptor.fileDescriptor).use { stream ->
                return mapChannel(stream.channel, descriptor.startOffset, descriptor.length, path, maxBytes)
            }
        } finally {
            descriptor.close()
        }
    }

    private fun readAll(stream: InputStream, path: String, maxBytes: Long): ByteBuffer {
        val out = ByteArrayOutputStream()
        val block = ByteArray(1 shl 16)
        while (true) {
            val n = stream.read(block)
            if (n < 0) break
            if (out.size() + n.toLong() > maxBytes) refuse(ErrorCode.FILE_SIZE, "$path: more than $maxBytes bytes")
            out.write(block, 0, n)
        }
        return readDirect(out.toByteArray().inputStream(), out.size(), path)
    }
}
