package pocketrec.client

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Models whose outputs are simple arithmetic on their inputs, to test what the client does around a model. Runs without
 * allocating. Genre of item i: i modulo the number of genres.
 *
 * @param watch called before each run, with the model.
 */
class StandInRuntime(private val watch: ((StandInModel) -> Unit)? = null) : ModelRuntime {
    var opened = 0
    var closed = 0

    override fun load(file: ByteBuffer): Model {
        val parsed = TfliteFile(file)
        opened++
        return StandInModel(parsed.inputs, parsed.outputs, watch) { closed++ }
    }
}

class StandInModel(
    override val inputs: List<Port>,
    override val outputs: List<Port>,
    private val watch: ((StandInModel) -> Unit)?,
    private val onClose: () -> Unit,
) : Model {
    private var given = HashMap<String, ByteBuffer>()
    private var got = HashMap<String, ByteBuffer>()
    private val k = outputs.find { it.name == "ids" }?.shape?.single() ?: 0
    private val best = TopK(k)
    private val final = TopK(k)
    private val firstIds = IntArray(k)
    private val firstRatings = FloatArray(k)
    private var free = 1

    init {
        resize(1)
    }

    override fun input(name: String): ByteBuffer = given.getValue(name)

    override fun output(name: String): ByteBuffer = got.getValue(name)

    fun reads(name: String): Boolean = name in given

    fun ints(name: String): List<Int> = given.getValue(name).let { buffer ->
        List(buffer.capacity() / 4) { buffer.getInt(4 * it) }
    }

    fun floats(name: String): List<Float> = given.getValue(name).let { buffer ->
        List(buffer.capacity() / 4) { buffer.getFloat(4 * it) }
    }

    fun marks(name: String): List<Int> = given.getValue(name).let { buffer ->
        (0 until buffer.capacity()).filter { buffer.get(it).toInt() != 0 }
    }

    override fun resize(n: Int) {
        free = n
        for (port in inputs) given[port.name] = ByteBuffer.allocateDirect(port.bytes(n)).order(ByteOrder.nativeOrder())
        for (port in outputs) got[port.name] = ByteBuffer.allocateDirect(port.bytes(n)).order(ByteOrder.nativeOrder())
    }

    override fun run() {
        watch?.invoke(this)
        when {
            got.containsKey("query") -> encode()
            !got.containsKey("ids") -> rank()
            else -> retrieve()
        }
    }

    private fun sum(name: String, weight: Float): Float {
        val buffer = given[name] ?: return 0f
        var total = 0f
        for (i in 0 until buffer.capacity() / 4) {
            val value = if (name == "history") buffer.getInt(4 * i).toFloat() else buffer.getFloat(4 * i)
            total += weight * value
        }
        return total
    }

    private fun who(): Int = (sum("history", 3f) + sum("preferences", 11f) + (given["user"]?.getInt(0) ?: 0)).toInt()

    private fun rating(item: Int): Float = 1f + (item * 13 + sum("stars", 1f).toInt() + who()) % 4

    private fun encode() {
        val query = got.getValue("query")
        for (j in 0 until query.capacity() / 4) query.putFloat(4 * j, ((who() + 5 * j) % 7 - 3).toFloat())
    }

    private fun rank() {
        val items = given.getValue("items")
        val out = got.getValue("rating")
        for (i in 0 until free) out.putFloat(4 * i, rating(items.getInt(4 * i)))
    }

    private fun isMasked(item: Int): Boolean {
        if (given.getValue("seen").get(item) != 0.toByte()) return true
        val genres = given["genres"] ?: return false
        val count = genres.capacity() / 4
        return sum("genres", 1f) > 0f && genres.getFloat(4 * (item % count)) == 0f
    }

    private fun retrieve() {
        best.clear()
        for (item in 0 until given.getValue("seen").capacity()) {
            best.offer(item, if (isMasked(item)) -60_000f else ((item * 37 + who()) % 23) / 10f)
        }
        best.sort()
        val isCascade = got.containsKey("rating")
        if (isCascade) finish() else for (place in 0 until k) put(place, best.id(place), best.score(place))
    }

    private fun finish() {
        final.clear()
        for (place in 0 until k) {
            firstIds[place] = best.id(place)
            firstRatings[place] = rating(best.id(place))
            final.offer(place, best.score(place) + 0.5f * firstRatings[place])
        }
        final.sort()
        for (place in 0 until k) {
            put(place, firstIds[final.id(place)], final.score(place))
            got.getValue("rating").putFloat(4 * place, firstRatings[final.id(place)])
        }
    }

    private fun put(place: Int, id: Int, score: Float) {
        got.getValue("ids").putInt(4 * place, id)
        got.getValue("scores").putFloat(4 * place, score)
    }

    override fun close() = onClose()
}
