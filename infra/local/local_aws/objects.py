"""S3, where moto's differs."""

import functools
import threading

#: What answers every call about a bucket, and every call about an object.
ANSWERS = ("_bucket_response", "_key_response")


def install():
    from moto.s3.responses import S3Response

    lock = threading.RLock()
    for name in ANSWERS:
        setattr(S3Response, name, _one_at_a_time(getattr(S3Response, name), lock))


def _one_at_a_time(answer, lock):
    """Of writers that ask for If-None-Match or If-Match only one succeeds, and a reader is given one object whole, as
    it was or as it is. moto looks first and writes later, closes what is written over while others read it, and reads a
    value and its ETag with one file position for all."""

    @functools.wraps(answer)
    def answered(self, *arguments, **named):
        with lock:
            return answer(self, *arguments, **named)

    return answered
