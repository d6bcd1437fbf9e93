package pocketrec.client

import java.math.BigInteger
import java.security.MessageDigest

/**
 * Verification of Ed25519 signatures (RFC 8032, section 5.1.7).
 *
 * Why it is written here and not taken from a library:
 * - Android has a provider for Ed25519 since API level 33; this client runs from 26.
 * - Tink and BouncyCastle would be the only dependency besides the runtime, and several times the size of the whole client.
 * - Only verification is needed. Nothing here is secret, so nothing needs constant time, and `BigInteger` does the arithmetic.
 *
 * How it is known to be right: the vectors of RFC 8032; random keys, messages and flipped bits against the JDK's provider; and all of
 * Project Wycheproof's vectors, on which the kit's own verifier (OpenSSL) is tested too. docs/decisions has the numbers.
 *
 * Strict: S must be below the group order and points must be canonical (RFC 8032); keys of small order are refused, because under
 * such a key one signature holds for many messages.
 */
internal object Ed25519 {
    private val P = BigInteger.ONE.shiftLeft(255) - BigInteger.valueOf(19)
    private val ORDER = BigInteger.ONE.shiftLeft(252) + BigInteger("27742317777372353535851937790883648493")
    private val TWO = BigInteger.valueOf(2)
    private val D = (BigInteger.valueOf(-121665) * BigInteger.valueOf(121666).modInverse(P)).mod(P)
    private val D2 = (D * TWO).mod(P)
    private val SQRT_MINUS_1 = TWO.modPow((P - BigInteger.ONE) / BigInteger.valueOf(4), P)
    private val BASE = checkNotNull(decode(encode(BigInteger.valueOf(4) * BigInteger.valueOf(5).modInverse(P), false)))
    private val NEUTRAL = Point(BigInteger.ZERO, BigInteger.ONE, BigInteger.ONE, BigInteger.ZERO)

    /** A point in extended homogeneous coordinates (RFC 8032, section 5.1.4): x = X/Z, y = Y/Z, x*y = T/Z. */
    private class Point(val x: BigInteger, val y: BigInteger, val z: BigInteger, val t: BigInteger) {
        fun isNeutral(): Boolean = x.signum() == 0 && y == z
    }

    private fun mul(a: BigInteger, b: BigInteger): BigInteger = (a * b).mod(P)

    private fun add(p: Point, q: Point): Point {
        val a = mul(p.y - p.x, q.y - q.x)
        val b = mul(p.y + p.x, q.y + q.x)
        val c = mul(mul(p.t, D2), q.t)
        val d = mul(p.z, q.z).shiftLeft(1)
        return fromParts(b - a, d - c, d + c, b + a)
    }

    private fun double(p: Point): Point {
        val a = mul(p.x, p.x)
        val b = mul(p.y, p.y)
        val h = a + b
        val e = h - mul(p.x + p.y, p.x + p.y)
        val g = a - b
        return fromParts(e, mul(p.z, p.z).shiftLeft(1) + g, g, h)
    }

    private fun fromParts(e: BigInteger, f: BigInteger, g: BigInteger, h: BigInteger) =
        Point(mul(e, f), mul(g, h), mul(f, g), mul(e, h))

    private fun negate(p: Point) = Point((P - p.x).mod(P), p.y, p.z, (P - p.t).mod(P))

    /** `a * p + b * q`: both scalars in one pass over their bits. */
    private fun combine(a: BigInteger, p: Point, b: BigInteger, q: Point): Point {
        val both = add(p, q)
        var sum = NEUTRAL
        for (bit in maxOf(a.bitLength(), b.bitLength()) - 1 downTo 0) {
            sum = double(sum)
            val inA = a.testBit(bit)
            val inB = b.testBit(bit)
            when {
                inA && inB -> sum = add(sum, both)
                inA -> sum = add(sum, p)
                inB -> sum = add(sum, q)
            }
        }
        return sum
    }

    private fun littleEndian(bytes: ByteArray): BigInteger = BigInteger(1, bytes.reversedArray())

    private fun encode(y: BigInteger, isOdd: Boolean): ByteArray {
        val out = ByteArray(32)
        val big = y.mod(P).toByteArray()
        for (i in 0 until minOf(32, big.size)) out[i] = big[big.size - 1 - i]
        if (isOdd) out[31] = (out[31].toInt() or 0x80).toByte()
        return out
    }

    private fun encode(p: Point): ByteArray {
        val inverse = p.z.modInverse(P)
        return encode(mul(p.y, inverse), mul(p.x, inverse).testBit(0))
    }

    /** RFC 8032, section 5.1.3; null if the bytes do not encode a point canonically. */
    private fun decode(bytes: ByteArray): Point? {
        val isOdd = bytes[31] < 0
        val y = littleEndian(bytes).clearBit(255)
        if (y >= P) return null
        val u = mul(y, y) - BigInteger.ONE
        val v = mul(D, mul(y, y)) + BigInteger.ONE
        val square = mul(u, v.modInverse(P))
        var x = square.modPow((P + BigInteger.valueOf(3)).shiftRight(3), P)
        if (mul(x, x) != square) x = mul(x, SQRT_MINUS_1)
        val isNegativeZero = x.signum() == 0 && isOdd
        if (mul(x, x) != square || isNegativeZero) return null
        if (x.testBit(0) != isOdd) x = P - x
        return Point(x, y, BigInteger.ONE, mul(x, y))
    }

    /** The point of a key (32 bytes); null if it is not canonical or of small order. */
    private fun keyPoint(key: ByteArray): Point? {
        val point = if (key.size == 32) decode(key) else null
        return point?.takeUnless { double(double(double(it))).isNeutral() }
    }

    /** Whether `key` (32 bytes) is a canonical point that is not of small order. */
    fun isKey(key: ByteArray): Boolean = keyPoint(key) != null

    /** Whether `signature` (64 bytes) is that of `key` (32 bytes) over `message`. */
    fun verify(message: ByteArray, signature: ByteArray, key: ByteArray): Boolean {
        val point = keyPoint(key)
        if (point == null || signature.size != 64) return false
        val r = signature.copyOf(32)
        val s = littleEndian(signature.copyOfRange(32, 64))
        if (s >= ORDER) return false
        val digest = MessageDigest.getInstance("SHA-512")
        digest.update(r)
        digest.update(key)
        val k = littleEndian(digest.digest(message)).mod(ORDER)
        return encode(combine(s, BASE, k, negate(point))).contentEquals(r)
    }
}
