package pocketrec.sample

import kotlin.test.Test
import kotlin.test.assertEquals

class TasteTest {
    @Test
    fun tickedFilmsKeepTheirOrderAndTheirStars() {
        val taste = Taste().ticked("7", true).rated("3", 4f).rated("7", 5f).ticked("3", true)
        assertEquals(listOf("7" to 5f, "3" to 4f), taste.watched.toList())
    }

    @Test
    fun removingTheStarsLeavesTheFilmWatched() {
        assertEquals(mapOf("7" to null), Taste().rated("7", 2f).rated("7", 0f).watched)
    }

    @Test
    fun untickedFilmsAreForgotten() {
        assertEquals(Taste(), Taste().rated("7", 2f).ticked("7", false).ticked("8", false))
    }

    @Test
    fun aFilmIsEitherWatchedOrDisliked() {
        assertEquals(Taste(disliked = setOf("7")), Taste().rated("7", 2f).disliked("7", true))
        assertEquals(Taste(mapOf("7" to null)), Taste().disliked("7", true).ticked("7", true))
        assertEquals(Taste(mapOf("7" to 2f)), Taste().disliked("7", true).rated("7", 2f))
        assertEquals(Taste(disliked = setOf("7")), Taste().disliked("7", true).ticked("7", false))
    }

    @Test
    fun dislikesKeepTheirOrderAndCanBeTakenBack() {
        val taste = Taste().disliked("b", true).disliked("a", true).disliked("b", true)
        assertEquals(listOf("b", "a"), taste.disliked.toList())
        assertEquals(setOf("b"), taste.disliked("a", false).disliked)
    }

    @Test
    fun whatWasSavedIsRestored() {
        val taste = Taste().ticked("b", true).rated("a", 3f).disliked("d", true).disliked("c", true)
        val (ids, stars, disliked) = taste.saved()
        val restored = Taste.restored(ids, stars, disliked)
        assertEquals(taste.watched.toList(), restored.watched.toList())
        assertEquals(taste.disliked.toList(), restored.disliked.toList())
    }
}
