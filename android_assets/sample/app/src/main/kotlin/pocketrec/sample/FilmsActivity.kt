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

/** The films to tick and rate, and the recommendations, which change with every tick, star and dislike. */
class FilmsActivity : Activity() {
    private val recommendations get() = (application as SampleApp).recommendations
    private val status: TextView get() = findViewById(R.id.status)
    private val search: EditText get() = findViewById(R.id.search)
    private var taste = Taste()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.films)
        val ids = state?.getStringArray(IDS)
        val stars = state?.getFloatArray(STARS)
        val disliked = state?.getStringArray(DISLIKED)
        if (ids != null && stars != null && disliked != null) taste = Taste.restored(ids, stars, disliked)
        recommendations.catalogue { it.fold(::showCatalogue, ::showFailure) }
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        val (ids, stars, disliked) = taste.saved()
        state.putStringArray(IDS, ids)
        state.putFloatArray(STARS, stars)
        state.putStringArray(DISLIKED, disliked)
    }

    private fun showCatalogue(catalogue: Catalogue) {
        val lists = Lists(catalogue)
        findViewById<ListView>(R.id.films).run {
            itemsCanFocus = true
            adapter = lists.films
        }
        findViewById<ListView>(R.id.recommendations).run {
            itemsCanFocus = true
            adapter = lists.found
        }
        findViewById<View>(R.id.undo).setOnClickListener { lists.undo() }
        lists.films.narrow(search.text.toString())
        search.addTextChangedListener(TextListener { lists.films.narrow(it) })
        lists.recommend()
    }

    /** Both lists of films: what is ticked or disliked in one changes the other. */
    private inner class Lists(private val catalogue: Catalogue) {
        private val titles = catalogue.films.associate { it.id to it.title }
        val films = FilmAdapter(this@FilmsActivity, catalogue, ::taste, ::changed)
        val found = RecommendationAdapter(this@FilmsActivity, catalogue.mostStars) { dislike(it.id, true) }

        /** From the list of recommendations, which stays where it was scrolled to. */
        fun dislike(id: String, isDisliked: Boolean) {
            taste = taste.disliked(id, isDisliked)
            films.notifyDataSetChanged()
            recommend()
        }

        fun undo() {
            taste.disliked.lastOrNull()?.let { dislike(it, false) }
        }

        private fun changed(now: Taste) {
            taste = now
            findViewById<ListView>(R.id.recommendations).setSelection(0)
            recommend()
        }

        fun recommend() {
            showDislike()
            recommendations.recommend(taste) { it.fold(::show, ::showFailure) }
        }

        /** The newest dislike, which "undo" takes back, and with it the ones before, one after another. */
        private fun showDislike() {
            val newest = taste.disliked.lastOrNull()
            findViewById<View>(R.id.undoing).visibility = if (newest == null) View.GONE else View.VISIBLE
            if (newest != null) {
                findViewById<TextView>(R.id.undone).text = getString(R.string.disliked, titles[newest])
            }
        }

        private fun show(recommended: List<Recommendation>) {
            found.show(recommended)
            val text = when {
                recommended.isEmpty() -> R.string.nothing_left
                taste != Taste() -> null
                catalogue.hasRatings -> R.string.pick_something
                else -> R.string.pick_without_stars
            }
            status.visibility = if (text == null) View.GONE else View.VISIBLE
            if (text != null) status.setText(text)
        }
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
        const val DISLIKED = "disliked"
    }
}
