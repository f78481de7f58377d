#!/usr/bin/python3
"""Writes the .session files and strings beside this script that the tests read.

Telethon's are made by Telethon itself (Debian's python3-telethon, 1.25.1). Pyrogram and its forks are not packaged there;
theirs are made by the schema that each of them creates, with the values they put in. The account is nobody's: its key is
the bytes 00 01 … ff.
"""
import os
import sqlite3
import sys

here = os.path.dirname(os.path.abspath(__file__))
strings = os.path.join(here, "..", "..", "testdata", "telethon")
KEY = bytes(range(256))
USER, APP = 777000123, 12345


def fresh(name):
    path = os.path.join(here, name)
    for end in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(path + end):
            os.remove(path + end)
    return path


def telethon():
    from telethon.crypto import AuthKey
    from telethon.sessions import SQLiteSession, StringSession

    s = SQLiteSession(fresh("telethon.session"))
    s.set_dc(2, "149.154.167.50", 443)
    s.auth_key = AuthKey(KEY)
    s.save()
    s.close()
    s = SQLiteSession(fresh("telethon-new.session"))  # before a sign-in
    s.set_dc(2, "149.154.167.50", 443)
    s.save()
    s.close()
    for name, address in (("ipv4", "149.154.167.50"), ("ipv6", "2001:67c:4e8:f002::a"), ("test", "149.154.167.40")):
        s = StringSession()
        s.set_dc(2, address, 443)
        s.auth_key = AuthKey(KEY)
        with open(os.path.join(strings, name + ".txt"), "w") as f:
            f.write(s.save())


# The table sessions of each version: version 2 is Pyrogram 1, 3 Pyrogram 2 and Hydrogram, 4 Pyrofork, 6 and 7 Kurigram.
COLUMNS = {
    2: "dc_id INTEGER PRIMARY KEY, test_mode INTEGER, auth_key BLOB, date INTEGER NOT NULL, user_id INTEGER, is_bot INTEGER",
    3: "dc_id INTEGER PRIMARY KEY, api_id INTEGER, test_mode INTEGER, auth_key BLOB, date INTEGER NOT NULL, user_id INTEGER, is_bot INTEGER",
    7: "dc_id INTEGER PRIMARY KEY, server_address TEXT, port INTEGER, api_id INTEGER, test_mode INTEGER, auth_key BLOB, date INTEGER NOT NULL, user_id INTEGER, is_bot INTEGER",
}
ROWS = {
    2: (2, False, KEY, 0, USER, False),
    3: (2, APP, False, KEY, 0, USER, False),
    7: (2, "149.154.167.51", 443, APP, False, KEY, 0, USER, False),
}


def pyrogram(version, wal=False, key=KEY, name=None):
    shape = {4: 3, 6: 3}.get(version, version)
    db = sqlite3.connect(fresh(name or f"pyrogram-{version}.session"))
    db.execute("PRAGMA page_size = 1024")
    if wal:
        db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"CREATE TABLE sessions ({COLUMNS[shape]})")
    db.execute("CREATE TABLE version (number INTEGER PRIMARY KEY)")
    db.execute("CREATE TABLE peers (id INTEGER PRIMARY KEY, access_hash INTEGER, type INTEGER NOT NULL)")
    if version >= 4:
        db.execute("CREATE TABLE usernames (id INTEGER, username TEXT)")
    if version >= 5:
        db.execute("CREATE TABLE update_state (id INTEGER PRIMARY KEY, pts INTEGER, qts INTEGER, date INTEGER, seq INTEGER)")
    db.execute("INSERT INTO version VALUES (?)", (version,))
    row = [key if value is KEY else value for value in ROWS[shape]]
    db.execute(f"INSERT INTO sessions VALUES ({', '.join('?' * len(row))})", row)
    db.commit()
    db.close()


if __name__ == "__main__":
    telethon()
    for v in (2, 3, 4, 6, 7):
        pyrogram(v)
    pyrogram(3, wal=True, name="pyrogram-wal.session")
    pyrogram(3, key=None, name="pyrogram-new.session")
    sys.exit(0)
