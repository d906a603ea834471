"""Evidence for readers: one HTML file, JSON with a published schema, and a view for the terminal."""
