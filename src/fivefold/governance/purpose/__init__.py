"""Purpose: whether what is asked is what the application was built for (row D1)."""
