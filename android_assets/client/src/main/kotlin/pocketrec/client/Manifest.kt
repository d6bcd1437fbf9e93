package pocketrec.client

import java.nio.ByteBuffer
import java.util.Locale

/**
 * How a bundle's models work together.
 *
 * @property graphs the graphs that a bundle of this layout holds, each once.
 * @property storesCandidates whether the item vectors are a file of their own, which an update can replace without a model.
 */
public enum class Layout(internal val graphs: Set<String>, internal val storesCandidates: Boolean = false) {
    /** One model that retrieves and ranks. */
    CASCADE(setOf("recommender")),

    /** One model that retrieves, one that predicts ratings. */
    PAIR(setOf("retriever", "ranker")),

    /** One model that encodes the query; the item vectors are a file of their own. Predicts no ratings. */
    SPLIT(setOf("query_encoder"), storesCandidates = true),
    ;

    internal val key: String get() = name.lowercase(Locale.ROOT)
}

/**
 * An input or output of a model.
 *
 * @property dtype `int32`, `float32`, `bool` ...
 * @property shape -1 marks a dimension that may be chosen.
 */
public data class Port(public val name: String, public val dtype: String, public val shape: List<Int>)

/** What a file is for, and the largest size that is read. */
internal enum class Role(val maxBytes: Long) {
    MODEL(MAX_FILE_BYTES),
    VOCABULARY(1L shl 28),
    ITEMS(1L shl 30),
    CANDIDATES(MAX_FILE_BYTES),
    GOLDEN(1L shl 26),
    ;

    val key: String get() = name.lowercase(Locale.ROOT)
}

internal class FileEntry(val path: String, val role: Role, val sha256: String, val bytes: Long)

/** @property rows rows of the model's embedding tables by vocabulary; the last row is for unknown tokens. */
internal class ModelEntry(
    val graph: String,
    val recipe: String,
    val file: String,
    val inputs: List<Port>,
    val outputs: List<Port>,
    val rows: Map<String, Int>,
)

internal class VocabularyEntry(val name: String, val file: String, val size: Int)

/** @property scale null for float32. */
internal class CandidatesEntry(val file: String, val dtype: String, val n: Int, val d: Int, val scale: Double?)

internal class UpdateEntry(val baseVersion: Int, val fromBase: Set<String>)

/**
 * manifest.json. Its rules are those of `pocketrec verify`: both are tested on android_assets/format/manifest_cases.json.
 *
 * Reading one field at a time is in ManifestFields.kt, how fields must agree with each other in ManifestChecks.kt.
 */
internal class Manifest(fields: JsonFields) {
    val name = fields.text("name", Names.BUNDLE)
    val version = fields.int("version", 1L..Int.MAX_VALUE)
    val layout = Layout.entries.find { it.key == fields.string("layout") } ?: throw JsonException("layout: unknown")
    val files = fields.objects("files", MAX_FILES).map { fileEntry(it) }
    val models = fields.objects("models").map { modelEntry(it) }.uniqueBy("models") { it.graph }
    val vocabularies = fields.objects("vocabularies").map { vocabularyEntry(it) }.uniqueBy("vocabularies") { it.name }
    val items = fields.string("items")
    val golden = fields.string("golden")
    val candidates = fields.objOrNull("candidates")?.let { candidatesEntry(it) }

    /** Newest items of a history that the models read; 0 where none reads a history. */
    val window = if (fields.isNull("window")) 0 else fields.int("window", 1L..MAX_COUNT)
    val ratingRange = ratingRange(fields)

    /** Weight of the predicted rating in the final score of a cascade or pair; NaN for null. */
    val ratingWeight = if (fields.isNull("stars_weight")) Float.NaN else fields.number("stars_weight", FINITE).toFloat()

    /** The most items that one query returns. */
    val k = fields.int("k", 1L..MAX_COUNT)
    val contract = fields.text("contract", Names.SHA256)
    val keyId = fields.textOrNull("key_id", Names.KEY_ID)
    val isSigned = fields.textOrNull("signature", Names.SIGNATURE) != null
    val update = fields.objOrNull("update")?.let { updateEntry(it) }

    /** How the query model weighs a history; null where it takes no ratings, or an older kit wrote the bundle. */
    val historyWeights = fields.objOrMissing("history_weights")?.let { HistoryWeights(it) }

    private val filesByPath = files.associateBy { it.path }
    val paths: Set<String> = filesByPath.keys

    init {
        checkUnused(fields)
        checkPaths(files)
        checkUses(this)
        checkAgreement(this)
    }

    fun file(path: String): FileEntry = filesByPath.getValue(path)

    companion object {
        const val FILE = "manifest.json"
        const val SIGNATURE = "manifest.sig"
        const val SCHEMA = "pocketrec.bundle/1"
        const val MAX_BYTES = 16L shl 20
        const val MAX_FILES = 4096
        private const val MAX_COUNT = 65536L

        /**
         * Read manifest.json.
         *
         * @throws BundleException [ErrorCode.MANIFEST_INVALID], [ErrorCode.SCHEMA_UNKNOWN]
         */
        fun parse(data: ByteBuffer): Manifest = JsonFields.read(data, ErrorCode.MANIFEST_INVALID, FILE) { value ->
            val fields = JsonFields.of(value, "manifest")
            val schema = fields.string("schema")
            if (schema != SCHEMA) refuse(ErrorCode.SCHEMA_UNKNOWN, "'$schema', this client reads $SCHEMA")
            Manifest(fields)
        }
    }
}
