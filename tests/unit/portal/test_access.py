"""The access table of the profile page."""

from commonshub.portal.access import Grant, grants_of

READ = {"service": "peregrine", "method": "read"}
DOWNLOAD = {"service": "fence", "method": "read-storage"}


def test_rights_are_told_by_service() -> None:
    (grant,) = grants_of({"/programs/demo": [READ, DOWNLOAD]})
    assert grant.rights == (("files", ("download",)), ("graph queries", ("read",)))


def test_a_path_that_adds_nothing_to_one_above_it_is_left_out() -> None:
    mapping = {"/programs": [READ], "/programs/a": [READ], "/programs/b": [READ, DOWNLOAD], "/programsx": [READ]}
    assert [grant.path for grant in grants_of(mapping)] == ["/programs", "/programs/b", "/programsx"]


def test_what_a_wider_right_covers_is_left_out() -> None:
    everything = {"service": "*", "method": "*"}
    (grant,) = grants_of({"/programs": [READ, everything, DOWNLOAD], "/programs/a": [READ]})
    assert grant == Grant("/programs", (("everything", ("do anything",)),))


def test_a_path_keeps_only_what_it_adds() -> None:
    _, lower = grants_of({"/programs": [READ], "/programs/a": [READ, DOWNLOAD]})
    assert lower == Grant("/programs/a", (("files", ("download",)),))


def test_unknown_services_keep_their_names() -> None:
    (grant,) = grants_of({"/x": [{"service": "newcomer", "method": "invent"}]})
    assert grant.rights == (("newcomer", ("invent",)),)
