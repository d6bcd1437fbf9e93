package pocketrec.client

import org.tensorflow.lite.InterpreterApi.Options.TfLiteRuntime.FROM_APPLICATION_ONLY
import org.tensorflow.lite.TensorFlowLite
import java.io.File

/**
 * Load the library inside Android apps as it is: first what it needs of Android's C library, then itself. TFLite's Java classes
 * find their native methods in it, as they do where an app has loaded it by its path.
 *
 * @param folder what `pocketrec doctor --install android` prepared for this processor.
 * @param version of the Java classes, which the library must have too.
 */
fun loadAndroidLibrary(folder: File, version: String) {
    val library = File(folder, "tflite.so")
    val needed = folder.listFiles { file -> file.extension == "so" && file != library }.orEmpty().sorted()
    check(needed.isNotEmpty() && library.isFile) { "no library in $folder; run `pocketrec doctor --install android`" }
    for (file in needed + library) System.load(file.absolutePath)
    val loaded = TensorFlowLite.runtimeVersion(FROM_APPLICATION_ONLY)
    check(loaded == version) { "the library is of version $loaded, its classes are of $version" }
}
