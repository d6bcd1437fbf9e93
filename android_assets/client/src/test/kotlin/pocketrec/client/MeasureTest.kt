package pocketrec.client

import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** What opening and asking cost here, for people to read; nothing is asserted on time. */
@OnEachKitRuntime
class MeasureTest(private val runtime: KitRuntime) {
    private fun median(n: Int, action: () -> Unit): Double {
        val times =
            List(n) {
                val start = System.nanoTime()
                action()
                (System.nanoTime() - start) / 1e6
            }
        return times.sorted()[n / 2]
    }

    @Test
    fun `opening and asking are timed`() {
        for (folder in kitBundles()) {
            val keys = kitKeys(folder)
            val open = { RecommenderBundle.open(DirectorySource(folder), runtime, keys) }
            val first = median(1) { open().close() }
            repeat(20) { open().close() }
            val warm = median(50) { open().close() }
            open().use { bundle ->
                val query = bundle.newQuery().apply { for (i in 0 until 30) add(i * 7, 4f) }
                val answer = Answer(10)
                repeat(200) { bundle.recommendInto(query, answer) }
                val call = median(1000) { bundle.recommendInto(query, answer) }
                val times = "opening %.1f ms (the first %.1f, n=50 warm), answering %.3f ms (n=1000)"
                println("$runtime, ${folder.name}: ${times.format(warm, first, call)}")
                assertTrue(answer.size == 10)
            }
        }
    }
}
