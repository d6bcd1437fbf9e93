package pocketrec.client

import java.nio.ByteBuffer
import java.util.Locale

/** How a bundle's models work together, and the graphs it must hold. */
public enum class Layout(internal val graphs: Set<String>) {
    /** One model that retrieves and ranks. */
    CASCADE(setOf("recommender")),

    /** One model that retrieves, one that predicts stars. */
    PAIR(setOf("retriever", "ranker")),

    /** One model that makes a query vector; the catalogue is a file of vectors, which can be updated alone. */
    SPLIT(setOf("query_encoder")),
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

internal class FileEntry(val path: String, val role: String, val sha256: String, val bytes: Long)

internal class ModelEntry(
    val graph: String,
    val recipe: String,
    val file: String,
    val inputs: List<Port>,
    val outputs: List<Port>,
    val rows: Map<String, Int>,
)

internal class VocabularyEntry(val name: String, val file: String, val size: Int)

/** @property scale the number as it is written, "-" for null: it is part of the contract's text. */
internal class CandidatesEntry(val file: String, val dtype: String, val n: Int, val d: Int, val scale: String)

internal class UpdateEntry(val baseVersion: Int, val fromBase: Set<String>)

/** manifest.json, checked in itself: types, paths, and that what it uses is among its files. */
internal class Manifest(fields: JsonFields) {
    val name = fields.string("name")
    val version = fields.int("version", 1L..Int.MAX_VALUE)
    val layout = Layout.entries.find { it.key == fields.string("layout") } ?: throw JsonException("layout: unknown")
    val files = fields.objects("files").map { fileEntry(it) }
    val models = fields.objects("models").map { modelEntry(it) }.associateBy { it.graph }
    val vocabularies = fields.objects("vocabularies").map { vocabularyEntry(it) }.associateBy { it.name }
    val items = fields.string("items")
    val golden = fields.string("golden")
    val candidates = fields.objOrNull("candidates")?.let { candidatesEntry(it) }
    val window = if (fields.isNull("window")) 0 else fields.int("window", 1L..65536)
    val ratingRange = fields.floats("rating_range")
    val starsWeight = if (fields.isNull("stars_weight")) Float.NaN else fields.float("stars_weight")
    val k = fields.int("k", 1L..65536)
    val contract = fields.string("contract")
    val keyId = fields.stringOrNull("key_id")
    val isSigned = !fields.isNull("signature")
    val update = fields.objOrNull("update")?.let {
        UpdateEntry(it.int("base_version", 1L..Int.MAX_VALUE), it.strings("from_base").toSet())
    }

    val paths: Set<String> = files.mapTo(LinkedHashSet()) { it.path }

    init {
        checkPaths()
        if (isSigned &&
            fields.string("signature") != SIGNATURE
        ) {
            throw JsonException("signature: expected $SIGNATURE or null")
        }
        if (isSigned != (keyId != null)) throw JsonException("key_id: expected with a signature, and only then")
        if (models.size != fields.list("models").size ||
            models.keys != layout.graphs
        ) {
            throw JsonException("models: not those of ${layout.key}")
        }
        if (vocabularies.size != fields.list("vocabularies").size || "items" !in vocabularies) {
            throw JsonException("vocabularies: one twice, or none of items")
        }
        if ((candidates != null) !=
            (layout == Layout.SPLIT)
        ) {
            throw JsonException("candidates: expected in a split bundle, and only there")
        }
        if (ratingRange.size != 2) throw JsonException("rating_range: expected two numbers")
        if (update != null &&
            !paths.containsAll(update.fromBase)
        ) {
            throw JsonException("update.from_base: not among the files")
        }
    }

    fun file(path: String): FileEntry = files.first { it.path == path }

    private fun checkPaths() {
        if (files.size > MAX_FILES) throw JsonException("files: more than $MAX_FILES")
        files.forEach { checkPath(it.path) }
        if (files.mapTo(HashSet()) { it.path.lowercase(Locale.ROOT) }.size != files.size) {
            throw JsonException("files: two whose names differ in case only, or one twice")
        }
        val used =
            models.values.map { it.file } + vocabularies.values.map { it.file } +
                listOfNotNull(items, golden, candidates?.file)
        for (path in used) if (path !in paths) throw JsonException("'$path' is used but not among the files")
    }

    companion object {
        const val FILE = "manifest.json"
        const val SIGNATURE = "manifest.sig"
        const val SCHEMA = "pocketrec.bundle/1"
        const val MAX_BYTES = 16L shl 20
        private const val MAX_FILES = 4096

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

        private fun fileEntry(row: JsonFields) = FileEntry(
            row.string("path"),
            row.string("role"),
            row.string("sha256"),
            row.long(
                "bytes",
                0L..MAX_FILE_BYTES,
            ),
        )

        private fun modelEntry(row: JsonFields): ModelEntry {
            val rows = row.obj("rows")
            return ModelEntry(
                row.string("graph"),
                row.string("recipe"),
                row.string("file"),
                row.objects("inputs").map { port(it) },
                row.objects("outputs").map { port(it) },
                rows.names().associateWith { rows.int(it, 1L..Int.MAX_VALUE) },
            )
        }

        private fun port(row: JsonFields) = Port(row.string("name"), row.string("dtype"), row.ints("shape"))

        private fun vocabularyEntry(row: JsonFields): VocabularyEntry {
            val size = row.int("size")
            if (row.int("oov_index") != size) throw JsonException("oov_index: expected $size")
            return VocabularyEntry(row.string("name"), row.string("file"), size)
        }

        private fun candidatesEntry(row: JsonFields): CandidatesEntry {
            val shape = row.ints("shape")
            if (shape.size != 2 || shape.any { it < 1 }) throw JsonException("candidates.shape: expected [n, d]")
            val dtype = row.string("dtype")
            if (dtype != "int8" && dtype != "float32") throw JsonException("candidates.dtype: expected int8 or float32")
            if (row.isNull("scale") !=
                (dtype == "float32")
            ) {
                throw JsonException("candidates.scale: expected for int8, and only then")
            }
            val scale = if (row.isNull("scale")) "-" else row.token("scale").also { checkScale(row.float("scale")) }
            return CandidatesEntry(row.string("file"), dtype, shape[0], shape[1], scale)
        }

        private fun checkScale(scale: Float) {
            if (scale <= 0f) throw JsonException("candidates.scale: expected more than 0")
        }

        private fun checkPath(path: String) {
            val isPlain =
                path.isNotEmpty() && path.none { it == '\\' || it < ' ' } &&
                    path.split('/').none { it.isEmpty() || it == "." || it == ".." }
            if (!isPlain) throw JsonException("file path '$path' is not a plain relative path")
            if (path == FILE || path == SIGNATURE) throw JsonException("files: lists $path")
        }
    }
}
