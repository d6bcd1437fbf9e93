package pocketrec.client

import java.io.File

/** The example of android_assets/README.md; it has to compile. */
object ReadmeExample {
    fun recommend(
        filesDir: File,
        pem: String,
        runtime: ModelRuntime = TfLiteRuntime(),
    ): List<String> {
        // In an app: builtIn = AssetSource(context.assets, "bundle")
        val store = BundleStore(File(filesDir, "pocketrec"), listOf(PublicKey.fromPem(pem)))
        store.open(runtime).use { bundle ->
            val watched = listOf(Rated("Speed (1994)", 5f), Rated("Contact (1997)"))
            return bundle.recommend(watched, top = 10, skipUnknown = true).map { "${it.item.title} ${it.stars}" }
        }
    }
}
