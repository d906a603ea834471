"""Log: a Merkle tree over leaves that are only ever appended, signed checkpoints, and proofs about both."""
