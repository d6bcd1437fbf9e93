package pocketrec.client

import java.io.File

/**
 * Bundles on the device, and their updates. Installing is atomic: until the last step the old bundle is what opens, after it the
 * new one; whenever the process is killed, one of the two does. Thread-safe, also between processes.
 *
 * @param folder a directory of the app's own, such as `filesDir/pocketrec`; made when it is missing.
 * @param trustedKeys keys, any of which must have signed what is installed. Empty takes unsigned updates: only for development.
 * @param builtIn the bundle in the app's assets; what opens while nothing newer is installed.
 */
public class BundleStore
@JvmOverloads
public constructor(
    folder: File,
    private val trustedKeys: List<PublicKey>,
    private val builtIn: BundleSource? = null,
) {
    private val files = StoreFiles(folder)

    // Called at each step of an installation; tests kill the process there.
    internal var atStep: (String) -> Unit = {}

    /** Why what should have opened last did not, when [open] fell back to an older bundle; else null. */
    @Volatile
    public var lastFailure: BundleException? = null
        private set

    /** A bundle that may open. */
    private inner class Stored(val source: BundleSource, private val keys: List<PublicKey>, val place: String?) {
        fun verify(): VerifiedBundle = VerifiedBundle.open(source, keys)
    }

    /**
     * Open the newest bundle; where it does not verify or load, the one before it ([lastFailure] says why).
     *
     * @throws BundleException [ErrorCode.STORE_EMPTY] when none opens, or the reason when there was only one.
     */
    public fun open(runtime: ModelRuntime): RecommenderBundle =
        locked { firstThatOpens { RecommenderBundle.load(it.verify(), runtime) } }

    /**
     * Verify an update and make it what opens from now on. Its models are loaded and its golden questions replayed before
     * anything is switched. The bundle it replaces stays, to fall back to.
     *
     * @param update a whole bundle, or an update of the catalogue made for what is installed.
     * @param allowDowngrade take a version that is not newer.
     * @return the version that opens now.
     * @throws BundleException [ErrorCode.UPDATE_NOT_NEWER], [ErrorCode.UPDATE_INCOMPATIBLE], [ErrorCode.UPDATE_UNFAITHFUL], or
     * whatever the bundle is refused for; what was installed stays as it was.
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
            // Once more, now that it is known to be the signed one: what is peeked at could have been exchanged.
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
     * Go back to the bundle that the last installation replaced; it becomes what opens.
     *
     * @throws BundleException [ErrorCode.STORE_EMPTY] there is none, or what it is refused for.
     */
    public fun rollback(): Int = locked {
        val pointer = files.pointer()
        val previous = pointer?.previous ?: refuse(ErrorCode.STORE_EMPTY, "nothing to go back to")
        val version = VerifiedBundle.open(files.source(previous), trustedKeys).manifest.version
        files.point(Pointer(previous, null), atStep)
        files.clean()
        version
    }

    /** What an update is compared with; null for a whole bundle where nothing opens, so that it can mend a store. */
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

    private fun withBase(update: BundleSource, next: Manifest, base: Stored?): BundleSource = if (next.update == null ||
        base == null
    ) {
        update
    } else {
        OverlaySource(update, base.source, next.update.fromBase)
    }

    private fun checkOnDevice(verified: VerifiedBundle, runtime: ModelRuntime) {
        val report = RecommenderBundle.load(verified, runtime).use { it.replayGolden() }
        if (report.failures.isNotEmpty()) refuse(ErrorCode.UPDATE_UNFAITHFUL, report.failures.joinToString("; "))
    }

    /** Newest first: what is installed and what it replaced, and the built-in one where that is newer, or else last. */
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
        val why = lastFailure ?: refuse(ErrorCode.STORE_EMPTY, "nothing is installed, and nothing is built in")
        if (all.size == 1) throw why
        refuse(ErrorCode.STORE_EMPTY, "none of ${all.size} bundles opens; the newest: ${why.message}", why)
    }

    private fun <T> locked(action: () -> T): T = VerifiedBundle.reading { files.locked(action) }
}
