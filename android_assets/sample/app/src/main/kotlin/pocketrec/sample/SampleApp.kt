package pocketrec.sample

import android.app.Application
import android.os.Handler
import android.os.Looper
import pocketrec.client.AssetSource
import pocketrec.client.RecommenderBundle
import pocketrec.client.TfLiteRuntime
import java.util.concurrent.Executor
import java.util.concurrent.Executors

/** Holds the open bundle, so that a rotation does not open it again. */
open class SampleApp : Application() {
    val recommendations by lazy { RecommendationService(worker(), mainExecutor(), ::openBundle) }

    private fun mainExecutor(): Executor {
        val handler = Handler(Looper.getMainLooper())
        return Executor { handler.post(it) }
    }

    protected open fun worker(): Executor = Executors.newSingleThreadExecutor()

    protected open fun openBundle(): RecommenderBundle =
        RecommenderBundle.open(AssetSource(assets, "bundle"), TfLiteRuntime())
}
