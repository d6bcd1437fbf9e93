package pocketrec.sample

import java.text.Normalizer
import java.util.Locale

/** Finds titles by the words in them, whatever their case and accents. */
class Search(titles: List<String>) {
    private val folded = titles.map(::fold)

    /** Places of the titles that hold every word of [text], in their own order; all of them for no words. */
    fun find(text: String): List<Int> {
        val words = fold(text).split(' ').filter { it.isNotEmpty() }
        return folded.indices.filter { place -> words.all { it in folded[place] } }
    }

    private companion object {
        val MARKS = Regex("\\p{M}+")
        val SPACES = Regex("\\s+")

        fun fold(text: String): String =
            Normalizer.normalize(text, Normalizer.Form.NFD).replace(MARKS, "").replace(SPACES, " ").lowercase(Locale.ROOT)
    }
}
