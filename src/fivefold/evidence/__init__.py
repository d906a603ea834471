"""Evidence: what was measured, sealed into a folder that only grows, and verified offline from its bytes."""
