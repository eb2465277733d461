"""What every role and every function of the templates has."""

from table import TITLES, resources, rendered, statements, written

OWNER, _ = TITLES
FUNCTIONS = {
    name: one["Properties"] for name, one in resources(OWNER).items() if one["Type"] == "AWS::Serverless::Function"
}


def names(functions):
    return sorted(FUNCTIONS[function]["FunctionName"]["Fn::Sub"] for function in functions)


def test_document_tells_what_the_templates_allow():
    assert written() == rendered(), "write it anew: python tests/permissions/table.py"


def test_every_role_takes_the_boundary():
    boundary = ["WithPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]
    for path in TITLES:
        for name, one in resources(path).items():
            if one["Type"] == "AWS::IAM::Role":
                assert one["Properties"].get("PermissionsBoundary") == {"Fn::If": boundary}, name


def test_every_function_may_be_traced():
    """Lambda does not make a function that is traced, and whose role may not send traces."""
    found = statements(resources(OWNER))
    for name, function in FUNCTIONS.items():
        role = function["Role"]["Fn::GetAtt"]
        sids = [statement["Sid"] for statement, _ in found[role[0] if isinstance(role, list) else role.split(".")[0]]]
        assert "Trace" in sids, name


def test_dashboard_shows_every_function():
    body = resources(OWNER)["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert [name for name in names(FUNCTIONS) if body.count(f'"{name}"') != 3] == []
