package pocketrec.sample

import android.app.Activity
import android.os.Bundle
import android.text.Editable
import android.text.TextWatcher
import android.view.View
import android.widget.EditText
import android.widget.ListView
import android.widget.TextView
import pocketrec.client.Recommendation

/** The films to tick and rate, and the recommendations, which change with every tick and star. */
class FilmsActivity : Activity() {
    private val recommendations get() = (application as SampleApp).recommendations
    private val status: TextView get() = findViewById(R.id.status)
    private val search: EditText get() = findViewById(R.id.search)
    private var watched = WatchedFilms()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.films)
        val ids = state?.getStringArray(IDS)
        val stars = state?.getFloatArray(STARS)
        if (ids != null && stars != null) watched = WatchedFilms.restored(ids, stars)
        recommendations.catalogue { it.fold(::showCatalogue, ::showFailure) }
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        val (ids, stars) = watched.saved()
        state.putStringArray(IDS, ids)
        state.putFloatArray(STARS, stars)
    }

    private fun showCatalogue(catalogue: Catalogue) {
        val films = FilmAdapter(this, catalogue, ::watched) { changed ->
            watched = changed
            recommend(catalogue)
        }
        findViewById<ListView>(R.id.films).run {
            itemsCanFocus = true
            adapter = films
        }
        films.narrow(search.text.toString())
        search.addTextChangedListener(TextListener { films.narrow(it) })
        recommend(catalogue)
    }

    private fun recommend(catalogue: Catalogue) = recommendations.recommend(watched) { found ->
        found.fold({ showRecommendations(it, catalogue) }, ::showFailure)
    }

    private fun showRecommendations(found: List<Recommendation>, catalogue: Catalogue) {
        findViewById<ListView>(R.id.recommendations).adapter =
            RecommendationAdapter(this, found, catalogue.mostStars)
        val text = when {
            found.isEmpty() -> R.string.nothing_left
            watched.stars.isEmpty() -> R.string.pick_something
            else -> null
        }
        status.visibility = if (text == null) View.GONE else View.VISIBLE
        if (text != null) status.setText(text)
    }

    private fun showFailure(error: Throwable) {
        status.visibility = View.VISIBLE
        status.text = getString(R.string.failed, error.message)
    }

    private class TextListener(private val changed: (String) -> Unit) : TextWatcher {
        override fun beforeTextChanged(text: CharSequence, start: Int, count: Int, after: Int) = Unit

        override fun onTextChanged(text: CharSequence, start: Int, before: Int, count: Int) = Unit

        override fun afterTextChanged(text: Editable) = changed(text.toString())
    }

    private companion object {
        const val IDS = "ids"
        const val STARS = "stars"
    }
}
