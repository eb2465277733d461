"""What has States: a machine, a branch of a Parallel, the item processor of a Map; and what is wrong between its states."""

import re
import typing

LONGEST_NAME, LONGEST_LABEL = 80, 40
#: https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
_VARIABLE = re.compile(r"[^\W\d]\w{0,79}")
_LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"]+")
_DISTRIBUTED = (
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailurePercentage",
)


class Diagnostic(typing.NamedTuple):
    code: str
    message: str
    location: str | None = None

    def __str__(self):
        return f"{self.code}: {self.message} at {self.location or 'null'}"


def not_allowed(message, location=None):
    return Diagnostic("SCHEMA_VALIDATION_FAILED", message, location)


class Program(typing.NamedTuple):
    kind: str
    definition: dict
    location: str
    outer: frozenset  # the variables of the programs around it

    @property
    def states(self):
        """Its states, without those that are none."""
        states = as_dict(self.definition.get("States"))
        return {name: state for name, state in states.items() if isinstance(state, dict)}

    def within(self, name):
        return f"{self.location}/States/{name}"


def programs_of(definition, kind="machine", location="", outer=frozenset()):
    """A program and those in its states, however deep. What is in a Distributed Map sees no variables around it.

    https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
    """
    program = Program(kind, definition, location, outer)
    yield program
    outer |= {name for _, names in _assigned(program) for name in names}
    for name, state in program.states.items():
        for at, branch in handlers(state, "Branches"):
            yield from programs_of(branch, "branch", f"{program.within(name)}/Branches[{at}]", outer)
        for field in ("ItemProcessor", "Iterator"):
            if field in state:
                inner = as_dict(state[field])
                seen = frozenset() if is_distributed(state) else outer
                yield from programs_of(inner, "processor", f"{program.within(name)}/{field}", seen)


def is_distributed(state):
    processor = as_dict(state.get("ItemProcessor", state.get("Iterator")))
    return as_dict(processor.get("ProcessorConfig")).get("Mode") == "DISTRIBUTED"


def names(programs):
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-states.html: unique within the whole machine."""
    seen = set()
    for program in programs:
        for name in program.states:
            if not 1 <= len(name) <= LONGEST_NAME:
                message = f"State name must have 1 to {LONGEST_NAME} characters: {name}"
                yield Diagnostic("INVALID_STATE_NAME", message, program.within(name))
            if name in seen:
                yield Diagnostic("DUPLICATE_STATE_NAME", f"Duplicate State name: {name}", program.within(name))
            seen.add(name)


def labels(programs):
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html: what a Label may be."""
    seen = set()
    for program in programs:
        for name, state in program.states.items():
            label, where = state.get("Label"), f"{program.within(name)}/Label"
            if isinstance(label, str):
                if len(label) > LONGEST_LABEL or not _LABEL.fullmatch(label):
                    yield Diagnostic("INVALID_LABEL_NAME", f"Invalid label: {label}", where)
                if label in seen:
                    yield Diagnostic("DUPLICATE_LABEL_NAME", f"Duplicate label: {label}", where)
                seen.add(label)


def modes(program):
    """https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html: what only a Distributed Map has."""
    for name, state in program.states.items():
        if state.get("Type") == "Map" and not is_distributed(state):
            for field in state:
                if field.removesuffix("Path") in _DISTRIBUTED:
                    yield not_allowed(f"Field '{field}' is not supported in INLINE mode", program.within(name))


def variables(program):
    """What variables may be called: not as one of an outer scope.

    https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
    """
    for where, assigned in _assigned(program):
        for name in assigned:
            if not _VARIABLE.fullmatch(name) or name == "states":
                yield not_allowed(f"Invalid variable name: {name}", f"{where}/{name}")
            if name in program.outer:
                yield not_allowed(f"Variable '{name}' is already assigned in an outer scope", f"{where}/{name}")


def _assigned(program):
    """Where its states assign variables, and which."""
    for name, state in program.states.items():
        places = [("", state)]
        places += [(f"/{field}[{at}]", each) for field in ("Choices", "Catch") for at, each in handlers(state, field)]
        for place, has in places:
            if "Assign" in has:
                found = [variable.removesuffix(".$") for variable in as_dict(has["Assign"])]
                yield f"{program.within(name)}{place}/Assign", found


def transitions(program):
    """Each Next leads somewhere, each state can be reached, and there is an end."""
    states, start = program.states, program.definition.get("StartAt")
    targets = {name: dict(_targets(state, program.within(name))) for name, state in states.items()}
    ways = {f"{program.location}/StartAt": start} | {at: to for found in targets.values() for at, to in found.items()}
    for where, target in ways.items():
        if isinstance(target, str) and target not in states:
            yield Diagnostic("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {target}", where)
    if not any(state.get("End") is True or state.get("Type") in ("Succeed", "Fail") for state in states.values()):
        yield Diagnostic("MISSING_END_STATE", "Workflow has no terminal state", program.location or None)
        return
    reached, found = set(), [start]
    while found:
        name = found.pop()
        if isinstance(name, str) and name in states and name not in reached:
            reached.add(name)
            found += targets[name].values()
    for name in states:
        if name not in reached:
            yield Diagnostic("MISSING_TRANSITION_TARGET", f'State "{name}" is not reachable.', program.within(name))


def _targets(state, where):
    for field in ("Next", "Default"):
        if field in state:
            yield f"{where}/{field}", state[field]
    for field in ("Choices", "Catch"):
        for at, each in handlers(state, field):
            if "Next" in each:
                yield f"{where}/{field}[{at}]/Next", each["Next"]


# What is not of the type that it should be is told by its schema, and here as if it were empty.


def as_dict(value):
    return value if isinstance(value, dict) else {}


def handlers(state, field):
    """The objects in a list of a state, such as its Choices or Catch, with their places."""
    value = state.get(field)
    return [(at, as_dict(each)) for at, each in enumerate(value if isinstance(value, list) else [])]
