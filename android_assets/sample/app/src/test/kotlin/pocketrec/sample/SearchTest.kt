package pocketrec.sample

import java.util.Locale
import kotlin.test.Test
import kotlin.test.assertEquals

class SearchTest {
    private val titles = listOf("Misérables, Les (1995)", "Star  Wars (1977)", "Stargate (1994)", "İstanbul (1990)")

    @Test
    fun everyWordMustOccurInAnyOrder() {
        assertEquals(listOf(1), Search(titles).find("wars star"))
        assertEquals(listOf(1, 2), Search(titles).find(" STAR "))
        assertEquals(emptyList(), Search(titles).find("star trek"))
    }

    @Test
    fun accentsDoNotMatterInEitherForm() {
        assertEquals(listOf(0), Search(titles).find("miserables"))
        assertEquals(listOf(0), Search(titles).find("MISE\u0301RABLES"))
    }

    @Test
    fun noWordsFindEverything() {
        assertEquals(titles.indices.toList(), Search(titles).find("  "))
    }

    @Test
    fun theDefaultLocaleDoesNotMatter() {
        val before = Locale.getDefault()
        try {
            Locale.setDefault(Locale.forLanguageTag("tr"))
            assertEquals(listOf(3), Search(titles).find("ISTANBUL"))
        } finally {
            Locale.setDefault(before)
        }
    }

    @Test
    fun starsAreWrittenAsInTheLocale() {
        assertEquals("4.3", starsText(4.26f, Locale.UK))
        assertEquals("4,3", starsText(4.26f, Locale.GERMANY))
    }
}
