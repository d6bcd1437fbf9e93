package pocketrec.client

import java.util.Locale

private const val MAX_PATH = 200
private val RESERVED = setOf(Manifest.FILE, Manifest.SIGNATURE)

/** Paths are plain, relative, sorted, and name different files on every file system. */
internal fun checkPaths(files: List<FileEntry>) {
    val paths = files.map { it.path }
    for (path in paths) checkPath(path)
    val isSorted = paths.zipWithNext().all { (a, b) -> a < b }
    if (!isSorted) throw JsonException("files: expected in ascending order of path, each path once")
    val folders = paths.flatMapTo(HashSet()) { foldersOf(it) }
    val folded = (folders + paths).mapTo(HashSet()) { it.lowercase(Locale.ROOT) }
    if (folded.size != folders.size + paths.size) {
        throw JsonException("files: two paths differ in case only, or one is a file and a folder")
    }
}

private fun foldersOf(path: String): List<String> =
    path.indices.filter { path[it] == '/' }.map { path.substring(0, it) }

private fun checkPath(path: String) {
    val isPlain = path.length <= MAX_PATH && path.split('/').all { Names.PATH_PART.matches(it) }
    if (!isPlain) throw JsonException("files: '$path' is not a plain relative path")
    if (path.lowercase(Locale.ROOT) in RESERVED) throw JsonException("files: lists $path")
}

/** Every file is used exactly once, as its role says. */
internal fun checkUses(manifest: Manifest) {
    val uses =
        manifest.models.values.map { it.file to Role.MODEL } +
            manifest.vocabularies.values.map { it.file to Role.VOCABULARY } +
            listOf(manifest.items to Role.ITEMS, manifest.golden to Role.GOLDEN) +
            listOfNotNull(manifest.candidates).map { it.file to Role.CANDIDATES }
    for ((path, role) in uses) {
        if (path !in manifest.paths) throw JsonException("'$path' is used but not among the files")
        if (manifest.file(path).role != role) throw JsonException("'$path' is used as ${role.key}, unlike its role")
    }
    val unused = manifest.paths - uses.uniqueBy("used files") { it.first }.keys
    if (unused.isNotEmpty()) throw JsonException("files: $unused not used by anything")
}

/** Fields that depend on each other agree. */
internal fun checkAgreement(manifest: Manifest) {
    val layout = manifest.layout
    if (manifest.models.keys != layout.graphs) throw JsonException("models: not those of ${layout.key}")
    val items = manifest.vocabularies["items"] ?: throw JsonException("vocabularies: expected one of items")
    if (manifest.k > items.size) throw JsonException("k: more than the ${items.size} items")
    if ((manifest.candidates != null) != layout.storesCandidates) {
        throw JsonException("candidates: expected in a split bundle, and only there")
    }
    val readsHistory = manifest.models.values.any { model -> model.inputs.any { it.name == "history" } }
    if (readsHistory != (manifest.window > 0)) throw JsonException("window: expected where a model reads a history")
    if (manifest.isSigned != (manifest.keyId != null)) {
        throw JsonException("key_id: expected with a signature, and only then")
    }
    val fromBase = manifest.update?.fromBase.orEmpty()
    if (!manifest.paths.containsAll(fromBase)) throw JsonException("update.from_base: not among the files")
}
