package pocketrec.client

// TFLite metadata of each model: the vocabularies whose ids it knows.
private const val METADATA = "pocketrec.vocabularies"

/** Check that models, vocabularies, items and candidates are of one release. */
internal fun checkConsistency(bundle: VerifiedBundle) {
    val manifest = bundle.manifest
    for (model in manifest.models.values) checkModel(bundle, model)
    manifest.candidates?.let { checkCandidates(bundle, it) }
    val contract = Contract.sha256Of(manifest, { manifest.file(it).sha256 }, bundle.items)
    if (contract != manifest.contract) {
        refuse(ErrorCode.CONTRACT_MISMATCH, "computed $contract, the manifest says ${manifest.contract}")
    }
}

private fun checkCandidates(bundle: VerifiedBundle, entry: CandidatesEntry) {
    Candidates.body(bundle.files.getValue(entry.file), entry)
    val n = bundle.items.all.size
    if (entry.n != n) refuse(ErrorCode.CANDIDATES_INVALID, "${entry.n} rows for $n items")
}

private fun checkModel(bundle: VerifiedBundle, model: ModelEntry) {
    val file = TfliteFile(bundle.files.getValue(model.file))
    if (file.inputs != model.inputs || file.outputs != model.outputs) {
        refuse(ErrorCode.MODEL_MISMATCH, "${model.file}: inputs or outputs differ from the manifest")
    }
    val expected = model.rows.toSortedMap().map { (name, rows) -> vocabularyLine(bundle, model, name, rows - 1) }
    if (file.metadata(METADATA) != expected.joinToString("")) {
        refuse(ErrorCode.MODEL_MISMATCH, "${model.file}: made for other vocabularies than those of the bundle")
    }
}

/** What a model's metadata says about a vocabulary of which it knows the first `n` tokens. */
private fun vocabularyLine(bundle: VerifiedBundle, model: ModelEntry, name: String, n: Int): String {
    val vocabulary = bundle.vocabulary(name)
    if (vocabulary == null || n > vocabulary.size) {
        refuse(ErrorCode.MODEL_MISMATCH, "${model.file}: ${n + 1} rows of $name")
    }
    return "$name $n ${vocabulary.prefixSha256(n)}\n"
}
