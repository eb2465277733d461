"""The history of an execution."""

from .children import children

#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
MOST_AT_ONCE = 1000


def history(self):
    """The history can be read backwards and in pages, and child executions have one; in moto neither."""
    from moto.core.responses import ActionResult

    arn = self._get_param("executionArn")
    child = children.get(arn)
    env = child.env if child else self.stepfunction_backend.describe_execution(arn).exec_worker.env
    events = list(env.event_manager._history_event_list)  # an event does not change once it is there
    if str(self._get_param("reverseOrder")).lower() == "true":
        events.reverse()
    first = int(self._get_param("nextToken") or 0)
    last = first + min(self._get_int_param("maxResults") or MOST_AT_ONCE, MOST_AT_ONCE)
    page = {"events": events[first:last]}
    if last < len(events):
        page["nextToken"] = str(last)
    return ActionResult(page)
