package pocketrec.client

import com.sun.jna.Library
import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The part of LiteRT's C API (litert/c) that runs a model; every function returns 0 on success. */
private interface LiteRt : Library {
    fun LiteRtCreateEnvironment(optionCount: Int, options: Pointer?, environment: PointerByReference): Int

    fun LiteRtCreateModelFromBuffer(environment: Pointer, data: Pointer, size: Long, model: PointerByReference): Int

    fun LiteRtCreateModelFromFile(environment: Pointer, path: String, model: PointerByReference): Int

    fun LiteRtCreateOptions(options: PointerByReference): Int

    fun LiteRtSetOptionsHardwareAccelerators(options: Pointer, accelerators: Int): Int

    fun LiteRtCreateCompiledModel(
        environment: Pointer,
        model: Pointer,
        options: Pointer,
        compiled: PointerByReference,
    ): Int

    fun LiteRtGetModelSignature(model: Pointer, index: Long, signature: PointerByReference): Int

    fun LiteRtGetNumSignatureInputs(signature: Pointer, count: Pointer): Int

    fun LiteRtGetNumSignatureOutputs(signature: Pointer, count: Pointer): Int

    fun LiteRtGetSignatureInputName(signature: Pointer, index: Long, name: PointerByReference): Int

    fun LiteRtGetSignatureOutputName(signature: Pointer, index: Long, name: PointerByReference): Int

    fun LiteRtGetSignatureInputTensorByIndex(signature: Pointer, index: Long, tensor: PointerByReference): Int

    fun LiteRtGetSignatureOutputTensorByIndex(signature: Pointer, index: Long, tensor: PointerByReference): Int

    fun LiteRtGetRankedTensorType(tensor: Pointer, type: Pointer): Int

    fun LiteRtCompiledModelResizeInputTensor(
        compiled: Pointer,
        signature: Long,
        input: Long,
        dims: IntArray,
        count: Long,
    ): Int

    fun LiteRtGetCompiledModelOutputTensorLayouts(
        compiled: Pointer,
        signature: Long,
        count: Long,
        layouts: Pointer,
        isAllocationUpdated: Boolean,
    ): Int

    fun LiteRtGetCompiledModelInputBufferRequirements(
        compiled: Pointer,
        signature: Long,
        index: Long,
        requirements: PointerByReference,
    ): Int

    fun LiteRtGetCompiledModelOutputBufferRequirements(
        compiled: Pointer,
        signature: Long,
        index: Long,
        requirements: PointerByReference,
    ): Int

    fun LiteRtCreateManagedTensorBufferFromRequirements(
        environment: Pointer,
        type: Pointer,
        requirements: Pointer,
        buffer: PointerByReference,
    ): Int

    fun LiteRtLockTensorBuffer(buffer: Pointer, address: PointerByReference, mode: Int): Int

    fun LiteRtUnlockTensorBuffer(buffer: Pointer): Int

    fun LiteRtRunCompiledModel(
        compiled: Pointer,
        signature: Long,
        inputCount: Long,
        inputs: Pointer,
        outputCount: Long,
        outputs: Pointer,
    ): Int

    fun LiteRtDestroyTensorBuffer(buffer: Pointer)

    fun LiteRtDestroyCompiledModel(compiled: Pointer)

    fun LiteRtDestroyModel(model: Pointer)

    fun LiteRtDestroyOptions(options: Pointer)
}

/** A real LiteRT on the JVM: libLiteRt.so of the ai-edge-litert wheel, called through JNA. Test scope only. */
class JnaRuntime(path: String) : ModelRuntime {
    private val api = Native.load(path, LiteRt::class.java)
    private val environment = pointer { api.LiteRtCreateEnvironment(0, null, it) }

    override fun load(file: ByteBuffer): Model {
        val bytes = Native.getDirectBufferPointer(file)
        val size = file.remaining().toLong()
        return JnaModel(api, environment, file) { api.LiteRtCreateModelFromBuffer(environment, bytes, size, it) }
    }

    /** Load a model that LiteRT itself reads from a file. */
    fun load(path: String): Model {
        val bytes = File(path).readBytes()
        val file = ByteBuffer.allocateDirect(bytes.size)
        file.put(bytes)
        file.clear()
        return JnaModel(api, environment, file) { api.LiteRtCreateModelFromFile(environment, path, it) }
    }
}

private const val READ = 0
private const val WRITE = 1
private const val CPU = 1

// LiteRtElementType has TfLiteType's numbers.
private val ELEMENT_TYPES = mapOf(
    1 to "float32",
    2 to "int32",
    3 to "uint8",
    4 to "int64",
    6 to "bool",
    7 to "int16",
    9 to "int8",
)

private fun check(status: Int) {
    if (status != 0) error("LiteRT status $status")
}

private fun pointer(call: (PointerByReference) -> Int): Pointer {
    val found = PointerByReference()
    check(call(found))
    return found.value
}

/** A tensor of the signature: `type` is a LiteRtRankedTensorType (element type, rank in 7 bits, 8 dimensions, 8 strides). */
private class JnaSlot(val name: String, val type: Memory, declared: Port) {
    val rank = type.getInt(4) and 0x7f

    // LiteRT reports a free dimension as 1; only the file tells which are free.
    val port = Port(
        name,
        ELEMENT_TYPES.getValue(type.getInt(0)),
        List(rank) { if (declared.shape[it] < 0) -1 else type.getInt(8L + 4 * it) },
    )
    lateinit var own: ByteBuffer
    var tensor: Pointer? = null
}

private class JnaModel(
    private val api: LiteRt,
    private val environment: Pointer,
    private val file: ByteBuffer, // must outlive the model
    open: (PointerByReference) -> Int,
) : Model {
    private val declared = TfliteFile(file).let { it.inputs to it.outputs }
    private val model = pointer(open)
    private val options = pointer { api.LiteRtCreateOptions(it) }
    private val compiled =
        pointer {
            check(api.LiteRtSetOptionsHardwareAccelerators(options, CPU))
            api.LiteRtCreateCompiledModel(environment, model, options, it)
        }
    private val signature = pointer { api.LiteRtGetModelSignature(model, 0, it) }
    private val ins =
        slotsOf(
            declared.first,
            api::LiteRtGetNumSignatureInputs,
            api::LiteRtGetSignatureInputName,
            api::LiteRtGetSignatureInputTensorByIndex,
        )
    private val outs =
        slotsOf(
            declared.second,
            api::LiteRtGetNumSignatureOutputs,
            api::LiteRtGetSignatureOutputName,
            api::LiteRtGetSignatureOutputTensorByIndex,
        )
    private val inPointers = Memory(8L * ins.size)
    private val outPointers = Memory(8L * outs.size)
    private val address = PointerByReference()

    override val inputs = ins.map { it.port }
    override val outputs = outs.map { it.port }
    private val slots = (ins + outs).associateBy { it.name }

    init {
        if (inputs.none { -1 in it.shape }) allocate(1)
    }

    private fun slotsOf(
        ports: List<Port>,
        count: (Pointer, Pointer) -> Int,
        name: (Pointer, Long, PointerByReference) -> Int,
        tensor: (Pointer, Long, PointerByReference) -> Int,
    ): List<JnaSlot> {
        val n = Memory(8)
        check(count(signature, n))
        return (0 until n.getLong(0)).map { i ->
            val type = Memory(512).also { it.clear() }
            check(api.LiteRtGetRankedTensorType(pointer { tensor(signature, i, it) }, type))
            val found = pointer { name(signature, i, it) }.getString(0)
            JnaSlot(found, type, ports.first { it.name == found })
        }
    }

    private fun allocate(n: Int) {
        val kinds =
            listOf(
                Triple(ins, inPointers, api::LiteRtGetCompiledModelInputBufferRequirements),
                Triple(outs, outPointers, api::LiteRtGetCompiledModelOutputBufferRequirements),
            )
        for ((slots, pointers, requirements) in kinds) {
            slots.forEachIndexed { i, slot ->
                slot.tensor?.let { api.LiteRtDestroyTensorBuffer(it) }
                for (d in 0 until slot.rank) if (slot.port.shape[d] < 0) slot.type.setInt(8L + 4 * d, n)
                val needs = pointer { requirements(compiled, 0, i.toLong(), it) }
                val made =
                    pointer { api.LiteRtCreateManagedTensorBufferFromRequirements(environment, slot.type, needs, it) }
                slot.tensor = made
                slot.own = ByteBuffer.allocateDirect(slot.port.bytes(n)).order(ByteOrder.nativeOrder())
                pointers.setPointer(8L * i, made)
            }
        }
    }

    override fun input(name: String): ByteBuffer = slots.getValue(name).own

    override fun output(name: String): ByteBuffer = slots.getValue(name).own

    override fun resize(n: Int) {
        ins.forEachIndexed { i, slot ->
            if (-1 !in slot.port.shape) return@forEachIndexed
            val dims = IntArray(slot.rank) { if (slot.port.shape[it] < 0) n else slot.port.shape[it] }
            check(api.LiteRtCompiledModelResizeInputTensor(compiled, 0, i.toLong(), dims, dims.size.toLong()))
        }
        // Asking for the output layouts makes LiteRT allocate again; until then it refuses the buffer requirements.
        val count = outs.size.toLong()
        check(api.LiteRtGetCompiledModelOutputTensorLayouts(compiled, 0, count, Memory(128 * count), true))
        allocate(n)
    }

    override fun run() {
        for (slot in ins) copy(slot, WRITE)
        check(api.LiteRtRunCompiledModel(compiled, 0, ins.size.toLong(), inPointers, outs.size.toLong(), outPointers))
        for (slot in outs) copy(slot, READ)
    }

    private fun copy(slot: JnaSlot, mode: Int) {
        val size = slot.own.capacity().toLong()
        check(api.LiteRtLockTensorBuffer(slot.tensor!!, address, mode))
        val native = address.value.getByteBuffer(0, size)
        slot.own.clear()
        if (mode == WRITE) native.put(slot.own) else slot.own.put(native)
        check(api.LiteRtUnlockTensorBuffer(slot.tensor!!))
    }

    override fun close() {
        for (slot in ins + outs) slot.tensor?.let { api.LiteRtDestroyTensorBuffer(it) }
        api.LiteRtDestroyCompiledModel(compiled)
        api.LiteRtDestroyOptions(options)
        api.LiteRtDestroyModel(model)
        check(file.isDirect)
    }
}

private fun check(holds: Boolean) {
    if (!holds) error("the model's bytes moved")
}
