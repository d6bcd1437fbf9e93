package pocketrec.client

import java.nio.ByteBuffer

/** The hash of everything that must be of one release: vocabularies, items, candidates, models and their ports. */
internal object Contract {
    fun sha256Of(manifest: Manifest, hashes: (path: String) -> String, items: Items): String {
        val text = StringBuilder("pocketrec.contract/1\n")
        for (row in manifest.vocabularies.values.sortedBy { it.name }) {
            text.append("vocabulary ${row.name} ${hashes(row.file)} ${row.size} ${row.size}\n")
        }
        val ids = StringBuilder()
        for (item in items.all) ids.append(item.id).append('\n')
        text.append("items ${sha256(utf8(ids))}\n")
        manifest.candidates?.let {
            text.append("candidates ${hashes(it.file)} ${it.dtype} ${it.n}x${it.d} ${it.scale}\n")
        }
        for (model in manifest.models.values.sortedBy { it.graph }) {
            text.append("model ${model.graph} ${model.recipe} ${hashes(model.file)}\n")
            for (port in model.inputs) text.append("input ${line(port)}\n")
            for (port in model.outputs) text.append("output ${line(port)}\n")
            for ((name, rows) in model.rows.toSortedMap()) text.append("rows $name $rows\n")
        }
        return sha256(utf8(text))
    }

    private fun line(port: Port) = "${port.name} ${port.dtype} ${port.shape.joinToString("x")}"

    private fun utf8(text: CharSequence): ByteBuffer = ByteBuffer.wrap(text.toString().toByteArray(Charsets.UTF_8))
}
