package pocketrec.client

import java.nio.ByteBuffer
import java.security.MessageDigest
import java.util.Base64

/**
 * A trusted Ed25519 public key.
 *
 * @property id the first 16 hexadecimal digits of the SHA-256 of its 32 bytes: how a manifest names it.
 */
public class PublicKey private constructor(internal val raw: ByteArray) {
    public val id: String = sha256(ByteBuffer.wrap(raw)).substring(0, 16)

    public companion object {
        private const val BEGIN = "-----BEGIN PUBLIC KEY-----"
        private const val END = "-----END PUBLIC KEY-----"

        // SubjectPublicKeyInfo of Ed25519 before the key's bytes (RFC 8410, section 4).
        private const val PREFIX = "302a300506032b6570032100"

        /**
         * A key from its 32 raw bytes.
         *
         * @throws BundleException [ErrorCode.KEY_INVALID]
         */
        @JvmStatic
        public fun fromRaw(bytes: ByteArray): PublicKey {
            if (!Ed25519.isKey(bytes)) refuse(ErrorCode.KEY_INVALID, "not the 32 bytes of an Ed25519 key")
            return PublicKey(bytes.copyOf())
        }

        /**
         * A key from PEM, as `pocketrec keygen` writes it beside the private key.
         *
         * @throws BundleException [ErrorCode.KEY_INVALID]
         */
        @JvmStatic
        public fun fromPem(text: String): PublicKey {
            val body = text.trim()
            if (!body.startsWith(BEGIN) || !body.endsWith(END)) refuse(ErrorCode.KEY_INVALID, "not a PEM public key")
            val base64 = body.substring(BEGIN.length, body.length - END.length).filterNot { it.isWhitespace() }
            val der =
                try {
                    Base64.getDecoder().decode(base64)
                } catch (error: IllegalArgumentException) {
                    refuse(ErrorCode.KEY_INVALID, "not base64", error)
                }
            if (der.size != 44 || hex(der.copyOf(12)) != PREFIX) refuse(ErrorCode.KEY_INVALID, "not an Ed25519 key")
            return fromRaw(der.copyOfRange(12, 44))
        }
    }
}

internal fun hex(bytes: ByteArray): String {
    val out = StringBuilder(2 * bytes.size)
    for (byte in bytes) {
        val value = byte.toInt() and 0xff
        out.append(Character.forDigit(value shr 4, 16)).append(Character.forDigit(value and 15, 16))
    }
    return out.toString()
}

/** Hexadecimal SHA-256 of the bytes that remain in a buffer; its position does not change. */
internal fun sha256(data: ByteBuffer): String {
    val digest = MessageDigest.getInstance("SHA-256")
    digest.update(data.duplicate())
    return hex(digest.digest())
}

internal fun bytesOf(data: ByteBuffer): ByteArray = ByteArray(data.remaining()).also { data.duplicate().get(it) }
