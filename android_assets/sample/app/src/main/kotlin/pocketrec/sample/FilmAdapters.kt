package pocketrec.sample

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.CheckBox
import android.widget.RatingBar
import android.widget.TextView
import pocketrec.client.Item
import pocketrec.client.Recommendation

/** The films that match the search, each with a check box and stars. */
class FilmAdapter(
    private val context: Context,
    private val catalogue: Catalogue,
    private val watched: () -> WatchedFilms,
    private val change: (WatchedFilms) -> Unit,
) : BaseAdapter() {
    private val search = Search(catalogue.films.map { it.title })
    private var shown = catalogue.films.indices.toList()

    fun narrow(text: String) {
        shown = search.find(text)
        notifyDataSetChanged()
    }

    override fun getCount() = shown.size

    override fun getItem(position: Int) = catalogue.films[shown[position]]

    override fun getItemId(position: Int) = shown[position].toLong()

    override fun hasStableIds() = true

    override fun getView(position: Int, recycled: View?, parent: ViewGroup): View {
        val row = recycled ?: LayoutInflater.from(context).inflate(R.layout.film, parent, false)
        bind(row, getItem(position))
        return row
    }

    private fun bind(row: View, film: Item) {
        val isWatched = film.id in watched().stars
        row.findViewById<TextView>(R.id.genres).text = genresOf(film)
        row.findViewById<CheckBox>(R.id.picked).run {
            setOnCheckedChangeListener(null)
            text = film.title
            isChecked = isWatched
            setOnCheckedChangeListener { _, now -> changed(row, film, watched().ticked(film.id, now)) }
        }
        row.findViewById<RatingBar>(R.id.stars).run {
            onRatingBarChangeListener = null
            contentDescription = context.getString(R.string.stars_of, film.title)
            numStars = catalogue.mostStars
            rating = watched().stars[film.id] ?: 0f
            setOnRatingBarChangeListener { _, given, isByUser ->
                if (isByUser) changed(row, film, watched().rated(film.id, given))
            }
        }
    }

    // Only this row is drawn again: a new layout of the list would cancel the drag on the stars.
    private fun changed(row: View, film: Item, now: WatchedFilms) {
        change(now)
        bind(row, film)
    }
}

/** The recommended films, best first. */
class RecommendationAdapter(
    private val context: Context,
    private val found: List<Recommendation>,
    private val mostStars: Int,
) : BaseAdapter() {
    override fun getCount() = found.size

    override fun getItem(position: Int) = found[position]

    override fun getItemId(position: Int) = position.toLong()

    override fun isEnabled(position: Int) = false

    override fun getView(position: Int, recycled: View?, parent: ViewGroup): View {
        val row = recycled ?: LayoutInflater.from(context).inflate(android.R.layout.simple_list_item_2, parent, false)
        val recommendation = getItem(position)
        row.findViewById<TextView>(android.R.id.text1).text = recommendation.item.title
        row.findViewById<TextView>(android.R.id.text2).text = describe(recommendation)
        return row
    }

    private fun describe(recommendation: Recommendation): String {
        val genres = genresOf(recommendation.item)
        val stars = recommendation.stars ?: return genres
        val locale = context.resources.configuration.locales[0]
        return context.getString(R.string.expected, genres, starsText(stars, locale), mostStars)
    }
}
