"""What the templates allow is told in docs/permissions.md."""

from table import rendered, written


def test_document_tells_what_the_templates_allow():
    assert written() == rendered(), "write it anew: python tests/permissions/table.py"
