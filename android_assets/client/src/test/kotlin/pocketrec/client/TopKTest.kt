package pocketrec.client

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import java.util.Random

class TopKTest {
    @Test
    fun `keeps what sorting would, ties by lower id, never NaN`() {
        val random = Random(3)
        repeat(500) {
            val n = random.nextInt(60)
            val k = random.nextInt(20)
            val scores = FloatArray(n) { if (random.nextInt(9) == 0) Float.NaN else random.nextInt(7) / 2f }
            val order = (0 until n).shuffled(random)
            val best = TopK(k)
            repeat(2) {
                best.clear()
                for (id in order) best.offer(id, scores[id])
                best.sort()
            }
            val expected = (0 until n).filterNot {
                scores[it].isNaN()
            }.sortedWith(compareBy({ -scores[it] }, { it })).take(k)
            assertEquals(expected, List(best.size) { best.id(it) })
            assertEquals(expected.map { scores[it] }, List(best.size) { best.score(it) })
        }
    }
}
