package pocketrec.sample

import pocketrec.client.Item
import java.util.Locale

fun genresOf(film: Item): String = film.genres.joinToString(", ")

/** Predicted stars to a tenth, as the reader's language writes numbers. */
fun starsText(stars: Float, locale: Locale): String = String.format(locale, "%.1f", stars)
