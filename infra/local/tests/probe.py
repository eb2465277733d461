# A Lambda function that does what its event says, by the Runtime API alone.
import http.client
import json
import os
import time
import urllib.parse

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
PATH = "/2018-06-01/runtime/invocation"
invocations = 0

if os.environ.get("START") == "never":
    os._exit(1)


class Fault(Exception):
    pass


def ask_ec2(action):
    """One call with the function's own credentials. (The local AWS does not check signatures.)"""
    endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port)
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/{os.environ['AWS_REGION']}/ec2/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"],
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection.request("POST", "/", f"Action={action}&Version=2016-11-15", headers)
    return connection.getresponse().status


def handle(event):
    global invocations
    invocations += 1
    if "append" in event:
        with open(event["append"], "a") as file:
            file.write("invoked\n")
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "exit" in event:
        os._exit(event["exit"])
    if "fail" in event:
        raise Fault(event["fail"])
    if "bytes" in event:
        return "x" * event["bytes"]
    if "ask" in event:
        return {"status": ask_ec2(event["ask"])}
    return {
        "echo": event,
        "pid": os.getpid(),
        "invocations": invocations,
        "environment": {name: os.environ.get(name) for name in ("GREETING", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION")},
    }


runtime = http.client.HTTPConnection(API)
while True:
    runtime.request("GET", f"{PATH}/next")
    invocation = runtime.getresponse()
    event = json.loads(invocation.read())
    request = invocation.getheader("Lambda-Runtime-Aws-Request-Id")
    try:
        path, answer, headers = "response", handle(event), {}
    except Fault as fault:
        kind = str(fault)
        path, answer = "error", {"errorType": kind, "errorMessage": f"It is {kind}."}
        headers = {"Lambda-Runtime-Function-Error-Type": kind}
    runtime.request("POST", f"{PATH}/{request}/{path}", json.dumps(answer), headers)
    runtime.getresponse().read()
