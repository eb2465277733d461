"""Encrypting and decrypting with a key: moto does it, if the key's policy, its grants and its state allow it."""

from moto.kms.responses import KmsResponse

from .keys import key_for, require_enabled


def _used(name, operation):
    """moto's operation of this name, behind the key's permission and state."""
    original = getattr(KmsResponse, name)

    def call(response):
        if response._get_param("KeyId"):
            context = response._get_param("EncryptionContext") or {}
            key, _ = key_for(response, operation, alias=True, foreign=True, encryption_context=context)
            require_enabled(key)
            # moto looks for the key in the account of the response.
            response.current_account = key.account_id
        return original(response)

    call.__name__ = name
    return call


CALLS = [
    _used("encrypt", "Encrypt"),
    _used("decrypt", "Decrypt"),
    _used("generate_data_key", "GenerateDataKey"),
    _used("generate_data_key_without_plaintext", "GenerateDataKeyWithoutPlaintext"),
]
