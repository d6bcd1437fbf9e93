package pocketrec.client

import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer

/**
 * A bundle whose files are all as its manifest says; nothing of it was executed.
 *
 * @property files every file of the manifest: the very bytes that were hashed.
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
        private const val METADATA = "pocketrec.vocabularies"

        /**
         * Check everything that can be checked without a runtime: signature, paths, sizes, hashes, vocabularies, items, what the model
         * files declare, and the contract.
         *
         * @throws BundleException the first thing that is not as promised.
         */
        fun open(source: BundleSource, trustedKeys: List<PublicKey>): VerifiedBundle = reading {
            val bytes = readManifest(source)
            val manifest = Manifest.parse(bytes)
            val signature = readSignature(source, manifest)
            if (trustedKeys.isNotEmpty()) checkSignature(manifest, bytes, signature, trustedKeys)
            checkListed(source, manifest)
            val files = manifest.files.associate { it.path to readFile(source, it) }
            VerifiedBundle(manifest, bytes, signature, files).also { check(it) }
        }

        /** The manifest alone, unverified; to compare versions before anything else is read. */
        fun peek(source: BundleSource): Manifest = reading { Manifest.parse(readManifest(source)) }

        fun <T> reading(action: () -> T): T {
            try {
                return action()
            } catch (error: IOException) {
                refuse(ErrorCode.IO, "${error.message}", error)
            }
        }

        private fun readManifest(source: BundleSource): ByteBuffer = try {
            source.map(Manifest.FILE, Manifest.MAX_BYTES)
        } catch (error: FileNotFoundException) {
            refuse(ErrorCode.MANIFEST_MISSING, "${error.message}", error)
        }

        private fun readSignature(source: BundleSource, manifest: Manifest): ByteBuffer? {
            if (!manifest.isSigned) return null
            try {
                return source.map(Manifest.SIGNATURE, MAX_SIGNATURE)
            } catch (error: FileNotFoundException) {
                refuse(ErrorCode.SIGNATURE_MISSING, "${error.message}", error)
            }
        }

        private const val MAX_SIGNATURE = 64L

        private fun checkSignature(
            manifest: Manifest,
            bytes: ByteBuffer,
            signature: ByteBuffer?,
            trustedKeys: List<PublicKey>,
        ) {
            if (signature == null) refuse(ErrorCode.SIGNATURE_MISSING, "keys are given, but the bundle is not signed")
            val key =
                trustedKeys.find { it.id == manifest.keyId }
                    ?: refuse(ErrorCode.SIGNATURE_UNTRUSTED, "key ${manifest.keyId} is none of those given")
            if (!Ed25519.verify(bytesOf(bytes), bytesOf(signature), key.raw)) {
                refuse(
                    ErrorCode.SIGNATURE_INVALID,
                    "${Manifest.FILE} was not signed by ${key.id}, or was changed afterwards",
                )
            }
        }

        private fun checkListed(source: BundleSource, manifest: Manifest) {
            val listed = source.list() ?: return
            val outside = setOfNotNull(Manifest.FILE, if (manifest.isSigned) Manifest.SIGNATURE else null)
            val extra = listed.find { it !in manifest.paths && it !in outside }
            if (extra != null) refuse(ErrorCode.FILE_UNDECLARED, "$extra: not declared in the manifest")
            if (listed.toSet().size != listed.size) refuse(ErrorCode.FILE_UNDECLARED, "a file is there twice")
        }

        private fun readFile(source: BundleSource, entry: FileEntry): ByteBuffer {
            val data =
                try {
                    source.map(entry.path, entry.bytes)
                } catch (error: FileNotFoundException) {
                    refuse(ErrorCode.FILE_MISSING, "${error.message}", error)
                }
            if (data.remaining().toLong() != entry.bytes) {
                refuse(
                    ErrorCode.FILE_SIZE,
                    "${entry.path}: ${data.remaining()} bytes, the manifest says ${entry.bytes}",
                )
            }
            if (sha256(data) !=
                entry.sha256
            ) {
                refuse(ErrorCode.FILE_HASH, "${entry.path}: SHA-256 differs from the manifest's")
            }
            return data
        }

        private fun check(bundle: VerifiedBundle) {
            val manifest = bundle.manifest
            for (model in manifest.models.values) checkModel(bundle, model)
            manifest.candidates?.let {
                Candidates.body(bundle.files.getValue(it.file), it)
                if (it.n !=
                    bundle.items.all.size
                ) {
                    refuse(ErrorCode.CANDIDATES_INVALID, "${it.n} rows for ${bundle.items.all.size} items")
                }
            }
            val contract = Contract.sha256Of(manifest, { manifest.file(it).sha256 }, bundle.items)
            if (contract !=
                manifest.contract
            ) {
                refuse(ErrorCode.CONTRACT_MISMATCH, "computed $contract, the manifest says ${manifest.contract}")
            }
        }

        private fun checkModel(bundle: VerifiedBundle, model: ModelEntry) {
            val file = TfliteFile(bundle.files.getValue(model.file))
            if (file.inputs != model.inputs || file.outputs != model.outputs) {
                refuse(ErrorCode.MODEL_MISMATCH, "${model.file}: inputs or outputs differ from the manifest's")
            }
            val expected = StringBuilder()
            for ((name, rows) in model.rows.toSortedMap()) {
                val vocabulary = bundle.vocabulary(name)
                if (vocabulary == null ||
                    rows - 1 > vocabulary.size
                ) {
                    refuse(ErrorCode.MODEL_MISMATCH, "${model.file}: $rows rows of $name")
                }
                expected.append("$name ${rows - 1} ${vocabulary.prefixSha256(rows - 1)}\n")
            }
            if (file.metadata(METADATA) != expected.toString()) {
                refuse(ErrorCode.MODEL_MISMATCH, "${model.file}: made for other vocabularies than the bundle's")
            }
        }
    }
}
