package pocketrec.client

import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File

class AndroidLibraryTest {
    @Test
    fun `a folder without a library, and a library of another version than its classes, are refused`(
        @TempDir empty: File,
    ) {
        for (folder in listOfNotNull(empty, androidLibrary)) {
            assertThrows(IllegalStateException::class.java) { loadAndroidLibrary(folder, "1.0.0") }
        }
    }
}
