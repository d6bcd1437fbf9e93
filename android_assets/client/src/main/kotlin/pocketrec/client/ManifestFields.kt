package pocketrec.client

/** Names in a manifest are ASCII, so that they mean the same on every file system and in every language. */
internal object Names {
    val BUNDLE = Regex("[a-z0-9.-]{1,300}")
    val VERSION = Regex("[A-Za-z0-9.+_-]{1,64}")
    val IDENTIFIER = Regex("[A-Za-z0-9_]{1,64}")
    val SHA256 = Regex("[0-9a-f]{64}")
    val KEY_ID = Regex("[0-9a-f]{16}")
    val SIGNATURE = Regex(Regex.escape(Manifest.SIGNATURE))
    val PATH_PART = Regex("[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?")
    val VOCABULARIES = setOf("items", "users", "preferences", "genres")
    val DTYPES = setOf("int32", "float32", "bool", "int64", "float16", "int16", "int8", "uint8", "string")
}

/** Bounds that keep every number of a manifest a float32. */
internal val FINITE = -1e30..1e30
private val SCALE = 1e-30..1e30
private const val MAX_PORTS = 64
private const val MAX_DIMENSIONS = 8
private const val MAX_PARITY_ROWS = 100_000
private const val MAX_VOCABULARY = Int.MAX_VALUE - 1L

/** Fields that every manifest has and the client does not use. */
internal fun checkUnused(fields: JsonFields) {
    fields.text("kit_version", Names.VERSION)
    fields.text("made_from_sha256", Names.SHA256)
    for (row in fields.objects("parity", MAX_PARITY_ROWS)) row.choice("status", setOf("pass", "skipped"))
}

internal fun fileEntry(row: JsonFields): FileEntry {
    val name = row.string("role")
    val role = Role.entries.find { it.key == name } ?: throw JsonException("files: unknown role '$name'")
    return FileEntry(row.string("path"), role, row.text("sha256", Names.SHA256), row.long("bytes", 0L..role.maxBytes))
}

internal fun modelEntry(row: JsonFields): ModelEntry {
    row.textOrNull("min_runtime", Names.VERSION)
    val rows = row.obj("rows")
    val unknown = rows.names() - Names.VOCABULARIES
    if (unknown.isNotEmpty()) throw JsonException("rows: unknown vocabularies $unknown")
    return ModelEntry(
        row.text("graph", Names.IDENTIFIER),
        row.text("recipe", Names.IDENTIFIER),
        row.string("file"),
        ports(row, "inputs"),
        ports(row, "outputs"),
        rows.names().associateWith { rows.int(it, 1L..Int.MAX_VALUE) },
    )
}

private fun ports(row: JsonFields, name: String): List<Port> =
    row.objects(name, MAX_PORTS).map { port(it) }.also { ports -> ports.uniqueBy(name) { it.name } }

private fun port(row: JsonFields) = Port(
    row.text("name", Names.IDENTIFIER),
    row.choice("dtype", Names.DTYPES),
    row.ints("shape", -1L..Int.MAX_VALUE, MAX_DIMENSIONS),
)

internal fun vocabularyEntry(row: JsonFields): VocabularyEntry {
    val size = row.int("size", 1L..MAX_VOCABULARY)
    if (row.int("oov_index") != size) throw JsonException("oov_index: expected $size")
    return VocabularyEntry(row.choice("name", Names.VOCABULARIES), row.string("file"), size)
}

internal fun candidatesEntry(row: JsonFields): CandidatesEntry {
    val shape = row.ints("shape", 1L..Int.MAX_VALUE)
    if (shape.size != 2) throw JsonException("candidates.shape: expected [n, d]")
    val dtype = row.choice("dtype", setOf("int8", "float32"))
    val hasScale = !row.isNull("scale")
    if (hasScale != (dtype == "int8")) throw JsonException("candidates.scale: expected for int8, and only then")
    val scale = if (hasScale) row.number("scale", SCALE) else null
    return CandidatesEntry(row.string("file"), dtype, shape[0], shape[1], scale)
}

internal fun ratingRange(fields: JsonFields): List<Float> {
    val range = fields.numbers("rating_range", FINITE)
    if (range.size != 2 || range[0] > range[1]) throw JsonException("rating_range: expected [lowest, highest]")
    return range.map { it.toFloat() }
}

internal fun updateEntry(row: JsonFields): UpdateEntry {
    val fromBase = row.strings("from_base")
    fromBase.uniqueBy("from_base") { it }
    return UpdateEntry(row.int("base_version", 1L..Int.MAX_VALUE), fromBase.toSet())
}

/** Elements by their key. @throws JsonException two elements have the same key. */
internal fun <T> List<T>.uniqueBy(what: String, key: (T) -> String): Map<String, T> {
    val found = associateBy(key)
    if (found.size != size) throw JsonException("$what: an element twice")
    return found
}
