"""An S3 server on loopback, in a process of its own."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import boto3


class Bucket(NamedTuple):
    """A bucket on a server."""

    name: str
    environment: dict[str, str]
    """What reaches it: the server's address and credentials, as every S3 client reads them."""

    def url(self, folder: str) -> str:
        """Return the URL of a folder in it."""
        return f"s3://{self.name}/{folder}"


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving() -> Iterator[Bucket]:
    """Give a bucket on a server that ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            environment = {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": f"key-{secrets.token_hex(8)}",
                "AWS_SECRET_ACCESS_KEY": f"secret-{secrets.token_hex(16)}",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
            bucket = Bucket("networks", environment)
            client = boto3.client(
                "s3",
                endpoint_url=environment["AWS_ENDPOINT_URL"],
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
                region_name=environment["AWS_DEFAULT_REGION"],
            )
            client.create_bucket(Bucket=bucket.name)
            yield bucket
        finally:
            server.kill()


def wait_for(port: int) -> None:
    """Wait until something listens on a port."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
