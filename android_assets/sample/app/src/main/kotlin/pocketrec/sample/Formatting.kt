package pocketrec.sample

import pocketrec.client.Item
import java.util.Locale

fun genresOf(film: Item): String = film.genres.joinToString(", ")

/** Predicted stars with one decimal, written as in the reader's language. */
fun starsText(stars: Float, locale: Locale): String = String.format(locale, "%.1f", stars)
