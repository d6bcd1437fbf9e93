package pocketrec.client

/** Whether an update may follow what is installed. */
internal object Compatibility {
    /**
     * @throws BundleException [ErrorCode.UPDATE_NOT_NEWER], [ErrorCode.UPDATE_INCOMPATIBLE]
     */
    fun checkVersion(base: Manifest, next: Manifest, allowDowngrade: Boolean) {
        if (base.name != next.name) fail("it is a bundle of ${next.name}, installed is ${base.name}")
        if (next.version <= base.version && !allowDowngrade) {
            refuse(ErrorCode.UPDATE_NOT_NEWER, "version ${next.version}, installed is ${base.version}")
        }
    }

    /** That an update of the catalogue alone was made for this base, as far as the manifests tell. */
    fun checkBase(base: Manifest, next: Manifest) {
        val update = next.update ?: return
        if (update.baseVersion !=
            base.version
        ) {
            fail("made for version ${update.baseVersion}, installed is ${base.version}")
        }
        if (base.layout != Layout.SPLIT || next.layout != Layout.SPLIT) {
            fail("only a catalogue apart from its model (layout split) can be updated alone")
        }
        for (path in update.fromBase) {
            if (path !in base.paths || base.file(path).sha256 != next.file(path).sha256) fail("made for another $path")
        }
    }

    /** The same, as far as the files tell; those of `next` are read with those that it takes from the base. */
    fun checkCatalogue(base: VerifiedBundle, next: VerifiedBundle) {
        if (next.manifest.update == null) return
        val old = base.manifest.candidates ?: return
        val new = next.manifest.candidates ?: return
        if (old.d != new.d) fail("its vectors have ${new.d} dimensions, the encoder's ${old.d}")
        if (encoder(base) != encoder(next)) fail("made for another encoder")
        val names = base.vocabularies.keys
        if (names != next.vocabularies.keys) fail("other vocabularies")
        for (name in names - "items") {
            if (vocabulary(base, name) !=
                vocabulary(next, name)
            ) {
                fail("another vocabulary of $name")
            }
        }
        val n = base.items.all.size
        val tokens = next.vocabularies.getValue("items")
        val keepsIds = tokens.size >= n && tokens.prefixSha256(n) == base.vocabularies.getValue("items").prefixSha256(n)
        if (!keepsIds) fail("its item vocabulary does not begin with the installed one: ids would change their meaning")
    }

    private fun encoder(bundle: VerifiedBundle) = bundle.manifest.models["query_encoder"]?.let {
        bundle.manifest.file(it.file).sha256
    }

    private fun vocabulary(bundle: VerifiedBundle, name: String) =
        bundle.manifest.file(bundle.manifest.vocabularies.getValue(name).file).sha256

    private fun fail(why: String): Nothing = refuse(ErrorCode.UPDATE_INCOMPATIBLE, why)
}
