from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from sandbox.controlplane.ports import choose_free_port
from sandbox.outside import ObjectStore


@pytest.fixture
def connect() -> Callable[..., Any]:
    def connect(store: ObjectStore, access_key: str = "sandbox", signature_version: str = "s3v4") -> Any:
        return boto3.client(
            "s3",
            endpoint_url=store.url,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key="a secret",
            config=Config(retries={"total_max_attempts": 1}, signature_version=signature_version),
        )

    return connect


Connect = Callable[..., Any]


def list_keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket="backups").get("Contents", [])]


def test_objects_survive_a_kill_of_the_server(store: ObjectStore, connect: Connect) -> None:
    s3 = connect(store)
    s3.put_object(Bucket="backups", Key="backups/a/x", Body=b"one", ContentType="text/plain", Metadata={"k": "v"})
    assert store.pid
    os.kill(store.pid, signal.SIGKILL)
    store.stop()
    store.start()
    kept = s3.get_object(Bucket="backups", Key="backups/a/x")
    assert (kept["Body"].read(), kept["ContentType"], kept["Metadata"]) == (b"one", "text/plain", {"k": "v"})


def test_changes_of_every_kind_survive_a_restart(store: ObjectStore, connect: Connect) -> None:
    s3 = connect(store)
    for key in ("a", "b", "c", "d"):
        s3.put_object(Bucket="backups", Key=key, Body=b"1")
    s3.put_object(Bucket="backups", Key="a", Body=b"2")
    s3.delete_objects(Bucket="backups", Delete={"Objects": [{"Key": "b"}, {"Key": "c"}]})
    s3.copy_object(Bucket="backups", Key="e", CopySource="backups/d")
    s3.create_bucket(Bucket="another")
    upload = s3.create_multipart_upload(Bucket="backups", Key="big")["UploadId"]
    part = s3.upload_part(Bucket="backups", Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 10)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="backups", Key="big", UploadId=upload, MultipartUpload=parts)
    store.stop()
    store.start()
    assert list_keys(s3) == ["a", "big", "d", "e"]
    assert s3.get_object(Bucket="backups", Key="a")["Body"].read() == b"2"
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"backups", "another"}


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_url_serves_the_object_without_credentials(
    store: ObjectStore, connect: Connect, version: str
) -> None:
    s3 = connect(store, signature_version=version)
    s3.put_object(Bucket="backups", Key="log.gz", Body=b"gz")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "backups", "Key": "log.gz"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"gz"


def test_unknown_access_key_and_none_are_refused(store: ObjectStore, connect: Connect) -> None:
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidAccessKeyId"):
        list_keys(connect(store, access_key="somebody"))
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{store.url}/backups?list-type=2")


def test_stopped_server_refuses_connections(store: ObjectStore, connect: Connect) -> None:
    store.stop()
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        list_keys(connect(store))


def test_server_dies_with_its_parent(tmp_path: Path) -> None:
    script = """
import os, pathlib, sys
from sandbox.controlplane.ports import choose_free_port
from sandbox.outside import ObjectStore, S3Credentials
folder = pathlib.Path(sys.argv[1])
store = ObjectStore(folder, int(sys.argv[2]), credentials=S3Credentials("a", "b"), log_file=folder / "log")
store.start()
print(store.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    parent = [sys.executable, "-c", script, str(tmp_path), str(choose_free_port())]
    pid = int(subprocess.run(parent, stdout=subprocess.PIPE, text=True, check=False).stdout)
    assert ends(pid), "the server outlived its parent"


def ends(pid: int) -> bool:
    """Wait up to 10 s for a process of somebody else to end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(descriptor) as process:
        return bool(select.select([process], [], [], 10)[0])
