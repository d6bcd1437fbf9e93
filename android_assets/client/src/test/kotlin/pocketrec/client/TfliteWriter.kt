package pocketrec.client

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Writes .tflite files that hold a signature and metadata and no operators: for tests whose runtime is a stand-in. */
object TfliteWriter {
    private val types = mapOf("float32" to 0, "int32" to 2, "bool" to 6)

    fun write(inputs: List<Port>, outputs: List<Port>, metadata: Map<String, String>): ByteArray {
        val flat = Flat()
        val ports = inputs + outputs
        val tensors = ports.map { port -> tensor(port) }
        val graph = listOf<Any?>(Vector(tensors))
        val signature =
            listOf<Any?>(
                Vector(inputs.mapIndexed { i, port -> listOf<Any?>(port.name, i) }),
                Vector(outputs.mapIndexed { i, port -> listOf<Any?>(port.name, inputs.size + i) }),
                "serving_default",
                null,
                0,
            )
        val buffers = listOf(listOf<Any?>(null)) + metadata.values.map { listOf<Any?>(it) }
        val entries = metadata.keys.mapIndexed { i, name -> listOf<Any?>(name, i + 1) }
        flat.root(
            listOf(
                3,
                null,
                Vector(listOf(graph)),
                null,
                Vector(buffers),
                null,
                Vector(entries),
                Vector(listOf(signature)),
            ),
        )
        return flat.bytes()
    }

    private fun tensor(port: Port): List<Any?> = listOf(
        port.shape.map { maxOf(it, 1) }.toIntArray(),
        types.getValue(port.dtype),
        0,
        port.name,
        null,
        null,
        null,
        if (-1 in port.shape) port.shape.toIntArray() else null,
    )
}

private class Vector(val tables: List<List<Any?>>)

/** A flatbuffer written front to back: a table is a list of fields (Int, String, IntArray, [Vector] or null). */
private class Flat {
    private val out = ByteBuffer.allocate(1 shl 16).order(ByteOrder.LITTLE_ENDIAN)

    fun bytes(): ByteArray = out.array().copyOf(out.position())

    fun root(fields: List<Any?>) {
        out.putInt(0).put("TFL3".toByteArray())
        refer(0) { table(fields) }
    }

    private fun align() {
        while (out.position() % 4 != 0) out.put(0)
    }

    private fun refer(at: Int, write: () -> Unit) {
        align()
        // A table begins after its vtable: `write` says where.
        start = out.position()
        write()
        out.putInt(at, written - at)
    }

    private var start = 0
    private var written = 0

    private fun table(fields: List<Any?>) {
        val vtable = out.position()
        out.putShort((4 + 2 * fields.size).toShort()).putShort((4 + 4 * fields.size).toShort())
        fields.forEachIndexed { i, field -> out.putShort((if (field == null) 0 else 4 + 4 * i).toShort()) }
        align()
        val at = out.position()
        out.putInt(at - vtable)
        repeat(fields.size) { out.putInt((fields[it] as? Int) ?: 0) }
        fields.forEachIndexed { i, field ->
            when (field) {
                is String -> refer(at + 4 + 4 * i) { text(field) }
                is IntArray -> refer(at + 4 + 4 * i) { ints(field) }
                is Vector -> refer(at + 4 + 4 * i) { tables(field) }
            }
        }
        written = at
    }

    private fun text(value: String) {
        written = out.position()
        val bytes = value.toByteArray()
        out.putInt(bytes.size).put(bytes).put(0)
    }

    private fun ints(values: IntArray) {
        written = out.position()
        out.putInt(values.size)
        values.forEach { out.putInt(it) }
    }

    private fun tables(vector: Vector) {
        val at = out.position()
        out.putInt(vector.tables.size)
        repeat(vector.tables.size) { out.putInt(0) }
        vector.tables.forEachIndexed { i, table -> refer(at + 4 + 4 * i) { table(table) } }
        written = at
    }
}
