package pocketrec.client

import java.nio.ByteBuffer

/** An item of the catalogue, as items.json has it. */
public data class Item(public val id: String, public val title: String, public val genres: List<String>)

/** The catalogue, in the order of the item vocabulary. */
internal class Items(val all: List<Item>, private val ids: Vocabulary) {
    private val titles = HashMap<String, Int>(all.size * 4 / 3 + 1)

    init {
        for (index in all.indices.reversed()) titles[all[index].title] = index
    }

    /** The item with this id, else the first with this title; -1 for none. Allocates nothing. */
    fun indexOf(name: String): Int {
        val id = ids.indexOf(name)
        return if (id >= 0) id else titles[name] ?: -1
    }

    companion object {
        fun parse(data: ByteBuffer, vocabulary: Vocabulary): Items {
            val all =
                JsonFields.read(data, ErrorCode.ITEMS_INVALID, "items") { value ->
                    val rows = value as? List<*> ?: throw JsonException("expected a list")
                    rows.mapIndexed { i, row -> item(JsonFields.of(row, "items[$i]")) }
                }
            if (all.size != vocabulary.size || all.indices.any { all[it].id != vocabulary.token(it) }) {
                refuse(ErrorCode.ITEMS_INVALID, "its order is not that of the item vocabulary")
            }
            return Items(all, vocabulary)
        }

        private fun item(row: JsonFields) = Item(row.string("id"), row.string("title"), row.strings("genres"))
    }
}
