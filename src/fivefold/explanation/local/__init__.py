"""Local explanation (E2.local): what each column adds to one answer, with error bars that hold."""
