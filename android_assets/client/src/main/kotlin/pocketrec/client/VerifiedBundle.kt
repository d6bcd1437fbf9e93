package pocketrec.client

import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer

/**
 * A bundle whose files are all as its manifest says. Nothing of it was executed.
 *
 * @property files every file of the manifest by path: the very bytes that were hashed.
 */
internal class VerifiedBundle(
    val manifest: Manifest,
    val manifestBytes: ByteBuffer,
    val signature: ByteBuffer?,
    val files: Map<String, ByteBuffer>,
) {
    val vocabularies: Map<String, Vocabulary> =
        manifest.vocabularies.mapValues { (_, row) -> Vocabulary.parse(files.getValue(row.file), row.file, row.size) }
    val items = Items.parse(files.getValue(manifest.items), vocabularies.getValue("items"))

    fun vocabulary(name: String): Vocabulary? = vocabularies[name]

    companion object {
        /**
         * Check everything that can be checked without a runtime, in this order: manifest, signature, listing, files, vocabularies,
         * items, models, candidates, contract.
         *
         * @throws BundleException the first thing that is wrong.
         */
        fun open(source: BundleSource, trustedKeys: List<PublicKey>): VerifiedBundle = reading {
            val bytes = readManifest(source)
            val manifest = Manifest.parse(bytes)
            val signature = readSignature(source, manifest)
            if (trustedKeys.isNotEmpty()) checkSignature(manifest, bytes, signature, trustedKeys)
            checkListed(source, manifest)
            val files = manifest.files.associate { it.path to readFile(source, it) }
            VerifiedBundle(manifest, bytes, signature, files).also { checkConsistency(it) }
        }

        /** The manifest alone, unverified: to compare versions before anything else is read. */
        fun peek(source: BundleSource): Manifest = reading { Manifest.parse(readManifest(source)) }

        fun <T> reading(action: () -> T): T {
            try {
                return action()
            } catch (error: IOException) {
                refuse(ErrorCode.IO, "${error.message}", error)
            }
        }
    }
}

private const val SIGNATURE_BYTES = 64

private fun readManifest(source: BundleSource): ByteBuffer = try {
    source.map(Manifest.FILE, Manifest.MAX_BYTES)
} catch (error: FileNotFoundException) {
    refuse(ErrorCode.MANIFEST_MISSING, "${error.message}", error)
}

private fun readSignature(source: BundleSource, manifest: Manifest): ByteBuffer? {
    if (!manifest.isSigned) return null
    val signature =
        try {
            source.map(Manifest.SIGNATURE, SIGNATURE_BYTES.toLong())
        } catch (error: FileNotFoundException) {
            refuse(ErrorCode.SIGNATURE_MISSING, "${error.message}", error)
        }
    if (signature.remaining() != SIGNATURE_BYTES) {
        refuse(ErrorCode.SIGNATURE_INVALID, "${signature.remaining()} bytes, expected $SIGNATURE_BYTES")
    }
    return signature
}

private fun checkSignature(
    manifest: Manifest,
    bytes: ByteBuffer,
    signature: ByteBuffer?,
    trustedKeys: List<PublicKey>,
) {
    if (signature == null) refuse(ErrorCode.SIGNATURE_MISSING, "keys are given, but the bundle is not signed")
    val key = trustedKeys.find { it.id == manifest.keyId }
        ?: refuse(ErrorCode.SIGNATURE_UNTRUSTED, "signed by key ${manifest.keyId}, which is not trusted")
    if (!Ed25519.verify(bytesOf(bytes), bytesOf(signature), key.raw)) {
        refuse(ErrorCode.SIGNATURE_INVALID, "${Manifest.FILE} was not signed by ${key.id}, or was changed afterwards")
    }
}

private fun checkListed(source: BundleSource, manifest: Manifest) {
    val listed = source.list() ?: return
    val allowed = manifest.paths + setOfNotNull(Manifest.FILE, Manifest.SIGNATURE.takeIf { manifest.isSigned })
    val extra = listed.find { it !in allowed }
    if (extra != null) refuse(ErrorCode.FILE_UNDECLARED, "$extra: not declared in the manifest")
    if (listed.toSet().size != listed.size) refuse(ErrorCode.FILE_UNDECLARED, "duplicate file name")
}

private fun readFile(source: BundleSource, entry: FileEntry): ByteBuffer {
    val data =
        try {
            source.map(entry.path, entry.bytes)
        } catch (error: FileNotFoundException) {
            refuse(ErrorCode.FILE_MISSING, "${error.message}", error)
        }
    val size = data.remaining().toLong()
    if (size != entry.bytes) {
        refuse(ErrorCode.FILE_SIZE, "${entry.path}: $size bytes, the manifest says ${entry.bytes}")
    }
    val hash = sha256(data)
    if (hash != entry.sha256) refuse(ErrorCode.FILE_HASH, "${entry.path}: SHA-256 differs from the manifest")
    return data
}
