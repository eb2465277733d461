"""S3, where moto's differs."""

import functools
import threading

#: Calls that look whether an object is there before they write it.
WRITES = ("put_object", "copy_object", "delete_object", "_key_response_post")


def install():
    from moto.s3.responses import S3Response

    lock = threading.Lock()
    for name in WRITES:
        setattr(S3Response, name, _one_at_a_time(getattr(S3Response, name), lock))


def _one_at_a_time(write, lock):
    """Of writers that ask for If-None-Match or If-Match only one succeeds; moto looks first and writes later."""

    @functools.wraps(write)
    def written(self, *arguments, **named):
        with lock:
            return write(self, *arguments, **named)

    return written
