"""ES256: the published examples, and one signature for one message."""

from cryptography.hazmat.primitives.asymmetric import ec

from ragauth.security.signatures import (
    DeterministicES256,
    generate_key_pair,
    load_private_key,
    load_public_key,
    thumbprint,
)

# RFC 6979, appendix A.2.5: NIST P-256, SHA-256, the message "sample".
_PRIVATE = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8


def test_a_signature_is_the_one_of_rfc_6979() -> None:
    key = ec.derive_private_key(_PRIVATE, ec.SECP256R1())
    signature = DeterministicES256().sign(b"sample", key)
    assert signature == _R.to_bytes(32) + _S.to_bytes(32)


def test_a_name_is_the_thumbprint_of_rfc_7638() -> None:
    # The key of RFC 7515, appendix A.3; a private or further member changes nothing.
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    name = thumbprint(jwk)
    assert name == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
    assert thumbprint({**jwk, "use": "sig", "kid": "x"}) == name


def test_the_halves_of_a_pair_belong_together_and_the_public_one_says_no_more() -> None:
    pair, other = generate_key_pair(), generate_key_pair()
    public_key = load_private_key(pair.private_key).public_key()
    assert load_public_key(pair.public_jwk) == public_key
    assert set(pair.public_jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert pair.public_jwk["kid"] == pair.kid
    assert pair.kid != other.kid


def test_coordinates_keep_their_leading_zeros() -> None:
    """RFC 7518 section 6.2.1.2: 32 bytes, however small the number."""
    for _ in range(600):
        jwk = generate_key_pair().public_jwk
        assert (len(jwk["x"]), len(jwk["y"])) == (43, 43)


def test_the_signature_is_the_64_bytes_of_the_two_numbers() -> None:
    key = ec.derive_private_key(_PRIVATE, ec.SECP256R1())
    algorithm = DeterministicES256()
    for number in range(300):
        message = str(number).encode()
        signature = algorithm.sign(message, key)
        assert len(signature) == 64
        assert algorithm.verify(message, key.public_key(), signature)
