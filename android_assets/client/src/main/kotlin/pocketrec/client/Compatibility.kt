package pocketrec.client

/** Whether an update may follow what is installed. */
internal object Compatibility {
    /**
     * @throws BundleException [ErrorCode.UPDATE_NOT_NEWER], [ErrorCode.UPDATE_INCOMPATIBLE]
     */
    fun checkVersion(
        base: Manifest,
        next: Manifest,
        allowDowngrade: Boolean,
    ) {
        if (base.name != next.name) fail("it is a bundle of ${next.name}, installed is ${base.name}")
        if (next.version <= base.version && !allowDowngrade) {
            refuse(ErrorCode.UPDATE_NOT_NEWER, "version ${next.version}, installed is ${base.version}")
        }
    }

    /** That an update of the catalogue alone was made for this base. The files of `next` must have been read with those it takes from it. */
    fun checkCatalogue(
        base: VerifiedBundle,
        next: VerifiedBundle,
    ) {
        val update = next.manifest.update ?: return
        if (update.baseVersion != base.manifest.version) fail("made for version ${update.baseVersion}, installed is ${base.manifest.version}")
        val old = base.manifest.candidates
        val new = next.manifest.candidates
        if (old == null || new == null) fail("only a catalogue apart from its model (layout split) can be updated alone")
        if (old.d != new.d) fail("its vectors have ${new.d} dimensions, the encoder's ${old.d}")
        if (encoder(base) != encoder(next)) fail("made for another encoder")
        val names = base.vocabularies.keys
        if (names != next.vocabularies.keys) fail("other vocabularies")
        for (name in names - "items") if (vocabulary(base, name) != vocabulary(next, name)) fail("another vocabulary of $name")
        val n = base.items.all.size
        val tokens = next.vocabularies.getValue("items")
        val keepsIds = tokens.size >= n && tokens.prefixSha256(n) == base.vocabularies.getValue("items").prefixSha256(n)
        if (!keepsIds) fail("its item vocabulary does not begin with the installed one: ids would change their meaning")
    }

    private fun encoder(bundle: VerifiedBundle) = bundle.manifest.models["query_encoder"]?.let { bundle.manifest.file(it.file).sha256 }

    private fun vocabulary(
        bundle: VerifiedBundle,
        name: String,
    ) = bundle.manifest.file(bundle.manifest.vocabularies.getValue(name).file).sha256

    private fun fail(why: String): Nothing = refuse(ErrorCode.UPDATE_INCOMPATIBLE, why)
}
