package pocketrec.client

/**
 * Why something was refused. The meaning of a code never changes; new ones are only added.
 *
 * The codes and the first sentence of each are those of CLIENT_CODES in core/error_codes.py; a test compares the two.
 */
public enum class ErrorCode {
    /** A source could not be read, or a file could not be written. */
    IO,

    /** The source holds no manifest.json. */
    MANIFEST_MISSING,

    /** manifest.json is not strict JSON, lacks a field, has a field of another type, or contradicts itself. */
    MANIFEST_INVALID,

    /** A file has a schema that this version does not read. */
    SCHEMA_UNKNOWN,

    /** A file of the manifest is missing. */
    FILE_MISSING,

    /** There is a file that the manifest does not declare, or a link where a file should be. */
    FILE_UNDECLARED,

    /** A file has another size than the manifest says, or is larger than what is read. */
    FILE_SIZE,

    /** A file's SHA-256 is not the manifest's. */
    FILE_HASH,

    /** Keys were given but the bundle is not signed, or manifest.sig is missing. */
    SIGNATURE_MISSING,

    /** The bundle names a signing key that is none of those given. */
    SIGNATURE_UNTRUSTED,

    /** manifest.sig is not that key's Ed25519 signature over manifest.json. */
    SIGNATURE_INVALID,

    /** A key is not an Ed25519 key in the expected form. */
    KEY_INVALID,

    /** A vocabulary is not UTF-8, has another number of lines than declared, or a line twice. */
    VOCABULARY_INVALID,

    /** items.json is malformed, or its order is not that of the item vocabulary. */
    ITEMS_INVALID,

    /** candidates.npy is not a NumPy file of the declared type and shape. */
    CANDIDATES_INVALID,

    /** golden.json is malformed. */
    GOLDEN_INVALID,

    /** A model file is not a TFLite flatbuffer, or cannot be read as one. */
    MODEL_INVALID,

    /** A model's inputs, outputs or vocabularies are not those declared, or not supported. */
    MODEL_MISMATCH,

    /** The contract recomputed from the files is not the manifest's. */
    CONTRACT_MISMATCH,

    /** A runtime could not load or run a model. */
    RUNTIME_FAILED,

    /** A history names an item that is not in the catalogue. */
    ITEM_UNKNOWN,

    /** A user is not in the vocabulary. */
    USER_UNKNOWN,

    /** A declared preference is not in the vocabulary. */
    PREFERENCE_UNKNOWN,

    /** A genre is not in the vocabulary. */
    GENRE_UNKNOWN,

    /** A rating is not a number or outside the rating range. */
    STARS_INVALID,

    /** More items were asked for than the models return, or fewer than one. */
    TOP_INVALID,

    /**
     * These models cannot answer such a query.
     *
     * Examples: a user of models that know none, ratings of a layout without a ranker, a query made by another bundle.
     */
    QUERY_UNSUPPORTED,

    /** The bundle was closed. */
    CLOSED,

    /**
     * An update is not newer than what is installed.
     *
     * Install it with `allowDowngrade` if that is intended.
     */
    UPDATE_NOT_NEWER,

    /** An update does not fit what is installed: another name, base, encoder, dimension or vocabulary. */
    UPDATE_INCOMPATIBLE,

    /** An update verifies, but its models answer its golden queries differently. */
    UPDATE_UNFAITHFUL,

    /** The store holds no bundle that opens. */
    STORE_EMPTY,
}

/**
 * The only exception this library throws.
 *
 * @property code what went wrong: decide on this. The message is for logs.
 */
public class BundleException(public val code: ErrorCode, message: String, cause: Throwable? = null) :
    Exception("$code: $message", cause)

internal fun refuse(code: ErrorCode, message: String, cause: Throwable? = null): Nothing =
    throw BundleException(code, message, cause)
