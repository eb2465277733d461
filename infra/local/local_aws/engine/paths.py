"""JSONPath, as Step Functions reads it."""

import functools
import re

from .seams import everywhere

# What makes a path name more than one thing: a wildcard, a filter, a descent, a slice or a union.
_INDEFINITE = re.compile(r"\*|\?\(|\.\.|\[\s*-?\d*\s*:|,")


def install():
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.utils import json_path

    for module in (json_path, result_path):
        module.parse = functools.lru_cache(maxsize=1024)(module.parse)  # it takes a hundred times longer than reading
    everywhere(json_path.extract_json, _definite(json_path.extract_json))


def _definite(extract_json):
    """A path that can name one thing only gives that thing; moto gives a list when the path leads through an array."""

    def extract(path, data):
        found = extract_json(path, data)
        if isinstance(found, list) and len(found) == 1 and not _INDEFINITE.search(path):
            from moto.stepfunctions.parser.asl.utils import json_path

            matches = json_path.parse(path).find(data)
            if len(matches) == 1:
                return matches[0].value
        return found

    return extract
