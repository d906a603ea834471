"""Tables: attacks whose every row is a possible row, paid for field by field (P1.tables)."""
