package pocketrec.sample

import kotlin.test.Test
import kotlin.test.assertEquals

class PicksTest {
    @Test
    fun tickedFilmsKeepTheirOrderAndTheirStars() {
        val picks = Picks().ticked("7", true).rated("3", 4f).rated("7", 5f).ticked("3", true)
        assertEquals(listOf("7" to 5f, "3" to 4f), picks.stars.toList())
    }

    @Test
    fun takingStarsBackLeavesTheFilmWatched() {
        assertEquals(mapOf("7" to null), Picks().rated("7", 2f).rated("7", 0f).stars)
    }

    @Test
    fun untickedFilmsAreForgotten() {
        assertEquals(Picks(), Picks().rated("7", 2f).ticked("7", false).ticked("8", false))
    }

    @Test
    fun savedPicksAreRestored() {
        val picks = Picks().ticked("b", true).rated("a", 3f)
        val (ids, stars) = picks.saved()
        assertEquals(picks.stars.toList(), Picks.restored(ids, stars).stars.toList())
    }
}
