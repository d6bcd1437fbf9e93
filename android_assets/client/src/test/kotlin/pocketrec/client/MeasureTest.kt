package pocketrec.client

import com.sun.management.ThreadMXBean
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.lang.management.ManagementFactory

/** What opening and asking cost here, for people to read; nothing is asserted on time. */
class MeasureTest {
    private fun median(n: Int, action: () -> Unit): Double {
        val times =
            List(n) {
                val start = System.nanoTime()
                action()
                (System.nanoTime() - start) / 1e6
            }
        return times.sorted()[n / 2]
    }

    private fun allocated(action: () -> Unit): Long {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val me = Thread.currentThread().id
        val before = threads.getThreadAllocatedBytes(me)
        action()
        return threads.getThreadAllocatedBytes(me) - before
    }

    @Test
    fun `opening and asking are timed`() {
        for (folder in kitBundles()) {
            val keys = kitKeys(folder)
            val open = { RecommenderBundle.open(DirectorySource(folder), liteRt, keys) }
            val first = median(1) { open().close() }
            repeat(20) { open().close() }
            val warm = median(50) { open().close() }
            open().use { bundle ->
                val query = bundle.newQuery().apply { for (i in 0 until 30) add(i * 7, 4f) }
                val answer = Answer(10)
                repeat(200) { bundle.recommendInto(query, answer) }
                val call = median(1000) { bundle.recommendInto(query, answer) }
                val times = "opening %.1f ms (the first %.1f, n=50 warm), answering %.3f ms (n=1000)"
                val bytes = allocated { repeat(1000) { bundle.recommendInto(query, answer) } } / 1000
                println("${folder.name}: ${times.format(warm, first, call)}, JNA allocates $bytes bytes a call")
                assertTrue(answer.size == 10)
            }
        }
    }
}
