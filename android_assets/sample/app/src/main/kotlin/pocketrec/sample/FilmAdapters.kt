package pocketrec.sample

import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.CheckBox
import android.widget.ImageButton
import android.widget.RatingBar
import android.widget.TextView
import pocketrec.client.Item
import pocketrec.client.Recommendation

/** The films that match the search, each with a check box, a thumb that points down and, where ratings mean something, stars. */
class FilmAdapter(
    private val context: Context,
    private val catalogue: Catalogue,
    private val taste: () -> Taste,
    private val change: (Taste) -> Unit,
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
        row.findViewById<TextView>(R.id.genres).text = genresOf(film)
        row.findViewById<CheckBox>(R.id.picked).text = film.title
        bindBox(row, film, R.id.picked, film.id in taste().watched, Taste::ticked)
        row.findViewById<View>(R.id.disliked).contentDescription = context.getString(R.string.dislike, film.title)
        bindBox(row, film, R.id.disliked, film.id in taste().disliked, Taste::disliked)
        bindStars(row, film)
    }

    private fun bindBox(row: View, film: Item, box: Int, isOn: Boolean, changing: Taste.(String, Boolean) -> Taste) =
        row.findViewById<CheckBox>(box).run {
            setOnCheckedChangeListener(null)
            isChecked = isOn
            setOnCheckedChangeListener { _, now -> changed(row, film, taste().changing(film.id, now)) }
        }

    private fun bindStars(row: View, film: Item) = row.findViewById<RatingBar>(R.id.stars).run {
        visibility = if (catalogue.hasRatings) View.VISIBLE else View.GONE
        onRatingBarChangeListener = null
        contentDescription = context.getString(R.string.stars_of, film.title)
        numStars = catalogue.mostStars
        rating = taste().watched[film.id] ?: 0f
        setOnRatingBarChangeListener { _, given, isByUser ->
            if (isByUser) changed(row, film, taste().rated(film.id, given))
        }
    }

    // Only this row is drawn again: a new layout of the list would cancel the drag on the stars.
    private fun changed(row: View, film: Item, now: Taste) {
        change(now)
        bind(row, film)
    }
}

/** The recommended films, best first, each with a thumb that points down. */
class RecommendationAdapter(
    private val context: Context,
    private val mostStars: Int,
    private val dislike: (Item) -> Unit,
) : BaseAdapter() {
    private var found = emptyList<Recommendation>()

    /** Show other films; the list keeps its position. */
    fun show(recommended: List<Recommendation>) {
        found = recommended
        notifyDataSetChanged()
    }

    override fun getCount() = found.size

    override fun getItem(position: Int) = found[position]

    override fun getItemId(position: Int) = position.toLong()

    override fun isEnabled(position: Int) = false

    override fun getView(position: Int, recycled: View?, parent: ViewGroup): View {
        val row = recycled ?: LayoutInflater.from(context).inflate(R.layout.recommendation, parent, false)
        val recommendation = getItem(position)
        val film = recommendation.item
        row.findViewById<TextView>(R.id.title).text = film.title
        row.findViewById<TextView>(R.id.details).text = describe(recommendation)
        row.findViewById<ImageButton>(R.id.dislike).run {
            contentDescription = context.getString(R.string.dislike, film.title)
            setOnClickListener { dislike(film) }
        }
        return row
    }

    private fun describe(recommendation: Recommendation): String {
        val genres = genresOf(recommendation.item)
        val stars = recommendation.stars ?: return genres
        val locale = context.resources.configuration.locales[0]
        return context.getString(R.string.expected, genres, starsText(stars, locale), mostStars)
    }
}
