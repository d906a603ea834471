"""S5: bad rows found before anything is learned from them."""
