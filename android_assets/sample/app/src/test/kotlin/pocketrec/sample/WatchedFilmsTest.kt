package pocketrec.sample

import kotlin.test.Test
import kotlin.test.assertEquals

class WatchedFilmsTest {
    @Test
    fun tickedFilmsKeepTheirOrderAndTheirStars() {
        val watched = WatchedFilms().ticked("7", true).rated("3", 4f).rated("7", 5f).ticked("3", true)
        assertEquals(listOf("7" to 5f, "3" to 4f), watched.stars.toList())
    }

    @Test
    fun removingTheStarsLeavesTheFilmWatched() {
        assertEquals(mapOf("7" to null), WatchedFilms().rated("7", 2f).rated("7", 0f).stars)
    }

    @Test
    fun untickedFilmsAreForgotten() {
        assertEquals(WatchedFilms(), WatchedFilms().rated("7", 2f).ticked("7", false).ticked("8", false))
    }

    @Test
    fun savedFilmsAreRestored() {
        val watched = WatchedFilms().ticked("b", true).rated("a", 3f)
        val (ids, stars) = watched.saved()
        assertEquals(watched.stars.toList(), WatchedFilms.restored(ids, stars).stars.toList())
    }
}
