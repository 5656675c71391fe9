"""The S3 server's process: `python -m sandbox.outside.s3_server CONFIG`; see `sandbox.outside.objectstore`."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import FakeKey, s3_backends
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SCHEMA = """
create table if not exists buckets (name text primary key);
create table if not exists objects (
    bucket text, key text, etag text, metadata text, body blob, primary key (bucket, key)
);
"""
READING = ("GET", "HEAD", "OPTIONS")
ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/|^AWS ([^:]+):")
"""In an Authorization header: signature version 4 or 2."""


class Storage:
    """Mirror of moto's buckets in a database file; not safe for several threads at once."""

    def __init__(self, database: Path, region: str) -> None:
        self._region = region
        self._backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self._database = sqlite3.connect(database, check_same_thread=False)
        self._database.executescript(SCHEMA)
        self._saved: dict[tuple[str, str], str] = {}

    def load(self, wanted_buckets: Iterable[str]) -> None:
        """Put everything saved into moto, and create the wanted buckets that are missing."""
        kept = [name for (name,) in self._database.execute("select name from buckets")]
        for bucket in dict.fromkeys([*kept, *wanted_buckets]):
            self._backend.create_bucket(bucket, self._region)
        for bucket, key, etag, metadata, body in self._database.execute(
            "select bucket, key, etag, metadata, body from objects"
        ):
            stored = self._backend.put_object(bucket, key, body, etag=etag.strip('"'), disable_notification=True)
            stored.set_metadata(json.loads(metadata), replace=True)
            self._saved[bucket, key] = stored.etag
        self.save()

    def save(self) -> None:
        """Write what changed in moto since the last call, in one durable transaction.

        Comparing all names and ETags covers copies, multi-object deletes and multipart uploads alike.
        """
        current = {
            (bucket.name, key.name): key
            for bucket in list(self._backend.buckets.values())
            for key in bucket.keys.values()
            if isinstance(key, FakeKey)
        }
        gone = self._saved.keys() - current.keys()
        changed = {place: key for place, key in current.items() if self._saved.get(place) != key.etag}
        with self._database:
            self._database.execute("delete from buckets")
            self._database.executemany("insert into buckets values (?)", [(name,) for name in self._backend.buckets])
            self._database.executemany("delete from objects where bucket = ? and key = ?", list(gone))
            for place, key in changed.items():
                row = (*place, key.etag, json.dumps(dict(key.metadata)), key.value)
                self._database.execute("insert or replace into objects values (?, ?, ?, ?, ?)", row)
        self._saved = {place: key.etag for place, key in current.items()}


class DurableS3:
    """moto's S3 application behind a check of the access key, with every change saved before it is confirmed."""

    def __init__(self, app: WSGIApplication, storage: Storage, access_key: str) -> None:
        self._app = app
        self._storage = storage
        self._access_key = access_key
        self._saving = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if self._presented_key(request) != self._access_key:
            return _refuse(environ, start_response)
        if request.method in READING:
            return self._app(environ, start_response)
        with self._saving:
            response = Response.from_app(self._app, environ, buffered=True)
            self._storage.save()
        return response(environ, start_response)

    def _presented_key(self, request: Request) -> str | None:
        presigned = request.args.get("X-Amz-Credential") or request.args.get("AWSAccessKeyId")
        if presigned:
            return presigned.partition("/")[0]
        match = ACCESS_KEY.search(request.headers.get("Authorization", ""))
        return (match[1] or match[2]) if match else None


def _refuse(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    message = "The AWS Access Key Id you provided does not exist in our records."
    body = f"<Error><Code>InvalidAccessKeyId</Code><Message>{message}</Message></Error>"
    return Response(body, 403, mimetype="application/xml")(environ, start_response)


class _Handler(MotoRequestHandler):  # type: ignore[misc]
    """Logs changes and failures only: clients look at the store all the time."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if self.command not in READING or str(code)[:1] in "45":
            super().log_request(code, size)


def serve(settings: dict[str, Any]) -> None:
    """Load what was kept and serve until the process is ended."""
    storage = Storage(Path(settings["database"]), settings["region"])
    storage.load(settings["buckets"])
    app = DurableS3(create_backend_app("s3"), storage, settings["access_key"])
    server = make_server(settings["host"], settings["port"], app, threaded=True, request_handler=_Handler)
    print(f"listening on {settings['host']}:{settings['port']}")  # noqa: T201 - read by the parent
    server.serve_forever()


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text()))
