package pocketrec.sample

import java.text.Normalizer
import java.util.Locale

/** Finds titles by the words in them, ignoring case and accents. */
class Search(titles: List<String>) {
    private val folded = titles.map(::fold)

    /** Indices of the titles that contain every word of [text], in ascending order; all of them if there are no words. */
    fun find(text: String): List<Int> {
        val words = fold(text).split(' ').filter { it.isNotEmpty() }
        return folded.indices.filter { index -> words.all { it in folded[index] } }
    }

    private companion object {
        val MARKS = Regex("\\p{M}+")
        val SPACES = Regex("\\s+")

        fun fold(text: String): String {
            val decomposed = Normalizer.normalize(text, Normalizer.Form.NFD)
            return decomposed.replace(MARKS, "").replace(SPACES, " ").lowercase(Locale.ROOT)
        }
    }
}
