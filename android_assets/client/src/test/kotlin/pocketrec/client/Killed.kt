package pocketrec.client

import java.io.File

/** A process of its own that installs an update, and is gone at a step without any clean-up, as if it were killed. */
object Killed {
    fun run(store: File, update: File, pem: String, step: String): Int {
        val classPath = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        val java = File(System.getProperty("java.home"), "bin/java").path
        val command =
            listOf(java, "-XX:TieredStopAtLevel=1", "-cp", classPath, Killed::class.java.name) +
                listOf(store.path, update.path, pem, step)
        return ProcessBuilder(command).inheritIO().start().waitFor()
    }

    @JvmStatic
    fun main(arguments: Array<String>) {
        val (store, update, pem, step) = arguments
        val killed = BundleStore(File(store), listOf(PublicKey.fromPem(pem)))
        killed.atStep = { if (it == step) Runtime.getRuntime().halt(137) }
        killed.install(DirectorySource(File(update)), StandInRuntime())
    }
}
