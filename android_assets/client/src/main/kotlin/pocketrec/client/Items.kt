package pocketrec.client

import java.nio.ByteBuffer

/** An item of the catalogue: an element of items.json. */
public data class Item(public val id: String, public val title: String, public val genres: List<String>)

/** The catalogue, in the order of the item vocabulary. Several items may have the same title. */
internal class Items(val all: List<Item>, private val ids: Vocabulary) {
    private val firstOfTitle = HashMap<String, Int>(all.size * 4 / 3 + 1)
    private val othersOfTitle = HashMap<String, ArrayList<Int>>()
    private val allOfTitle: Map<String, IntArray>

    init {
        for ((index, item) in all.withIndex()) {
            val isFirst = firstOfTitle.putIfAbsent(item.title, index) == null
            if (!isFirst) othersOfTitle.getOrPut(item.title) { ArrayList() }.add(index)
        }
        allOfTitle = othersOfTitle.mapValues { (title, others) ->
            intArrayOf(firstOfTitle.getValue(title)) + others
        }
    }

    /** The item with this id, else the first with this title; -1 for neither. Allocates nothing. */
    fun indexOf(idOrTitle: String): Int {
        val index = ids.indexOf(idOrTitle)
        return if (index >= 0) index else firstOfTitle[idOrTitle] ?: -1
    }

    /** The items besides [indexOf] that the same words mean: those with the same title, unless the words are an id. */
    fun othersNamed(idOrTitle: String): List<Int> =
        if (ids.indexOf(idOrTitle) >= 0) emptyList() else othersOfTitle[idOrTitle].orEmpty()

    /** All items with the title of this one, if it is not the only one. Allocates nothing. */
    fun sameTitle(index: Int): IntArray = allOfTitle[all[index].title] ?: NONE

    companion object {
        private val NONE = IntArray(0)

        fun parse(data: ByteBuffer, vocabulary: Vocabulary): Items {
            val all =
                JsonFields.read(data, ErrorCode.ITEMS_INVALID, "items") { value ->
                    val rows = value as? List<*> ?: throw JsonException("expected a list")
                    rows.mapIndexed { i, row -> item(JsonFields.of(row, "items[$i]")) }
                }
            if (all.size != vocabulary.size || all.indices.any { all[it].id != vocabulary.token(it) }) {
                refuse(ErrorCode.ITEMS_INVALID, "items: order differs from the item vocabulary")
            }
            return Items(all, vocabulary)
        }

        private fun item(row: JsonFields) = Item(row.string("id"), row.string("title"), row.strings("genres"))
    }
}
