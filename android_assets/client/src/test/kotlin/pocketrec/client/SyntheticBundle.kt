package pocketrec.client

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.Signature
import java.util.Base64

/** An Ed25519 key pair by the JDK's provider. */
class Signer {
    private val pair: KeyPair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair()
    val raw: ByteArray = pair.public.encoded.copyOfRange(12, 44)
    private val base64 = Base64.getEncoder().encodeToString(pair.public.encoded)
    val pem = "-----BEGIN PUBLIC KEY-----\n$base64\n-----END PUBLIC KEY-----\n"
    val key: PublicKey get() = PublicKey.fromPem(pem)

    fun sign(message: ByteArray): ByteArray = Signature.getInstance("Ed25519").run {
        initSign(pair.private)
        update(message)
        sign()
    }
}

/** A bundle written by a test, for [StandInRuntime]; every part may be changed before [write]. */
class SyntheticBundle(
    private val layout: Layout,
    private val version: Int = 1,
    private val signer: Signer? = null,
    var ids: List<String> = (0 until 40).map { "m$it" },
    titles: List<String> = ids.map { "Title $it" },
    private val genreNames: List<String> = listOf("Comedy", "Drama", "Sci-Fi"),
    private val window: Int = 8,
    private val k: Int = 12,
    private val known: Int = ids.size,
    private val dtype: String = "int8",
    private val historyWeights: Map<String, Double>? = null,
    private val ratingRange: List<Int> = listOf(1, 5),
) {
    var name = "synthetic"
    var update: Map<String, Any?>? = null
    val preferences = listOf("age:18", "genre:Sci-Fi")
    val d = 6
    val files = LinkedHashMap<String, ByteArray>()
    private val roles = HashMap<String, String>()
    private val models = ArrayList<Map<String, Any?>>()
    var titles: List<String> = titles

    private val history = Port("history", "int32", listOf(window))
    private val stars = Port("stars", "float32", listOf(window))
    private val declared = Port("preferences", "float32", listOf(preferences.size))
    private val seen = Port("seen", "bool", listOf(known))
    private val genres = Port("genres", "float32", listOf(genreNames.size))
    private val found = listOf(Port("ids", "int32", listOf(k)), Port("scores", "float32", listOf(k)))

    /** Write all files and the manifest into a directory. Golden queries are answered by the client itself. */
    fun write(folder: File): File {
        makeFiles()
        addGolden(emptyList())
        if (update == null) {
            seal(folder)
            addGolden(queries(folder))
        }
        seal(folder)
        return folder
    }

    private fun addGolden(queries: List<Any>) {
        val golden = mapOf("schema" to "pocketrec.golden/1", "vectors" to vectors(), "queries" to queries)
        add("golden.json", "golden", json(golden).toByteArray())
    }

    private fun add(path: String, role: String, data: ByteArray) {
        files[path] = data
        roles[path] = role
    }

    private fun lines(tokens: List<String>) = tokens.joinToString("") { "$it\n" }.toByteArray()

    private fun makeFiles() {
        add("vocabularies/items.txt", "vocabulary", lines(ids))
        add("vocabularies/preferences.txt", "vocabulary", lines(preferences))
        add("vocabularies/genres.txt", "vocabulary", lines(genreNames))
        val items = ids.indices.map {
            mapOf("id" to ids[it], "title" to titles[it], "genres" to listOf(genreNames[it % genreNames.size]))
        }
        add("items.json", "items", json(items).toByteArray())
        when (layout) {
            Layout.CASCADE -> model(
                "recommender",
                listOf(genres, history, declared, seen, stars),
                found + Port("rating", "float32", listOf(k)),
            )
            Layout.PAIR -> {
                model("retriever", listOf(genres, history, declared, seen), found)
                model(
                    "ranker",
                    listOf(history, Port("items", "int32", listOf(-1)), declared, stars),
                    listOf(Port("rating", "float32", listOf(-1))),
                )
            }
            Layout.SPLIT -> {
                model("query_encoder", listOf(history, declared), listOf(Port("query", "float32", listOf(1, d))))
                add("candidates.npy", "candidates", npy())
            }
        }
    }

    fun row(item: Int): List<Int> = List(d) { (item * (it + 3)) % 11 - 5 }

    private fun npy(): ByteArray {
        val descr = if (dtype == "int8") "|i1" else "<f4"
        val text = "{'descr': '$descr', 'fortran_order': False, 'shape': (${ids.size}, $d), }"
        val header = (text.padEnd(117) + "\n").toByteArray()
        val size = 10 + header.size + ids.size * d * bytesOf(dtype)
        val out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN)
        out.put("\u0093NUMPY\u0001\u0000".toByteArray(Charsets.ISO_8859_1))
        out.putShort(header.size.toShort()).put(header)
        for (value in ids.indices.flatMap { row(it) }) {
            if (dtype == "int8") out.put(value.toByte()) else out.putFloat(value * 0.25f)
        }
        return out.array()
    }

    private fun model(graph: String, inputs: List<Port>, outputs: List<Port>) {
        val names = (inputs + outputs).map { it.name }
        val rows = sortedMapOf<String, Int>()
        if (names.any { it in setOf("history", "items", "seen", "ids") }) rows["items"] = known + 1
        if ("preferences" in names) rows["preferences"] = preferences.size + 1
        if ("genres" in names) rows["genres"] = genreNames.size + 1
        val text = rows.entries.joinToString("") { (name, n) -> "$name ${n - 1} ${prefixSha256(name, n - 1)}\n" }
        val metadata = mapOf("other" to "x", "pocketrec.vocabularies" to text)
        add("models/$graph.tflite", "model", TfliteWriter.write(inputs, outputs, metadata))
        models.add(
            mapOf(
                "graph" to graph,
                "recipe" to "float32",
                "file" to "models/$graph.tflite",
                "inputs" to inputs.map { port(it) },
                "outputs" to outputs.map { port(it) },
                "min_runtime" to "1.5.0",
                "rows" to rows,
            ),
        )
    }

    private fun prefixSha256(name: String, n: Int): String {
        val tokens = files.getValue("vocabularies/$name.txt").decodeToString().split("\n")
        return sha256(ByteBuffer.wrap(lines(tokens.take(n))))
    }

    private fun port(port: Port) = mapOf("name" to port.name, "shape" to port.shape, "dtype" to port.dtype)

    private fun vocabulary(name: String, size: Int) =
        mapOf("name" to name, "file" to "vocabularies/$name.txt", "size" to size, "oov_index" to size)

    private fun manifest(contract: String): Map<String, Any?> = linkedMapOf(
        "schema" to "pocketrec.bundle/1",
        "kit_version" to "0",
        "name" to name,
        "version" to version,
        "made_from_sha256" to NO_HASH,
        "layout" to layout.name.lowercase(),
        "files" to files.keys.sorted().map { file(it) },
        "models" to models,
        "vocabularies" to
            listOf(
                vocabulary("items", ids.size),
                vocabulary("preferences", preferences.size),
                vocabulary("genres", genreNames.size),
            ),
        "items" to "items.json",
        "candidates" to candidates().takeIf { layout == Layout.SPLIT },
        "window" to window,
        "rating_range" to ratingRange,
        "stars_weight" to 0.5.takeIf { layout != Layout.SPLIT },
        "k" to k,
        "golden" to "golden.json",
        "parity" to emptyList<Any>(),
        "contract" to contract,
        "key_id" to signer?.key?.id,
        "signature" to "manifest.sig".takeIf { signer != null },
        "update" to update,
        "history_weights" to historyWeights,
    )

    private fun file(path: String) =
        mapOf("path" to path, "role" to roles[path], "sha256" to hash(path), "bytes" to files.getValue(path).size)

    private fun candidates() = mapOf(
        "file" to "candidates.npy",
        "dtype" to dtype,
        "shape" to listOf(ids.size, d),
        "scale" to if (dtype == "int8") 0.25 else null,
    )

    private fun hash(path: String) = sha256(ByteBuffer.wrap(files.getValue(path)))

    private fun seal(folder: File) {
        folder.deleteRecursively()
        val draft = Manifest.parse(ByteBuffer.wrap(json(manifest(NO_HASH)).toByteArray()))
        val items = Items.parse(ByteBuffer.wrap(files.getValue("items.json")), Vocabulary(ids, ByteBuffer.allocate(0)))
        val text = json(manifest(Contract.sha256Of(draft, { hash(it) }, items))).toByteArray()
        val taken = (update?.get("from_base") as? List<*>).orEmpty()
        for ((path, data) in files.filterKeys { it !in taken }) {
            File(folder, path).also { it.parentFile.mkdirs() }.writeBytes(data)
        }
        File(folder, "manifest.json").writeBytes(text)
        signer?.let { File(folder, "manifest.sig").writeBytes(it.sign(text)) }
    }

    private fun vectors(): List<Map<String, Any?>> = models.map { model ->
        val file = model["file"] as String
        val parsed = TfliteFile(ByteBuffer.wrap(files.getValue(file)))
        val ran = StandInModel(parsed.inputs, parsed.outputs, null) {}
        ran.resize(3)
        ran.run()
        mapOf(
            "model" to file,
            "tolerance" to 1e-5,
            "inputs" to parsed.inputs.associate { it.name to tensor(it, ran.input(it.name)) },
            "outputs" to parsed.outputs.associate { it.name to tensor(it, ran.output(it.name)) },
        )
    }

    private fun tensor(port: Port, data: ByteBuffer) = mapOf(
        "dtype" to port.dtype,
        "shape" to port.shape.map { if (it < 0) 3 else it },
        "base64" to Base64.getEncoder().encodeToString(ByteArray(data.capacity()) { data.get(it) }),
    )

    private fun queries(folder: File): List<Map<String, Any?>> =
        RecommenderBundle.open(DirectorySource(folder), StandInRuntime()).use { bundle ->
            val rating = minOf(4f, ratingRange[1].toFloat())
            val found = bundle.recommend(
                listOf(Rated(ids[0], rating), Rated(ids[1])),
                listOf(preferences[0]),
                listOf(genreNames[0]),
                top = 5,
            )
            listOf(
                mapOf(
                    "history" to listOf(listOf(ids[0], rating.toDouble()), listOf(ids[1], null)),
                    "preferences" to listOf(preferences[0]),
                    "genres" to listOf(genreNames[0]),
                    "user" to null,
                    "top" to 5,
                    "items" to found.map { it.item.id },
                    "scores" to found.map { it.score },
                    "stars" to found.map { it.stars }.takeIf { layout != Layout.SPLIT },
                    "tolerance" to 1e-4,
                ),
            )
        }

    private companion object {
        val NO_HASH = "0".repeat(64)
    }
}

/** JSON of maps, lists, strings, numbers, booleans and null. */
fun json(value: Any?): String = when (value) {
    is Map<*, *> -> value.entries.joinToString(",", "{", "}") { (name, one) -> json(name) + ":" + json(one) }
    is List<*> -> value.joinToString(",", "[", "]") { json(it) }
    is String -> value.map { escaped(it) }.joinToString("", "\"", "\"")
    is JsonNumber -> value.text
    else -> value.toString()
}

private fun escaped(char: Char): String {
    val isPlain = char >= ' ' && char !in "\"\\"
    return if (isPlain) char.toString() else "\\u%04x".format(char.code)
}
