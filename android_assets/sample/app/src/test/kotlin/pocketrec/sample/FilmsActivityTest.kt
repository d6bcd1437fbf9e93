package pocketrec.sample

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.os.Looper
import android.view.View
import android.widget.CheckBox
import android.widget.EditText
import android.widget.ListView
import android.widget.RatingBar
import android.widget.TextView
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import pocketrec.client.AssetSource
import pocketrec.client.BundleSource
import pocketrec.client.Item
import pocketrec.client.JnaRuntime
import pocketrec.client.Recommendation
import pocketrec.client.RecommenderBundle
import java.io.File
import java.nio.ByteBuffer
import java.util.concurrent.Executor
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotEquals
import kotlin.test.assertNotNull
import kotlin.test.assertTrue

/** The app with another runtime: LiteRT for this machine runs the bundle in the assets. */
open class HostApp : SampleApp() {
    override fun worker() = Executor(Runnable::run)

    private val liteRt = JnaRuntime(System.getProperty("pocketrec.litert"))

    protected open fun source(): BundleSource = AssetSource(assets, "bundle")

    override fun openBundle() = RecommenderBundle.open(source(), liteRt)
}

/** The same bundle with a manifest that has one rating for everything, as that of data without ratings has. */
class UnratedApp : HostApp() {
    override fun source(): BundleSource = object : BundleSource by super.source() {
        override fun map(path: String, maxBytes: Long): ByteBuffer {
            val file = super@UnratedApp.source().map(path, maxBytes)
            if (path != "manifest.json") return file
            val text = Charsets.UTF_8.decode(file).toString()
            val unrated = text.replace(Regex("\"rating_range\": \\[[^]]*]"), "\"rating_range\": [1.0, 1.0]")
            check(unrated != text)
            return ByteBuffer.wrap(unrated.toByteArray())
        }
    }
}

class BrokenApp : HostApp() {
    override fun openBundle(): RecommenderBundle = error("no bundle")
}

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = HostApp::class)
class FilmsActivityTest {
    private fun launch(): ActivityController<FilmsActivity> =
        Robolectric.buildActivity(FilmsActivity::class.java).setup().also { settle() }

    private fun opened() = launch().also {
        assertNotNull(it.view<ListView>(R.id.films).adapter, it.view<TextView>(R.id.status).text.toString())
    }

    private fun settle() = shadowOf(Looper.getMainLooper()).idle()

    private fun <T : View> ActivityController<*>.view(id: Int): T = get().findViewById(id)

    private fun ActivityController<*>.film(position: Int) = view<ListView>(R.id.films).adapter.getItem(position) as Item

    private fun ActivityController<*>.row(position: Int): View =
        view<ListView>(R.id.films).run { adapter.getView(position, null, this) }

    /** Tap the thumb of the film at a place of the recommendations; returns its id. */
    private fun ActivityController<*>.dislike(place: Int): String {
        val film = recommended()[place].item
        val list = view<ListView>(R.id.recommendations)
        list.adapter.getView(place, null, list).findViewById<View>(R.id.dislike).performClick()
        settle()
        return film.id
    }

    private fun ActivityController<*>.recommended(): List<Recommendation> =
        view<ListView>(R.id.recommendations).adapter.run { List(count) { getItem(it) as Recommendation } }

    @Test
    fun opensWithAllFilmsAndPopularRecommendations() {
        val screen = opened()
        assertTrue(screen.view<ListView>(R.id.films).adapter.count > 1000)
        assertEquals(20, screen.recommended().size)
        assertEquals(screen.get().getString(R.string.pick_something), screen.view<TextView>(R.id.status).text)
    }

    @Test
    fun typingNarrowsTheFilms() {
        val screen = opened()
        screen.view<EditText>(R.id.search).setText("star wars")
        val films = screen.view<ListView>(R.id.films).adapter
        assertEquals(listOf("Star Wars (1977)"), List(films.count) { (films.getItem(it) as Item).title })
    }

    @Test
    fun tickedFilmsChangeTheRecommendationsAndAreNotAmongThem() {
        val screen = opened()
        val before = screen.recommended().map { it.item.id }
        screen.view<EditText>(R.id.search).setText("star wars")
        screen.row(0).findViewById<CheckBox>(R.id.picked).performClick()
        settle()
        val after = screen.recommended().map { it.item.id }
        assertNotEquals(before, after)
        assertFalse(screen.film(0).id in after)
        assertEquals(View.GONE, screen.view<TextView>(R.id.status).visibility)
    }

    @Test
    fun ticksAndSearchSurviveARotation() {
        val screen = opened()
        screen.view<EditText>(R.id.search).setText("speed (1994)")
        screen.row(0).findViewById<CheckBox>(R.id.picked).performClick()
        settle()
        val before = screen.recommended()
        RuntimeEnvironment.setQualifiers("+land")
        screen.configurationChange(RuntimeEnvironment.getApplication().resources.configuration)
        settle()
        assertEquals("speed (1994)", screen.view<EditText>(R.id.search).text.toString())
        assertTrue(screen.row(0).findViewById<CheckBox>(R.id.picked).isChecked)
        assertEquals(before, screen.recommended())
    }

    @Test
    fun dislikedFilmsGoAndUndoBringsThemBack() {
        val screen = opened()
        val before = screen.recommended()
        assertEquals(View.GONE, screen.view<View>(R.id.undoing).visibility)
        val disliked = List(2) { screen.dislike(0) }
        val after = screen.recommended().map { it.item.id }
        assertEquals(20, after.size)
        assertEquals(emptySet(), after.toSet() intersect disliked.toSet())
        val titles = before.associate { it.item.id to it.item.title }
        for (id in disliked.reversed()) {
            assertEquals("Not interested in ${titles[id]}.", screen.view<TextView>(R.id.undone).text.toString())
            screen.view<View>(R.id.undo).performClick()
            settle()
        }
        assertEquals(View.GONE, screen.view<View>(R.id.undoing).visibility)
        assertEquals(before, screen.recommended())
    }

    @Test
    fun aDislikeIsShownAmongTheFilmsAndATickTakesItBack() {
        val screen = opened()
        val title = screen.recommended()[0].item.title
        screen.view<EditText>(R.id.search).setText(title)
        screen.dislike(0)
        assertTrue(screen.row(0).findViewById<CheckBox>(R.id.disliked).isChecked)
        screen.row(0).findViewById<CheckBox>(R.id.picked).performClick()
        settle()
        assertFalse(screen.row(0).findViewById<CheckBox>(R.id.disliked).isChecked)
        assertEquals(View.GONE, screen.view<View>(R.id.undoing).visibility)
        screen.row(0).findViewById<CheckBox>(R.id.disliked).performClick()
        settle()
        assertFalse(screen.row(0).findViewById<CheckBox>(R.id.picked).isChecked)
        assertFalse(title in screen.recommended().map { it.item.title })
    }

    @Test
    fun dislikesSurviveARotation() {
        val screen = opened()
        screen.dislike(3)
        val before = screen.recommended()
        val shown = screen.view<TextView>(R.id.undone).text.toString()
        RuntimeEnvironment.setQualifiers("+land")
        screen.configurationChange(RuntimeEnvironment.getApplication().resources.configuration)
        settle()
        assertEquals(before, screen.recommended())
        assertEquals(shown, screen.view<TextView>(R.id.undone).text.toString())
    }

    @Test
    fun starsAreShownForABundleWithRatings() =
        assertEquals(View.VISIBLE, opened().row(0).findViewById<View>(R.id.stars).visibility)

    @Test
    @Config(application = UnratedApp::class)
    fun withoutRatingsThereAreNoStarsToGive() {
        val screen = opened()
        assertEquals(View.GONE, screen.row(0).findViewById<View>(R.id.stars).visibility)
        assertEquals(screen.get().getString(R.string.pick_without_stars), screen.view<TextView>(R.id.status).text)
    }

    @Test
    fun everyControlHasAName() {
        val screen = opened()
        val row = screen.row(0)
        assertEquals(screen.film(0).title, row.findViewById<CheckBox>(R.id.picked).text)
        assertEquals("Stars for ${screen.film(0).title}", row.findViewById<RatingBar>(R.id.stars).contentDescription)
        val list = screen.view<ListView>(R.id.recommendations)
        val thumb = list.adapter.getView(0, null, list).findViewById<View>(R.id.dislike)
        assertEquals("Not interested in ${screen.recommended()[0].item.title}", thumb.contentDescription)
        val other = row.findViewById<View>(R.id.disliked)
        assertEquals("Not interested in ${screen.film(0).title}", other.contentDescription)
    }

    /** Draws the screen into a file of the build directory; returns the luminance of its background, 0 to 1. */
    private fun drawn(name: String): Float {
        val screen = opened()
        screen.view<EditText>(R.id.search).setText("star")
        settle()
        screen.view<ListView>(R.id.films).run {
            getChildAt(0).findViewById<View>(R.id.picked).performClick()
            getChildAt(1).findViewById<View>(R.id.disliked).performClick()
        }
        settle()
        val view = screen.get().window.decorView
        val picture = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(picture))
        val file = File(System.getProperty("work"), name)
        file.outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
        return Color.luminance(picture.getPixel(picture.width - 2, picture.height - 2))
    }

    @Test
    @GraphicsMode(GraphicsMode.Mode.NATIVE)
    @Config(qualifiers = "w400dp-h800dp-port-notnight-xhdpi")
    fun isDrawnInPortrait() = assertTrue(drawn("portrait.png") > 0.8f)

    @Test
    @GraphicsMode(GraphicsMode.Mode.NATIVE)
    @Config(qualifiers = "w800dp-h400dp-land-night-xhdpi")
    fun isDrawnInLandscapeAndDarkAtNight() = assertTrue(drawn("landscape-night.png") < 0.2f)

    @Test
    @Config(application = BrokenApp::class)
    fun aBundleThatDoesNotOpenShowsAMessage() {
        val text = launch().view<TextView>(R.id.status).text
        assertEquals("Recommendations are not available: no bundle", text)
    }
}
