"""How many calls a second the local AWS answers to sixteen clients: `python infra/local/tests/bench_calls.py`.

Each client is a process with one connection that sends requests made beforehand, as the AWS SDK for Rust would: boto3
itself takes longer than most answers. A quarter each are DescribeImages, DescribeKey, GetObject and GetCallerIdentity,
each client in a Region of its own, below EC2's rates.
"""

import http.client
import multiprocessing
import statistics
import tempfile
import time
import urllib.parse
from pathlib import Path

import boto3
from local_server import LocalServer, write_functions

CLIENTS, ROUNDS, RUNS = 16, 50, 5


def request(service, region, method, path, body="", **headers):
    scope = f"Credential=owner/20260101/{region}/{service}/aws4_request"
    return (
        method,
        path,
        body,
        {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0", **headers},
    )


def requests(region, key):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    target = {"X-Amz-Target": "TrentService.DescribeKey", "Content-Type": "application/x-amz-json-1.1"}
    images = "Action=DescribeImages&Version=2016-11-15&Owner.1=self"
    return [
        request("ec2", region, "POST", "/", images, Host=f"ec2.{region}.amazonaws.com", **form),
        request("kms", region, "POST", "/", f'{{"KeyId": "{key}"}}', Host=f"kms.{region}.amazonaws.com", **target),
        request("s3", "us-east-1", "GET", "/bench/object", Host="s3.us-east-1.amazonaws.com"),
        request("sts", "us-east-1", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", **form),
    ]


def client(host, asks, barrier, errors):
    connection = http.client.HTTPConnection(host)
    connection.connect()
    barrier.wait()
    for _ in range(ROUNDS):
        for method, path, body, headers in asks:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                errors.put(answer.status)
    barrier.wait()


def main():
    with tempfile.TemporaryDirectory() as folder, LocalServer(Path(folder), write_functions(Path(folder))) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bench")
        s3.put_object(Bucket="bench", Key="object", Body=b"{}")
        regions = sorted(boto3.Session().get_available_regions("ec2"))[:CLIENTS]
        keys = {region: server.client("kms", region).create_key()["KeyMetadata"]["Arn"] for region in regions}
        host, rates = urllib.parse.urlsplit(server.endpoint).netloc, []
        for run in range(RUNS):
            barrier, errors = multiprocessing.Barrier(CLIENTS + 1), multiprocessing.Queue()
            asks = [(host, requests(region, keys[region]), barrier, errors) for region in regions]
            clients = [multiprocessing.Process(target=client, args=each) for each in asks]
            for each in clients:
                each.start()
            barrier.wait()
            began = time.monotonic()
            barrier.wait()
            rates.append(CLIENTS * ROUNDS * 4 / (time.monotonic() - began))
            for each in clients:
                each.join()
            print(f"run {run + 1}: {rates[-1]:.0f} calls a second, {errors.qsize()} errors", flush=True)
        print(f"median of {RUNS}: {statistics.median(rates):.0f} calls a second from {CLIENTS} clients")


if __name__ == "__main__":
    main()
