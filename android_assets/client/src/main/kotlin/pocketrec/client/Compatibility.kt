package pocketrec.client

/** Whether an update may follow what is installed. */
internal object Compatibility {
    /** @throws BundleException [ErrorCode.UPDATE_NOT_NEWER], [ErrorCode.UPDATE_INCOMPATIBLE] */
    fun checkVersion(base: Manifest, next: Manifest, allowDowngrade: Boolean) {
        if (base.name != next.name) fail("the update is named ${next.name}, the installed bundle ${base.name}")
        if (next.version <= base.version && !allowDowngrade) {
            refuse(ErrorCode.UPDATE_NOT_NEWER, "version ${next.version}, installed is ${base.version}")
        }
    }

    /** Whether an update of the catalogue alone was made for this base, judged by the manifests. */
    fun checkBase(base: Manifest, next: Manifest) {
        val update = next.update ?: return
        if (update.baseVersion != base.version) {
            fail("made for version ${update.baseVersion}, installed is ${base.version}")
        }
        if (!base.layout.storesCandidates || next.layout != base.layout) {
            fail("only a bundle that stores its candidates apart from the model (layout split) can be updated in parts")
        }
        for (path in update.fromBase) {
            val isSame = path in base.paths && base.file(path).sha256 == next.file(path).sha256
            if (!isSame) fail("made for another $path")
        }
    }

    /** The same, judged by the files. `next` includes the files that it takes from the base. */
    fun checkCatalogue(base: VerifiedBundle, next: VerifiedBundle) {
        if (next.manifest.update == null) return
        val old = base.manifest.candidates ?: return
        val new = next.manifest.candidates ?: return
        if (old.d != new.d) fail("its vectors have ${new.d} dimensions, the encoder's ${old.d}")
        if (modelHashes(base) != modelHashes(next)) fail("made for another encoder")
        checkVocabularies(base, next)
    }

    private fun checkVocabularies(base: VerifiedBundle, next: VerifiedBundle) {
        val names = base.vocabularies.keys
        if (names != next.vocabularies.keys) fail("other vocabularies")
        for (name in names - "items") if (hash(base, name) != hash(next, name)) fail("another vocabulary of $name")
        val n = base.items.all.size
        val tokens = next.vocabularies.getValue("items")
        val keepsIds = tokens.size >= n && tokens.prefixSha256(n) == base.vocabularies.getValue("items").prefixSha256(n)
        if (!keepsIds) fail("its item vocabulary does not begin with the installed one, so ids would change meaning")
    }

    private fun modelHashes(bundle: VerifiedBundle) =
        bundle.manifest.models.mapValues { (_, model) -> bundle.manifest.file(model.file).sha256 }

    private fun hash(bundle: VerifiedBundle, vocabulary: String) =
        bundle.manifest.file(bundle.manifest.vocabularies.getValue(vocabulary).file).sha256

    private fun fail(why: String): Nothing = refuse(ErrorCode.UPDATE_INCOMPATIBLE, why)
}
