"""Programs and projects as resources that grants are given on."""

from typing import Any

from tests.submission_service import program, project


def test_a_project_is_a_resource_that_grants_can_be_given_on(api: Any, sql: Any) -> None:
    api("PUT", "/", program("R"))
    api("PUT", "/R", project("r"))
    paths = "select path from auth.resource where source = 'submission' and path ~ '^/programs/R' order by path"
    assert sql(paths) == [("/programs/R",), ("/programs/R/projects/r",)]
    api("DELETE", "/R/r")
    assert sql(paths) == [("/programs/R",)]


def test_before_the_auth_service_has_made_its_tables_projects_come_and_go_all_the_same(api: Any, sql: Any) -> None:
    sql("alter schema auth rename to later")
    try:
        assert api("PUT", "/", program("W")).status_code == 200
        assert api("PUT", "/W", project("w")).status_code == 200
        assert (api("DELETE", "/W/w").status_code, api("DELETE", "/W").status_code) == (204, 204)
    finally:
        sql("alter schema later rename to auth")
