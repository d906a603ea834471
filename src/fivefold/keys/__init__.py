"""Keys: signers and verifiers, ciphers for other rooms, key files, and the verifier's trust file."""
