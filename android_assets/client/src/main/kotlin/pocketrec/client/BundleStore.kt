package pocketrec.client

import java.io.File

/**
 * Bundles on the device, and their updates. Installing is atomic: until its last step the old bundle opens, afterwards the new one,
 * whenever the process is killed. Thread-safe, also across processes.
 *
 * @param folder a directory of the app's own, such as `filesDir/pocketrec`; created if missing.
 * @param trustedKeys keys, any of which must have signed what is installed. If empty, unsigned updates are accepted: only for
 * development.
 * @param builtIn the bundle in the app's assets, which opens unless a newer one is installed.
 */
public class BundleStore
@JvmOverloads
public constructor(
    folder: File,
    private val trustedKeys: List<PublicKey>,
    private val builtIn: BundleSource? = null,
) {
    private val files = StoreFiles(folder)

    // Called at each step of an installation, where tests kill the process.
    internal var atStep: (String) -> Unit = {}

    /** Why the newest bundle did not open, if [open] fell back to an older one; else null. */
    @Volatile
    public var lastFailure: BundleException? = null
        private set

    /** A bundle that can be tried. */
    private inner class Stored(val source: BundleSource, private val keys: List<PublicKey>, val place: String?) {
        fun verify(): VerifiedBundle = VerifiedBundle.open(source, keys)
    }

    /**
     * Open the newest bundle; if it does not verify or load, the one before it ([lastFailure] says why).
     *
     * @throws BundleException [ErrorCode.STORE_EMPTY] none of several opens; if there is only one, the reason why it does not.
     */
    public fun open(runtime: ModelRuntime): RecommenderBundle =
        locked { firstThatOpens { RecommenderBundle.load(it.verify(), runtime) } }

    /**
     * Verify an update and make it the current bundle. Its models are loaded and its golden queries replayed before anything is
     * switched. The bundle it replaces is kept as a fallback.
     *
     * @param update a whole bundle, or an update of the catalogue made for the current bundle.
     * @param allowDowngrade accept a version that is not newer.
     * @return the version that is now current.
     * @throws BundleException [ErrorCode.UPDATE_NOT_NEWER], [ErrorCode.UPDATE_INCOMPATIBLE], [ErrorCode.UPDATE_UNFAITHFUL], or why
     * the update does not verify. What was installed is unchanged.
     */
    @JvmOverloads
    public fun install(update: BundleSource, runtime: ModelRuntime, allowDowngrade: Boolean = false): Int = locked {
        files.clean()
        atStep("begin")
        val next = VerifiedBundle.peek(update)
        val base = baseFor(next)
        if (base != null) checkManifests(base.second, next, allowDowngrade)
        val verified = VerifiedBundle.open(withBase(update, next, base?.first), trustedKeys)
        if (base != null) {
            // Again, now that the signature is checked: the manifest that was peeked at could have been exchanged.
            checkManifests(base.second, verified.manifest, allowDowngrade)
            Compatibility.checkCatalogue(base.second, verified)
        }
        val place = files.write(verified, atStep)
        checkOnDevice(VerifiedBundle.open(files.source(place), trustedKeys), runtime)
        atStep("verified")
        files.point(Pointer(place, base?.first?.place), atStep)
        files.clean()
        atStep("cleaned")
        lastFailure = null
        verified.manifest.version
    }

    private fun checkManifests(base: VerifiedBundle, next: Manifest, allowDowngrade: Boolean) {
        Compatibility.checkVersion(base.manifest, next, allowDowngrade)
        Compatibility.checkBase(base.manifest, next)
    }

    /**
     * Make the bundle that the last installation replaced the current one again.
     *
     * @return the version that is now current.
     * @throws BundleException [ErrorCode.STORE_EMPTY] there is none, or why it does not verify.
     */
    public fun rollback(): Int = locked {
        val pointer = files.pointer()
        val previous = pointer?.previous ?: refuse(ErrorCode.STORE_EMPTY, "there is no earlier bundle")
        val version = VerifiedBundle.open(files.source(previous), trustedKeys).manifest.version
        files.point(Pointer(previous, null), atStep)
        files.clean()
        version
    }

    /** What an update is compared with; null for a whole bundle if nothing opens, so that it can repair a store. */
    private fun baseFor(next: Manifest): Pair<Stored, VerifiedBundle>? {
        if (next.update != null && candidates().isEmpty()) {
            refuse(ErrorCode.UPDATE_INCOMPATIBLE, "made for version ${next.update.baseVersion}, none is installed")
        }
        try {
            return firstThatOpens { it to it.verify() }
        } catch (error: BundleException) {
            if (next.update != null) throw error
            return null
        }
    }

    private fun withBase(update: BundleSource, next: Manifest, base: Stored?): BundleSource {
        val fromBase = next.update?.fromBase
        val isWhole = fromBase == null || base == null
        return if (isWhole) update else OverlaySource(update, base.source, fromBase)
    }

    private fun checkOnDevice(verified: VerifiedBundle, runtime: ModelRuntime) {
        val report = RecommenderBundle.load(verified, runtime).use { it.replayGolden() }
        if (report.failures.isNotEmpty()) refuse(ErrorCode.UPDATE_UNFAITHFUL, report.failures.joinToString("; "))
    }

    /** The current bundle and the one it replaced; the built-in one first if it is newer, else last. */
    private fun candidates(): List<Stored> {
        val pointer = files.pointer()
        val places = if (pointer != null) listOfNotNull(pointer.current, pointer.previous) else files.places()
        val stored = places.map { Stored(files.source(it), trustedKeys, it) }
        val own = builtIn?.let { Stored(it, emptyList(), null) } ?: return stored
        val installed = stored.firstOrNull()?.let { versionOf(it) } ?: 0
        return if (versionOf(own) > installed) listOf(own) + stored else stored + own
    }

    private fun versionOf(stored: Stored): Int = try {
        VerifiedBundle.peek(stored.source).version
    } catch (_: BundleException) {
        0
    }

    private fun <T> firstThatOpens(open: (Stored) -> T): T {
        lastFailure = null
        val all = candidates()
        for (stored in all) {
            try {
                return open(stored)
            } catch (error: BundleException) {
                if (lastFailure == null) lastFailure = error
            }
        }
        val why = lastFailure ?: refuse(ErrorCode.STORE_EMPTY, "nothing is installed or built in")
        if (all.size == 1) throw why
        refuse(ErrorCode.STORE_EMPTY, "none of ${all.size} bundles opens; the newest: ${why.message}", why)
    }

    private fun <T> locked(action: () -> T): T = VerifiedBundle.reading { files.locked(action) }
}
