package pocketrec.client

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.math.BigInteger
import java.util.Random

class Ed25519Test {
    // RFC 8032, section 7.1: public key, message, signature.
    private val vectors =
        listOf(
            Triple(
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            Triple(
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            Triple(
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
            Triple(
                "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
            ),
        )

    @Test
    fun `vectors of RFC 8032`() {
        for ((key, message, signature) in vectors) {
            assertTrue(Ed25519.verify(unhex(message), unhex(signature), unhex(key)))
        }
    }

    @Test
    fun `agrees with the JDK on many keys, messages and changed bits`() {
        val random = Random(1)
        repeat(40) {
            val signer = Signer()
            val message = ByteArray(random.nextInt(300)).also { random.nextBytes(it) }
            val signature = signer.sign(message)
            assertTrue(Ed25519.verify(message, signature, signer.raw))
            repeat(4) {
                assertFalse(Ed25519.verify(message, flipped(signature, random.nextInt(512)), signer.raw))
            }
            assertFalse(Ed25519.verify(message + 0, signature, signer.raw))
            assertFalse(Ed25519.verify(message, signature, Signer().raw))
        }
    }

    private fun flipped(signature: ByteArray, bit: Int) = signature.copyOf().also {
        it[bit / 8] = (it[bit / 8].toInt() xor (1 shl bit % 8)).toByte()
    }

    @Test
    fun `S at or above the group order is refused`() {
        val (key, message, signature) = vectors[1]
        val order = BigInteger.ONE.shiftLeft(252) + BigInteger("27742317777372353535851937790883648493")
        val s = BigInteger(1, unhex(signature).copyOfRange(32, 64).reversedArray()) + order
        val malleable = unhex(signature).copyOf(32) + s.toByteArray().reversedArray().copyOf(32)
        assertFalse(Ed25519.verify(unhex(message), malleable, unhex(key)))
    }

    @Test
    fun `keys that are not canonical or of small order are refused`() {
        val neutral = ByteArray(32).also { it[0] = 1 }
        val p = BigInteger.ONE.shiftLeft(255) - BigInteger.valueOf(19)
        val above = (p + BigInteger.ONE).toByteArray().reversedArray().copyOf(32)
        val negativeZero = neutral.copyOf().also { it[31] = 0x80.toByte() }
        val order8 = unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
        val offCurve = unhex("02").copyOf(32)
        for (key in listOf(neutral, above, negativeZero, order8, ByteArray(32), ByteArray(31), offCurve)) {
            assertFalse(Ed25519.isKey(key), hex(key))
            refused(ErrorCode.KEY_INVALID) { PublicKey.fromRaw(key) }
        }
        // With the neutral element as the key, R = S*B holds for every message.
        assertFalse(Ed25519.verify(ByteArray(3), neutral + ByteArray(32), neutral))
    }

    @Test
    fun `wrong lengths are refused`() {
        val (key, message, signature) = vectors[1]
        for (n in listOf(0, 32, 63, 65)) {
            assertFalse(Ed25519.verify(unhex(message), unhex(signature).copyOf(n), unhex(key)))
        }
    }

    @Test
    fun `a PEM key is read, and named by its hash`() {
        val signer = Signer()
        assertArrayEquals(signer.raw, PublicKey.fromPem(signer.pem).raw)
        assertArrayEquals(signer.raw, PublicKey.fromPem("\r\n" + signer.pem.replace("\n", "\r\n")).raw)
        assertEquals(sha256(java.nio.ByteBuffer.wrap(signer.raw)).take(16), signer.key.id)
    }

    @Test
    fun `other PEM texts are refused`() {
        val pem = Signer().pem
        val others =
            listOf(
                "",
                "no key",
                pem.replace("PUBLIC", "PRIVATE"),
                pem.replace("MCow", "MCox"),
                pem.replace("MCow", "MC"),
                pem.replace("MCow", "M*ow"),
            )
        for (text in others) refused(ErrorCode.KEY_INVALID) { PublicKey.fromPem(text) }
    }
}
